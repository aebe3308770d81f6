import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Redis as Client } from "ioredis";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { newId } from "../id.ts";
import { answersTo } from "../pipeline.ts";
import type { Redis } from "../redis.ts";

let place: Scratch;
let redis: Redis;
before(async () => {
  place = scratch(process.env);
  redis = await place.openRedis();
});
after(() => place?.close());

test("answers stand in the order of the commands, an Error in the place of one that failed", async () => {
  const [key, other] = [redis.key("pipeline", newId()), redis.key("pipeline", newId())];
  const pipeline = redis
    .pipeline()
    .set(key, "ü")
    .lpush(key, "no list")
    .getBuffer(key)
    .set(other, Buffer.from([0, 255]));
  pipeline.getBuffer(other).del(key, other);
  assert.equal(pipeline.length, 6);
  const [set, failed, bytes, ...rest] = await answersTo(pipeline);
  assert.equal(set, "OK");
  assert.match(String(failed), /WRONGTYPE/);
  assert.deepEqual([bytes, ...rest], [Buffer.from("ü"), "OK", Buffer.from([0, 255]), 2]);
  assert.deepEqual(await redis.run(redis.pipeline()), []);
});

test("what is sent by one pipeline is one write, whatever others send meanwhile", async () => {
  const key = redis.key("pipeline", newId());
  const counts = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const [first, second] = await redis.run(redis.pipeline().incr(key).incr(key));
      return Number(second) - Number(first);
    }),
  );
  assert.deepEqual(new Set(counts), new Set([1]));
  await redis.run(redis.pipeline().del(key));
});

test("a pipeline has no accessor of its own, which would keep it and its answers until the next full collection", () => {
  const accessors = (of: object) => Object.values(Object.getOwnPropertyDescriptors(of)).filter(({ get }) => get);
  assert.deepEqual(accessors(redis.pipeline()), []);
  assert.equal(
    accessors(new Client({ lazyConnect: true }).pipeline()).length,
    1,
    "the client mended its own: use that",
  );
});
