import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { RegisterRequestSchema } from "#gen/skein/api/v1/auth_pb.ts";
import { CreatePostRequestSchema } from "#gen/skein/api/v1/post_pb.ts";
import { explain } from "#lib/mesh/errors.ts";
import { depthMax, messageFromJson } from "../src/door/json.ts";
import { postApi } from "./post-api.ts";
import { assertProblem, bearer, serve } from "./serve.ts";

type Row = {
  why: string;
  body: string | Buffer;
  headers?: Record<string, string>;
  status?: number;
  name: string;
  pointers?: string[];
};

const at = (pointer: string) => ({ name: "validation", pointers: [pointer] });

const rows: Row[] = [
  { why: "truncated", body: '{"text":', name: "malformed-json" },
  { why: "empty", body: "", name: "malformed-json" },
  { why: "blank", body: "  ", name: "malformed-json" },
  { why: "two values", body: '{"text":"a"}{}', name: "malformed-json" },
  { why: "a comment", body: '{"text":"a"/**/}', name: "malformed-json" },
  { why: "a number that JSON lacks", body: '{"text":NaN}', name: "malformed-json" },
  { why: "a byte order mark", body: '\ufeff{"text":"a"}', name: "malformed-json" },
  { why: "a duplicate key", body: '{"text":"a","text":"b"}', name: "duplicate-key" },
  { why: "a duplicate key, escaped", body: '{"text":"a","\\u0074ext":"b"}', name: "duplicate-key" },
  { why: "a duplicate key deep inside", body: '{"x":{"a":1,"a":2}}', name: "duplicate-key" },
  {
    why: "unknown fields",
    body: '{"text":"a","isAdmin":true,"authorId":"1","likeCount":9}',
    name: "validation",
    pointers: ["/isAdmin", "/authorId", "/likeCount"],
  },
  { why: "a prototype", body: '{"__proto__":{"isAdmin":true}}', name: "validation", pointers: ["/__proto__"] },
  { why: "a constructor", body: '{"constructor":{"prototype":{}}}', name: "validation", pointers: ["/constructor"] },
  { why: "a pointer to escape", body: '{"a/b~c":1}', name: "validation", pointers: ["/a~1b~0c"] },
  { why: "an object for a string", body: '{"text":{"$ne":null}}', name: "validation", pointers: ["/text"] },
  { why: "a list for a string", body: '{"text":["a"]}', name: "validation", pointers: ["/text"] },
  { why: "1e400 for a string", body: '{"text":1e400}', name: "validation", pointers: ["/text"] },
  {
    why: "a name that an enum lacks",
    body: '{"audience":"AUDIENCE_NONE"}',
    name: "validation",
    pointers: ["/audience"],
  },
  { why: "words for a number", body: '{"poll":{"durationSeconds":"x"}}', ...at("/poll/durationSeconds") },
  { why: "a number in a list of texts", body: '{"poll":{"options":["a",5]}}', ...at("/poll/options/1") },
  { why: "a text for a list", body: '{"poll":{"options":"a"}}', ...at("/poll/options") },
  { why: "a lone surrogate in a list", body: '{"mediaIds":["1","\\ud800"]}', ...at("/mediaIds/1") },
  { why: "a number for an object", body: '{"text":null,"poll":5}', ...at("/poll") },
  { why: "an unknown field inside", body: '{"poll":{"a/b":5}}', ...at("/poll/a~1b") },
  { why: "a lone surrogate", body: '{"text":"\\ud800"}', name: "validation", pointers: ["/text"] },
  { why: "a list at the top", body: "[]", name: "validation", pointers: ["/"] },
  { why: "null at the top", body: "null", name: "validation", pointers: ["/"] },
  { why: "a string at the top", body: '"a"', name: "validation", pointers: ["/"] },
  { why: "100,000 levels", body: "[".repeat(1e5) + "]".repeat(1e5), name: "too-deep" },
  { why: "33 levels", body: `{"text":${"[".repeat(32)}${"]".repeat(32)}}`, name: "too-deep" },
  { why: "2 MiB", body: JSON.stringify({ text: "a".repeat(2 ** 21) }), status: 413, name: "payload-too-large" },
  {
    why: "not UTF-8",
    body: Buffer.from([...Buffer.from('{"text":"'), 0xff, ...Buffer.from('"}')]),
    name: "invalid-utf8",
  },
  { why: "an encoding", body: "corrupt", headers: { "content-encoding": "br" }, name: "bad-encoding" },
  ...[
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "",
  ].map((type) => ({
    why: `type '${type}'`,
    body: '{"text":"a"}',
    headers: { "content-type": type },
    status: 415,
    name: "unsupported-media-type",
  })),
  ...["utf-99", "utf-16", "latin1"].map((charset) => ({
    why: `charset ${charset}`,
    body: '{"text":"a"}',
    headers: { "content-type": `application/json; charset=${charset}` },
    status: 415,
    name: "unsupported-charset",
  })),
];

test("bad bodies are refused, each with its name, and nothing is stored", async (t) => {
  const { rpcs, posts } = postApi();
  const { post } = await serve(t, rpcs);
  for (const { why, body, headers = {}, status = 400, name, pointers } of rows) {
    await t.test(why, async () => {
      const answer = await post("/v1/posts", body, { ...(await bearer("7")), ...headers });
      assertProblem(answer, status, name, pointers);
      assert.equal(posts.size, 0);
      assert.equal(({} as Record<string, unknown>).isAdmin, undefined);
    });
  }
});

test("good bodies arrive as they were sent", async (t) => {
  const { post } = await serve(t, postApi().rpcs);
  const headers = { ...(await bearer("7")), "idempotency-key": "k" };
  const texts = [
    "👩‍👩‍👧‍👦 🇩🇪 👍🏽",
    "<script>alert(1)</script>",
    "' OR 1=1--",
    "$" + "{jndi:ldap://x} {{7*7}} %s",
    "[{[{".repeat(40),
  ];
  for (const text of texts) {
    for (const type of ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']) {
      const answer = await post("/v1/posts", JSON.stringify({ text }), { ...headers, "content-type": type });
      assert.equal(answer.status, 201, answer.text);
      assert.equal(answer.json().text, text);
    }
  }
});

test("a refused upload leaves the connection usable, and a chunked one is bounded too", async (t) => {
  const { ask } = await serve(t, postApi().rpcs);
  const headers = { ...(await bearer("7")), "content-type": "application/json", "transfer-encoding": "chunked" };
  const body = JSON.stringify({ text: "a".repeat(2 ** 20) });
  assertProblem(await ask("/v1/posts", { method: "POST", headers, body }), 413, "payload-too-large");
  assert.equal((await ask("/v1/users/anna/posts")).status, 200);
});

test("parameters beside a body are refused", async (t) => {
  const { post } = await serve(t, postApi().rpcs);
  const answer = await post("/v1/posts?text=b", '{"text":"a"}', await bearer("7"));
  assertProblem(answer, 400, "validation", ["?text"]);
});

const reasonOf = (text: string): string | undefined => {
  try {
    messageFromJson(CreatePostRequestSchema, text);
    return undefined;
  } catch (reason) {
    assert.ok(reason instanceof ConnectError, String(reason));
    return explain(reason).reason;
  }
};

test("any JSON value is either a request or refused with a reason, never a crash", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 50 }), (text) => {
      assert.notEqual(reasonOf(text), "malformed-json");
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => void reasonOf(text)));
});

test("any text survives, whatever escapes it is sent with", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const escaped = [...text].map((char) =>
        char.length === 1 ? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}` : char,
      );
      assert.equal(messageFromJson(CreatePostRequestSchema, `{"text":"${escaped.join("")}"}`).text, text);
    }),
  );
});

test("both spellings of one field are one key", () => {
  assert.throws(
    () => messageFromJson(RegisterRequestSchema, '{"displayName":"a","display_name":"b"}'),
    (reason) => reason instanceof ConnectError && explain(reason).reason === "duplicate-key",
  );
});

test(`${depthMax} levels are within the limit`, () => {
  assert.equal(reasonOf(`{"text":${"[".repeat(depthMax - 1)}${"]".repeat(depthMax - 1)}}`), "validation");
  assert.equal(reasonOf(`${"[".repeat(depthMax + 1)}`), "too-deep");
});
