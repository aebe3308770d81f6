import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import sharp from "sharp";
import type { LinkPreview } from "#gen/skein/media/v1/media_pb.ts";
import type { Post } from "#gen/skein/post/v1/post_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import { until } from "#lib/harness/until.ts";
import { phonePhoto } from "#lib/media/test/files.ts";
import { html, redirect, type Site, site } from "#lib/preview/test/site.ts";
import { as, dir, fetchForm, newKey, rows, somebody, system, world } from "./world.ts";

world({ PREVIEWS: "on", PREVIEW_ALLOW_NETWORKS: "127.0.0.1/32" });

let web: Site;
/** Answers that wait until they are let go. */
const held: (() => void)[] = [];
const ended: (() => void)[] = [];
before(async () => {
  const photo = await phonePhoto(1_600, 900);
  const page = (name: string, more = "") =>
    html(`<title>The ${name}</title><meta name=description content=about>${more}`);
  web = await site(
    { after: (end) => void ended.push(end as () => void) },
    {
      "/tea": page("tea", '<meta property=og:image content="/tea.jpg"><meta property="og:image:alt" content="a cup">'),
      "/tea.jpg": (res) => void res.writeHead(200, { "content-type": "text/plain" }).end(photo),
      "/other": page("other"),
      "/many": page("many"),
      "/broken": page("picture", '<meta property=og:image content="http://169.254.169.254/x.png">'),
      "/inside": redirect("http://127.0.0.2/"),
      "/slow": (res, req) => void held.push(() => page("slow")(res, req)),
      "/shy": page("shy", '<meta property=og:image content="/shy.jpg">'),
      "/shy.jpg": (res) => void (asks("/shy.jpg") === 1 ? res.writeHead(503).end() : res.writeHead(200).end(photo)),
      "/alone": page("alone", '<meta property=og:image content="/alone.jpg">'),
      "/alone.jpg": (res) => void res.writeHead(503).end(),
      "/none": html("no title"),
    },
  );
});
after(() => {
  for (const end of ended) end();
});

const write = async (author: string, text: string): Promise<Post> =>
  (await system.clients.post.createPost({ text, idempotencyKey: newKey() }, as(author))).post as Post;
const read = async ({ id }: Post) =>
  (await system.clients.post.batchGetPosts({ postIds: [id] }, as())).posts[0]?.post as Post;
const edit = async (author: string, { id }: Post, text: string, ifVersion?: number): Promise<Post> =>
  (
    await system.clients.post.editPost(
      { postId: id, text, ...(ifVersion !== undefined && { ifVersion: BigInt(ifVersion) }) },
      as(author),
    )
  ).post as Post;
const taskOf = async ({ id }: Post) =>
  (await system.db("post").query("SELECT tries FROM preview_task WHERE post_id = ?", [id]))[0];

/** What a post says of its link, when it does. */
async function previewOf(of: Post): Promise<{ shown: Post; preview: LinkPreview }> {
  let shown = of;
  await until(`post ${of.id} has a preview`, async () => {
    shown = await read(of);
    return shown.content?.linkPreview !== undefined;
  });
  return { shown, preview: shown.content?.linkPreview as LinkPreview };
}
const isSettled = (of: Post) =>
  until(`nobody looks for a preview of ${of.id}`, async () => (await taskOf(of)) === undefined);
const asks = (at: string) => web.asked.filter((one) => one.path === at).length;

test("a post is there at once, and a moment later shows what its first link leads to, which is no edit", async () => {
  const author = somebody();
  const made = await write(author, `see ${web.url}/tea#cup, then ${web.url}/other`);
  assert.deepEqual([made.version, made.content?.linkPreview], [1n, undefined]);
  const { shown, preview } = await previewOf(made);
  const { image, id: _, ...said } = preview;
  assert.deepEqual(
    { ...said },
    { $typeName: said.$typeName, url: `${web.url}/tea#cup`, title: "The tea", description: "about", siteName: "" },
  );
  assert.deepEqual([shown.version, shown.editTime, shown.text], [2n, undefined, made.text]);
  assert.deepEqual(shown.content?.facets, made.content?.facets);
  const { posts } = await system.clients.post.listPostVersions({ postId: made.id }, as());
  assert.deepEqual(
    posts.map(({ version }) => version),
    [2n],
  );
  const picture = await fetchForm(image as NonNullable<typeof image>, "full.jpg");
  const { width, height, exif } = await sharp(picture.body).metadata();
  assert.deepEqual([picture.status, image?.alt, width, height, exif], [200, "a cup", 450, 800, undefined]);
});

test("an edit made from the words that stand is taken, keeps the preview of its link, and drops it with the link at once", async () => {
  const author = somebody();
  const made = await write(author, `${web.url}/other`);
  const { preview } = await previewOf(made);
  const same = await edit(author, made, `${web.url}/other again`, 1);
  assert.deepEqual([same.version, same.content?.linkPreview], [3n, preview]);
  await refused(edit(author, made, "x", 1), Code.Aborted, "version-conflict", "if_version");
  await refused(edit(author, made, "x", 2), Code.Aborted, "version-conflict", "if_version");
  const next = await edit(author, made, `${web.url}/tea`, 3);
  assert.equal(next.content?.linkPreview, undefined);
  assert.equal((await previewOf(next)).preview.title, "The tea");
  const last = await edit(author, made, "nothing more", 4);
  assert.equal((await read(made)).content, undefined);
  assert.deepEqual([last.version, await taskOf(made)], [6n, undefined]);
  const { posts } = await system.clients.post.listPostVersions({ postId: made.id }, as());
  assert.deepEqual(
    posts.map(({ version }) => version),
    [6n, 5n, 3n, 2n],
  );
});

test("an address is fetched once, however many posts have it, and asked again by nobody for a day", async () => {
  const authors = Array.from({ length: 12 }, somebody);
  const made = await Promise.all(authors.map((author) => write(author, `${web.url}/many`)));
  for (const one of made) await previewOf(one);
  await previewOf(await write(somebody(), `${web.url}/many#part`));
  assert.equal(asks("/many"), 1);
});

test("what has no preview is left as it is: refused, without a title, deleted; a picture that is refused is left out", async () => {
  const author = somebody();
  const texts = ["http://127.0.0.2/x", `${web.url}/inside`, `${web.url}/none`, "http://169.254.169.254/", "no link"];
  const made = await Promise.all(texts.map((text) => write(author, text)));
  for (const one of made) await isSettled(one);
  assert.deepEqual(
    (await Promise.all(made.map(read))).map(({ version, content }) => [version, content?.linkPreview]),
    texts.map(() => [1n, undefined]),
  );
  const { preview } = await previewOf(await write(author, `${web.url}/broken`));
  assert.deepEqual([preview.title, preview.image], ["The picture", undefined]);
});

test("a process that dies over a preview leaves it to the next, and the post gets it once", async () => {
  const made = await write(somebody(), `${web.url}/slow`);
  const gone = await write(somebody(), `${web.url}/slow?gone`);
  await until("the pages are asked for", () => asks("/slow") === 2);
  await system.kill("post", "SIGKILL");
  for (const answer of held.splice(0)) answer();
  await system.db("post").query("UPDATE preview_task SET due_time = TIMESTAMPADD(MINUTE, -1, due_time)");
  await system.db("post").query("UPDATE post SET deleted = 1 WHERE id = ?", [gone.id]);
  await system.start("post");
  const { shown, preview } = await previewOf(made);
  assert.deepEqual([shown.version, preview.title], [2n, "The slow"]);
  await isSettled(made);
  await isSettled(gone);
  const facts = await system.db("post").query("SELECT version FROM outbox WHERE aggregate = ?", [`post:${made.id}`]);
  assert.deepEqual(facts.map(({ version }) => Number(version)).sort(), [1, 2]);
});

test("a page that is away is asked for again, and at last no more", async () => {
  const made = await write(somebody(), "http://127.0.0.1:1/");
  const later = (sql: string) => system.db("post").query(sql, [made.id]);
  await until("it was tried", async () => Number((await taskOf(made))?.tries) === 1);
  await later("UPDATE preview_task SET tries = 4, due_time = NOW(3) WHERE post_id = ?");
  await isSettled(made);
  assert.deepEqual([(await read(made)).version, (await read(made)).content?.linkPreview], [1n, undefined]);
});

test("a picture that is away comes later, once, to the post that was shown without it and to whoever has the same link then", async () => {
  const made = await write(somebody(), `${web.url}/shy`);
  const first = await previewOf(made);
  assert.equal(first.preview.image, undefined);
  await until("it is to be asked for again", async () => (await taskOf(made)) !== undefined);
  const id = String(first.preview.id);
  const [row] = await rows(
    "SELECT TIMESTAMPDIFF(SECOND, NOW(3), expire_time) AS seconds FROM link_preview WHERE id = ?",
    id,
  );
  assert.ok(Number(row?.seconds) <= 60);
  await rows("UPDATE link_preview SET expire_time = NOW(3) WHERE id = ?", id);
  const isDue =
    "UPDATE preview_task SET due_time = NOW(3) WHERE post_id = ? AND due_time > TIMESTAMPADD(SECOND, 40, NOW(3))";
  await until("its time has come", async () => (await system.db("post").exec(isDue, [made.id])) === 1);
  await isSettled(made);
  const later = await read(made);
  assert.equal(later.content?.linkPreview?.image?.variants.length, 1);
  assert.deepEqual([later.version, later.editTime, later.text], [3n, undefined, made.text]);
  const second = await previewOf(await write(somebody(), `${web.url}/shy`));
  assert.deepEqual(second.preview, later.content?.linkPreview);
});

test("a picture that stays away is asked for five times, and the post keeps its preview without it", async () => {
  const made = await write(somebody(), `${web.url}/alone`);
  const { shown, preview } = await previewOf(made);
  await until("it was tried", async () => Number((await taskOf(made))?.tries) === 1);
  await rows("UPDATE link_preview SET expire_time = NOW(3) WHERE id = ?", String(preview.id));
  await system.db("post").exec("UPDATE preview_task SET tries = 4, due_time = NOW(3) WHERE post_id = ?", [made.id]);
  await isSettled(made);
  assert.equal(asks("/alone.jpg"), 2);
  assert.deepEqual(await read(made), shown);
});

test("a picture stays while a post shows it, and goes after the last one, or where no post did", async () => {
  const author = somebody();
  const [one, two] = [await write(author, `${web.url}/tea?1`), await write(author, `${web.url}/tea?1`)];
  const { preview } = await previewOf(one);
  await previewOf(two);
  const handle = preview.image?.handle ?? "";
  const uses = () => rows("SELECT post_id FROM link_preview_use WHERE preview_id = ?", String(preview.id));
  const expire = () =>
    rows("UPDATE link_preview SET collect_time = TIMESTAMPADD(MONTH, -1, NOW(3)) WHERE id = ?", String(preview.id));
  const isKept = () => existsSync(path.join(dir, "objects", "m", handle));
  await until("both are heard of", async () => (await uses()).length === 2);
  await expire();
  await until("it was looked at", async () => {
    const [row] = await rows("SELECT collect_time FROM link_preview WHERE id = ?", String(preview.id));
    return row?.collect_time === null;
  });
  await system.clients.post.deletePost({ postId: one.id }, as(author));
  await edit(author, two, "no link");
  await until("nobody shows it", async () => (await uses()).length === 0);
  assert.ok(isKept());
  await expire();
  await until("it is gone", () => !isKept());
});
