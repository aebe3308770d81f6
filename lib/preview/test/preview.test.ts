import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { allowing } from "../address.ts";
import { saidBy } from "../page.ts";
import { createPreviews, type Previews } from "../preview.ts";
import { NoPreview, type Reason } from "../refusal.ts";
import { lineOf } from "../text.ts";
import { nameServer } from "./names.ts";
import { html, redirect, site } from "./site.ts";

const here = createPreviews({ networks: "127.0.0.1/32" });
const publicOnly = createPreviews({ networks: "" });

/** Asserts that a page has no preview, for this reason. */
async function refused(page: Promise<unknown>, reason: Reason, what: string): Promise<void> {
  const thrown = await page.then(
    (found) => assert.fail(`${what}: ${JSON.stringify(found)}`),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof NoPreview, `${what}: ${String(thrown)}`);
  assert.equal(thrown.reason, reason, `${what}: ${thrown.message}`);
}

/** What is not the public network, however it is written (bad-inputs M-08). */
const closed = [
  "http://127.0.0.1/",
  "http://127.1/",
  "http://0x7f000001/",
  "http://2130706433/",
  "http://0177.0.0.1/",
  "http://0.0.0.0/",
  "http://10.1.2.3/",
  "http://100.64.0.1/",
  "http://168.63.129.16/",
  "http://169.254.169.254/latest/meta-data/",
  "http://172.16.0.1/",
  "http://172.31.255.255/",
  "http://192.0.0.192/",
  "http://192.0.2.1/",
  "http://192.88.99.1/",
  "http://192.168.1.1/",
  "http://198.18.0.1/",
  "http://198.51.100.1/",
  "http://203.0.113.1/",
  "http://224.0.0.1/",
  "http://240.0.0.1/",
  "http://255.255.255.255/",
  "http://[::]/",
  "http://[::1]/",
  "http://[::127.0.0.1]/",
  "http://[::ffff:127.0.0.1]/",
  "http://[::ffff:7f00:1]/",
  "http://[64:ff9b::7f00:1]/",
  "http://[64:ff9b:1::1]/",
  "http://[100::1]/",
  "http://[2001::1]/",
  "http://[2001:2::1]/",
  "http://[2001:db8::1]/",
  "http://[2002:7f00:1::]/",
  "http://[3fff::1]/",
  "http://[5f00::1]/",
  "http://[fc00::1]/",
  "http://[fd00:ec2::254]/",
  "http://[fe80::1]/",
  "http://[fec0::1]/",
  "http://[ff02::1]/",
  // What is no address of the web at all.
  "file:///etc/passwd",
  "gopher://example.org/",
  "ftp://example.org/",
  "data:text/html,<title>x</title>",
  "javascript:alert(1)",
  "http://somebody@93.184.215.14/",
  "http://somebody:secret@93.184.215.14/",
  "http://93.184.215.14:22/",
  "https://93.184.215.14:8443/",
  "http://93.184.215.14:6379/",
  "//93.184.215.14/",
  "nothing",
  `http://93.184.215.14/${"a".repeat(2_048)}`,
];

test("M-08: what is not the public web is not asked, however it is written", async () => {
  for (const url of closed) await refused(publicOnly.page(url), "url-not-allowed", url);
  for (const url of closed) await refused(publicOnly.image(url), "url-not-allowed", url);
  const { address } = allowing("");
  for (const open of ["93.184.215.14", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]) {
    assert.ok(address(open), open);
  }
  assert.deepEqual([allowing("10.0.0.0/8, ::1/128").address("10.9.9.9"), address("10.9.9.9")], [true, false]);
  for (const none of ["10.0.0.0", "x/8", "10.0.0.0/99"]) assert.throws(() => allowing(none), none);
});

test("a name is what it leads to: one that leads inside is refused, and nobody is asked", async (t) => {
  const inside = await site(t, { "/": html("<title>inside</title>") });
  const { at, asked } = await nameServer(t, { "inside.test": ["127.0.0.1"], "far.test": ["192.168.0.9"] });
  const named = createPreviews({ networks: "127.0.0.9/32", nameServers: [at] });
  await refused(named.page(`http://inside.test:${inside.port}/`), "url-not-allowed", "a name of ours");
  await refused(named.page("http://inside.test/"), "url-not-allowed", "a name of ours at the port of the web");
  await refused(named.page("http://far.test/"), "url-not-allowed", "a neighbour");
  await refused(named.page("http://nobody.test/"), "unusable", "no name");
  assert.deepEqual([asked.includes("inside.test"), inside.asked], [true, []]);
});

test("a name that leads elsewhere the second time is asked for once, and the address that was checked is asked", async (t) => {
  const outside = await site(t, { "/": html("<title>outside</title>") }, "127.0.0.2");
  const inside = await site(t, { "/": html("<title>inside</title>") }, "127.0.0.1", outside.port);
  const { at, asked } = await nameServer(t, {
    "turns.test": ["127.0.0.2", "127.0.0.1"],
    "returns.test": ["127.0.0.1", "127.0.0.2"],
  });
  const named = createPreviews({ networks: "127.0.0.2/32", nameServers: [at] });
  assert.equal((await named.page(`http://turns.test:${outside.port}/`)).title, "outside");
  assert.deepEqual([asked, inside.asked.length], [["turns.test"], 0]);
  assert.equal(outside.asked[0]?.headers.host, `turns.test:${outside.port}`);
  await refused(named.page(`http://returns.test:${outside.port}/`), "url-not-allowed", "inside first");
  assert.equal(inside.asked.length, 0);
});

test("each redirect is checked as the first address is, and five are followed", async (t) => {
  const hops = Object.fromEntries(Array.from({ length: 8 }, (_, nth) => [`/${nth}`, redirect(`/${nth + 1}`)]));
  const { url } = await site(t, {
    ...hops,
    "/5": html("<title>five hops</title>"),
    "/meta": redirect("http://169.254.169.254/latest/meta-data/"),
    "/file": redirect("file:///etc/passwd"),
    "/named": redirect("http://somebody@127.0.0.1/"),
    "/loop": redirect("/loop"),
    "/inside": redirect("http://127.0.0.2/"),
    "/nowhere": (res) => void res.writeHead(302).end(),
  });
  assert.equal((await here.page(`${url}/0`)).title, "five hops");
  for (const path of ["/meta", "/file", "/named", "/inside"]) {
    await refused(here.page(`${url}${path}`), "url-not-allowed", path);
  }
  for (const path of ["/loop", "/nowhere"]) await refused(here.page(`${url}${path}`), "unusable", path);
});

test("a stranger asks: no cookies, no names, and says who it is", async (t) => {
  const { url, asked } = await site(t, {
    "/": (res) => void res.writeHead(302, { "set-cookie": "a=b", location: "/page" }).end(),
    "/page": html("<title>x</title>"),
  });
  await here.page(`${url}/`);
  const [, { headers = {} } = {}] = asked;
  assert.match(headers["user-agent"] ?? "", /^SkeinPreview\//);
  assert.deepEqual([headers.cookie, headers.authorization, headers.referer], [undefined, undefined, undefined]);
});

test("no page is longer than half a megabyte, packed or not, and none takes longer than its time", async (t) => {
  const head = "<title>long</title>";
  const endless = (res: import("node:http").ServerResponse, part: Buffer) => {
    const more = () => !res.destroyed && res.write(part, () => setImmediate(more));
    more();
  };
  const { url } = await site(t, {
    "/endless": (res) => {
      res.writeHead(200, { "content-type": "text/html" });
      res.write(head);
      endless(res, Buffer.alloc(16_384, " "));
    },
    "/bomb": (res) => {
      res.writeHead(200, { "content-type": "text/html", "content-encoding": "gzip" });
      res.end(gzipSync(Buffer.concat([Buffer.from(head), Buffer.alloc(200_000_000)])));
    },
    "/hollow": (res) => {
      // Blocks of gzip that hold nothing, without end.
      res.writeHead(200, { "content-type": "text/html", "content-encoding": "gzip" });
      res.write(Buffer.from("1f8b0800000000000003", "hex"));
      endless(res, Buffer.concat(Array(3_000).fill(Buffer.from("000000ffff", "hex"))));
    },
    "/cut": (res) => {
      res.writeHead(200, { "content-type": "text/html", "content-length": 1_000 });
      res.write(head, () => res.destroy());
    },
    "/garbled": (res) => void res.writeHead(200, { "content-type": "text/html", "content-encoding": "gzip" }).end(head),
    "/strange": (res) => void res.writeHead(200, { "content-type": "text/html", "content-encoding": "x" }).end(head),
    "/slow": (res) => {
      res.writeHead(200, { "content-type": "text/html" });
      const drop = setInterval(() => res.write(" "), 50);
      res.once("close", () => clearInterval(drop));
    },
    "/silent": () => {},
    "/large.png": (res) => endless(res.writeHead(200), Buffer.alloc(65_536)),
  });
  assert.equal((await here.page(`${url}/endless`)).title, "long");
  assert.equal((await here.page(`${url}/bomb`)).title, "long");
  await refused(here.page(`${url}/hollow`), "unusable", "nothing, for ever");
  await refused(here.page(`${url}/cut`), "away", "cut off");
  await refused(here.page(`${url}/garbled`), "unusable", "no gzip");
  await refused(here.page(`${url}/strange`), "unusable", "packed by a way of its own");
  await refused(here.image(`${url}/large.png`), "unusable", "a picture without end");
  const quick: Previews = createPreviews({ networks: "127.0.0.1/32", totalMs: 300 });
  await Promise.all(["/slow", "/silent"].map((path) => refused(quick.page(`${url}${path}`), "away", path)));
  await refused(here.page("http://127.0.0.1:1/"), "away", "nobody there");
});

test("only a page has a preview, and only one that answers", async (t) => {
  const title = "<title>x</title>";
  const { url } = await site(t, {
    "/plain": html(title, "text/plain"),
    "/json": html("{}", "application/json"),
    "/none": html("<h1>no title</h1>"),
    "/blank": html("<title> \u200b\n </title>"),
    "/gone": (res) => void res.writeHead(410, { "content-type": "text/html" }).end(title),
    "/broken": (res) => void res.writeHead(503, { "content-type": "text/html" }).end(title),
  });
  for (const path of ["/plain", "/json", "/none", "/blank", "/gone", "/missing"]) {
    await refused(here.page(`${url}${path}`), "unusable", path);
  }
  await refused(here.page(`${url}/broken`), "away", "503");
});

test("what a page says is read in its charset, first by its mark, then its answer, then itself", async (t) => {
  const meta = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><title>';
  const { url } = await site(t, {
    "/1251": html(
      Buffer.concat([Buffer.from(meta), Buffer.from([0xcf, 0xf0, 0xe8]), Buffer.from("</title>")]),
      "text/html",
    ),
    "/sjis": html(
      Buffer.concat([Buffer.from("<title>"), Buffer.from([0x93, 0xfa, 0x96, 0x7b])]),
      "text/html;charset=Shift_JIS",
    ),
    "/utf16": html(Buffer.from("\ufeff<title>né</title>", "utf16le"), "text/html; charset=iso-8859-1"),
    "/unknown": html("<title>né</title>", "text/html; charset=klingon"),
    "/wrong": html(
      Buffer.from([...Buffer.from("<title>a"), 0xff, 0xfe, ...Buffer.from("b")]),
      "text/html; charset=utf-8",
    ),
  });
  const titles = await Promise.all(
    ["1251", "sjis", "utf16", "unknown", "wrong"].map((name) => here.page(`${url}/${name}`)),
  );
  assert.deepEqual(
    titles.map(({ title }) => title),
    ["При", "日本", "né", "né", "a\ufffd\ufffdb"],
  );
});

test("Open Graph goes before Twitter's cards, and these before HTML; pictures are absolute", async (t) => {
  const { url } = await site(t, {
    "/all/": html(`<!doctype html><html><head>
      <META content='Tea &amp; biscuits &#x1F375;' Property=og:title><meta property="og:title" content="second">
      <meta name="twitter:title" content="no"><title>no</title>
      <meta property="og:description" content="a\n  b\u202ec"><meta name="description" content="no">
      <meta property="og:site_name" content="The &quot;Shop&quot;">
      <meta property="og:image" content="../tea.png"><meta property="og:image:alt" content="a cup">`),
    "/html": html(`<script>var a = "<title>script</title>"</script><!-- <title>comment</title> -->
      <title>Plain
      &lt;title&gt;</title><meta name="Description" content="said"><svg><title>picture</title></svg>`),
  });
  const { image, ...said } = await here.page(`${url}/all/?a=1#b`);
  assert.deepEqual(said, { title: "Tea & biscuits 🍵", description: "a bc", siteName: 'The "Shop"' });
  assert.deepEqual(image, { url: `${url}/tea.png`, alt: "a cup" });
  const plain = await here.page(`${url}/html`);
  assert.deepEqual(plain, { title: "Plain <title>", description: "said", siteName: "", image: undefined });
});

test("lines are cut by what people count, never within it, and marks on marks are no text", () => {
  const family = "👩‍👩‍👧";
  assert.equal(lineOf(family.repeat(3), 3), family.repeat(3));
  assert.equal(lineOf(family.repeat(4), 3), `${family.repeat(2)}…`);
  assert.equal(lineOf("\u0000 a\u0007\u2028\tb\u2066 ", 10), "a b");
  assert.ok(Buffer.byteLength(lineOf(`a${"\u0301".repeat(50_000)}`, 200)) <= 1_700);
});

test("a page made to be hard to read is read as any other", () => {
  // Deep trees, tags that close nothing, one endless attribute: a parser that keeps a stack of tags takes seconds for each.
  for (const text of ["<b>", "<b></i>", "<meta ", "<meta content='", "<title>", "&amp", "<!--", "<a b=c d='", "</"]) {
    const page = `<title>t</title>${text.repeat(Math.floor(512_000 / text.length))}`;
    assert.equal(saidBy(page)?.title, "t");
  }
});
