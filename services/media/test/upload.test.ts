import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { Kind, State } from "#gen/skein/media/v1/media_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import { until } from "#lib/harness/until.ts";
import { bomb, goodFiles, mp4, picture } from "#lib/media/test/files.ts";
import { malformed } from "#lib/media/test/malformed.ts";
import {
  announce,
  as,
  cut,
  dir,
  fetchForm,
  http,
  newKey,
  offsetOf,
  patch,
  ready,
  reasonOf,
  rows,
  somebody,
  spooled,
  system,
  uploaded,
  world,
} from "./world.ts";

world();

const jpeg = () => picture(640, 480).jpeg().toBuffer();

test("an upload is announced, sent and ready: the answer to its last byte says so, and its forms are fetched", async () => {
  const owner = somebody();
  const body = await jpeg();
  const { media, state, upload } = await announce({ owner, sizeBytes: body.length, alt: "a wall, in sunlight" });
  assert.equal(state, State.UPLOADING);
  const sent = await patch(upload?.path ?? "", body);
  assert.deepEqual([sent.status, sent.headers["upload-offset"]], [204, String(body.length)]);
  const made = await ready(media?.id ?? "", owner);
  assert.deepEqual([made.alt, made.width, made.height], ["a wall, in sunlight", 640, 480]);
  assert.deepEqual(
    made.variants.map(({ name }) => name),
    ["320.jpg", "full.jpg"],
  );
  const { status, headers, body: bytes } = await fetchForm(made, "full.jpg");
  assert.deepEqual(
    [status, headers["content-type"], headers["x-content-type-options"]],
    [200, "image/jpeg", "nosniff"],
  );
  assert.match(headers["cache-control"] ?? "", /immutable/);
  assert.equal(bytes.length, Number(headers["content-length"]));
  assert.deepEqual(await rows("SELECT * FROM media_part WHERE media_id = ?", made.id), []);
  assert.ok(!existsSync(path.join(dir, "objects", "parts", made.id)), "parts are gone");
});

test("an upload cut at any byte goes on where it was cut", async () => {
  const owner = somebody();
  const body = await jpeg();
  const { media, upload } = await announce({ owner, sizeBytes: body.length });
  const at = upload?.path ?? "";
  let offset = 0;
  for (const sent of [1, 2, 63, 1_000, 4_097]) {
    await cut(at, body.subarray(offset), offset, sent);
    const due = offset + sent;
    await until("what came is kept", async () => (await offsetOf(at)) === due);
    offset = due;
  }
  assert.equal((await patch(at, body.subarray(offset), offset)).status, 204);
  assert.equal((await ready(media?.id ?? "", owner)).width, 640);
  assert.deepEqual(spooled(), []);
});

test("parts that come out of order, twice, or at once, are kept once", async () => {
  const owner = somebody();
  const body = await jpeg();
  const { media, upload } = await announce({ owner, sizeBytes: body.length });
  const at = upload?.path ?? "";
  const half = Math.floor(body.length / 2);
  const early = await patch(at, body.subarray(half), half);
  assert.deepEqual([early.status, reasonOf(early), early.headers["upload-offset"]], [409, "offset-conflict", "0"]);
  const both = await Promise.all([1, 2, 3, 4].map(() => patch(at, body.subarray(0, half), 0)));
  assert.deepEqual(both.map(({ status }) => status).sort(), [204, 409, 409, 409]);
  assert.equal((await patch(at, body.subarray(half), half)).status, 204);
  await ready(media?.id ?? "", owner);
  assert.equal((await patch(at, Buffer.alloc(0), body.length)).status, 204, "the end, said again");
  assert.equal((await patch(at, Buffer.alloc(1), body.length)).status, 413);
});

test("M-01: more bytes than were announced are refused, whatever the length says, and nothing of them stays", async () => {
  const large = announce({ sizeBytes: 10 * 1024 * 1024 + 1 });
  await refused(large, Code.ResourceExhausted, "payload-too-large", "size_bytes");
  const { upload } = await announce({ sizeBytes: 1_000 });
  const at = upload?.path ?? "";
  const tooMany = await patch(at, Buffer.alloc(1_001));
  assert.deepEqual([tooMany.status, reasonOf(tooMany)], [413, "payload-too-large"]);
  const unsaid = await patch(at, Buffer.alloc(200_000), 0, {
    "content-length": undefined,
    "transfer-encoding": "chunked",
  });
  assert.deepEqual([unsaid.status, reasonOf(unsaid)], [413, "payload-too-large"]);
  assert.equal(await offsetOf(at), 0);
  await cut(at, Buffer.alloc(900), 0, 500);
  await until("less than was said is kept", async () => (await offsetOf(at)) === 500);
  await until("nothing is left on its way", () => spooled().length === 0);
});

test("M-02, M-05: what is no picture, or is larger than it looks, is 422 with its reason, and nothing of it stays", async () => {
  const bodies = [
    [bomb(30_000, 30_000), "image-too-large"],
    [(await jpeg()).subarray(0, 900), "not-an-image"],
    [Buffer.from("hello"), "not-an-image"],
    [mp4(), "not-an-image"],
  ] as const;
  for (const [body, reason] of bodies) {
    const owner = somebody();
    const { media, upload } = await announce({ owner, sizeBytes: body.length });
    const answer = await patch(upload?.path ?? "", body);
    assert.equal(answer.status, 422, `${reason}: ${answer.body.toString()}`);
    assert.equal(reasonOf(answer), reason);
    assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/);
    const found = await system.clients.media.getMedia({ mediaId: media?.id ?? "" }, as(owner));
    assert.deepEqual([found.state, found.failure], [State.FAILED, reason]);
    assert.ok(!existsSync(path.join(dir, "objects", "parts", media?.id ?? "")));
    const [quota] = await rows("SELECT stored_bytes FROM media_quota WHERE owner_id = ?", owner);
    assert.equal(Number(quota?.stored_bytes), 0);
  }
  const owner = somebody();
  await refused(announce({ owner, sizeBytes: 0 }), Code.InvalidArgument, "validation", "size_bytes");
});

test("M-06: nobody is asked for a name, and what leads out of the store is no address", async () => {
  const made = await uploaded(Buffer.from("%PDF-1.7"), { kind: Kind.FILE });
  const { headers } = await fetchForm(made, "file.bin");
  assert.deepEqual(
    [headers["content-type"], headers["content-disposition"]],
    ["application/octet-stream", "attachment"],
  );
  for (const name of ["../../keys.json", "..%2f..%2fkeys.json", "file.bin/..", "CON.png", "a\\0.png", "full.jpg"]) {
    const { status } = await http({ method: "GET", path: `/media/${made.handle}/${name}` });
    assert.equal(status, 404, name);
  }
  assert.equal((await http({ method: "GET", path: "/media/uploads/1.AAAAAAAAAAAAAAAAAAAAAA" })).status, 405);
  assert.equal((await http({ method: "HEAD", path: "/media/uploads/1.AAAAAAAAAAAAAAAAAAAAAA" })).status, 404);
});

test("M-11: while the store does not take bytes an upload is 503 and says when to come back; then it goes on", async () => {
  const owner = somebody();
  const body = await jpeg();
  const { media, upload } = await announce({ owner, sizeBytes: body.length });
  const at = upload?.path ?? "";
  const [objects, aside] = [path.join(dir, "objects"), path.join(dir, "aside")];
  await rename(objects, aside);
  writeFileSync(objects, "in the way");
  const answer = await patch(at, body);
  assert.deepEqual([answer.status, reasonOf(answer), answer.headers["retry-after"]], [503, "unavailable", "1"]);
  assert.deepEqual([await offsetOf(at), spooled()], [0, []]);
  assert.deepEqual(await rows("SELECT * FROM media_part WHERE media_id = ?", media?.id ?? ""), []);
  await rm(objects);
  await rename(aside, objects);
  assert.equal((await patch(at, body)).status, 204);
  await ready(media?.id ?? "", owner);
});

test("bytes are fetched in part, and once", async () => {
  const made = await uploaded(Buffer.from("0123456789"), { kind: Kind.FILE });
  const part = async (range: string, more = {}) => {
    const { status, headers, body } = await fetchForm(made, "file.bin", { range, ...more });
    return [status, body.toString(), headers["content-range"]];
  };
  assert.deepEqual(await part("bytes=2-4"), [206, "234", "bytes 2-4/10"]);
  assert.deepEqual(await part("bytes=7-"), [206, "789", "bytes 7-9/10"]);
  assert.deepEqual(await part("bytes=-2"), [206, "89", "bytes 8-9/10"]);
  assert.deepEqual(await part("bytes=0-99"), [206, "0123456789", "bytes 0-9/10"]);
  assert.deepEqual((await part("bytes=10-"))[0], 416);
  assert.deepEqual(await part("bytes=1-2,4-5"), [200, "0123456789", undefined]);
  assert.deepEqual(await part("bytes=2-4", { "if-range": '"other"' }), [200, "0123456789", undefined]);
  const { headers } = await fetchForm(made, "file.bin", {}, "HEAD");
  assert.equal(headers["content-length"], "10");
  const known = await fetchForm(made, "file.bin", { "if-none-match": headers.etag });
  assert.deepEqual([known.status, known.body.length], [304, 0]);
});

test("the same key announces the same upload; another under it is refused, and so is what no contract knows", async () => {
  const owner = somebody();
  const key = newKey();
  const first = await announce({ owner, key });
  const again = await announce({ owner, key });
  assert.deepEqual([again.replayed, again.media?.id, again.upload?.path], [true, first.media?.id, first.upload?.path]);
  await refused(announce({ owner, key, alt: "x" }), Code.FailedPrecondition, "idempotency-key-reused");
  await refused(announce({ kind: 99 as Kind }), Code.InvalidArgument, "validation", "kind");
  await refused(announce({ alt: "e\u0301".repeat(1_001) }), Code.InvalidArgument, "validation", "alt");
  assert.equal((await announce({ alt: "👍🏽".repeat(500) })).media?.alt, "👍🏽".repeat(500));
});

test("malformed files by the dozen: each is answered, by the same process", { timeout: 60_000 }, async () => {
  const next = malformed(
    7,
    (await goodFiles()).map(({ bytes }) => bytes),
  );
  const owner = somebody();
  const statuses = new Set<number>();
  for (let nth = 0; nth < 40; nth++) {
    const body = next();
    if (body.length === 0) continue;
    const { upload } = await announce({ owner, sizeBytes: body.length });
    statuses.add((await patch(upload?.path ?? "", body)).status);
  }
  assert.deepEqual([...statuses].sort(), [204, 422]);
  assert.deepEqual(spooled(), []);
});
