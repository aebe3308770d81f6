import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { createLog } from "#lib/mesh/log.ts";
import { add } from "../command.ts";
import { newId } from "../id.ts";
import { openRedis, type Redis } from "../redis.ts";

let place: Scratch;
let redis: Redis;
before(async () => {
  place = scratch(process.env);
  redis = await place.openRedis();
});
after(() => place?.close());

/** What Redis keeps of some arguments, and answers: as text, and as bytes. */
async function kept(args: readonly (string | number | Buffer)[]): Promise<[texts: unknown, bytes: unknown]> {
  const key = redis.key("command", newId());
  const pipeline = redis.pipeline();
  add(pipeline, "rpush", [key, ...args], "text");
  add(pipeline, "lrange", [key, 0, -1], "text");
  add(pipeline, "lrange", [key, "0", "-1"], "bytes");
  add(pipeline, "del", [key], "text");
  const [count, texts, bytes] = await redis.run(pipeline);
  assert.equal(count, args.length);
  return [texts, bytes];
}

test("every text arrives byte for byte, and comes back as text and as bytes", async () => {
  const texts = [
    "",
    " ",
    "plain",
    "ünï 🧶 👩‍👩‍👧‍👦 \u0000 \u{10ffff}",
    "two\r\nlines\r\n$5\r\n*1\r\n",
    ...["a", "ü", "🧶"].flatMap((char) => [126, 127, 128, 129, 130].map((bytes) => filled(char, bytes))),
    "ü".repeat(100_000),
  ];
  assert.deepEqual(await kept(texts), [texts, texts.map((text) => Buffer.from(text))]);
});

/** A character as often as it takes for so many bytes. */
const filled = (char: string, bytes: number): string => char.repeat(Math.ceil(bytes / Buffer.byteLength(char)));

test("half a surrogate pair is kept as the replacement character, and what follows it is whole", async () => {
  assert.deepEqual((await kept(["a\ud800", "b"]))[0], ["a\ufffd", "b"]);
});

test("bytes arrive as they are, alone and beside texts and numbers", async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const [, came] = await kept([bytes, "ünï", Buffer.alloc(0), 42, -1.5, ""]);
  assert.deepEqual(came, [bytes, ...["ünï", "", "42", "-1.5", ""].map((text) => Buffer.from(text))]);
  const [, beside] = await kept([bytes, "plain", 42, Buffer.alloc(200, 0xe9)]);
  assert.deepEqual(beside, [bytes, Buffer.from("plain"), Buffer.from("42"), Buffer.alloc(200, 0xe9)]);
});

test("what Redis refuses fails in its place, the others are answered, and the log says once a second what it was", async (t) => {
  const said: string[] = [];
  const log = createLog({ name: "refused", level: "error", write: (line) => said.push(line) });
  const redis = openRedis({ url: place.redisUrl, deployment: place.deployment, scripts: [], log });
  t.after(redis.close);
  await until("it is there", redis.reached);
  const pipeline = redis.pipeline();
  add(pipeline, "echo", ["before"], "text");
  add(pipeline, "echo", ["too", "many"], "text");
  redis.values(pipeline, [redis.key("command", newId()), redis.key("command", newId())]);
  const [before, refused, values] = await redis.runEach(pipeline);
  assert.deepEqual([before, refused instanceof Error, values], ["before", true, [null, null]]);
  await assert.rejects(redis.run(add(redis.pipeline(), "echo", [], "text")));
  assert.deepEqual(
    said.map((line) => JSON.parse(line).msg),
    ["redis refuses a command"],
  );
});
