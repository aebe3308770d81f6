import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { newId } from "#lib/storage/id.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { homeTimelines } from "../families.ts";
import { entriesMax, type Seal, sliceOf, type TimelineEntry } from "../timeline.ts";

let place: Scratch;
let redis: Redis;
before(async () => {
  place = scratch(process.env);
  redis = await place.openRedis();
});
after(() => place.close());

const authorId = 5n;
const entry = (activityId: number): TimelineEntry => ({ activityId: BigInt(activityId), authorId });
const ids = (entries: readonly TimelineEntry[]) => entries.map(({ activityId }) => Number(activityId));

async function push(owner: bigint, activityId: number): Promise<void> {
  const pipeline = redis.pipeline();
  homeTimelines.push(redis, pipeline, entry(activityId), [owner]);
  await redis.run(pipeline);
}

async function read(owner: bigint, before?: number, count = 2000) {
  const pipeline = redis.pipeline();
  if (before === undefined) homeTimelines.readHead(redis, pipeline, owner, count);
  else homeTimelines.readBelow(redis, pipeline, owner, BigInt(before), count);
  const answers = await redis.run(pipeline);
  return sliceOf(answers[0]);
}

const sealed = async (owner: bigint, entries: number[], seal: Seal = { lowWatermark: 0n, version: 1n }) => {
  const finish = await homeTimelines.build(redis, [owner]);
  await finish([{ ownerId: owner, entries: entries.map(entry), seal }]);
};

test("a push to a timeline that is not there leaves it not there", async () => {
  const owner = newId();
  await push(owner, 1);
  assert.deepEqual(await read(owner), { entries: [], seal: undefined });
});

test("pushes in any order, some twice, stand once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 150 }),
      fc.uniqueArray(fc.integer({ min: 1, max: 300 })),
      async (pushed, built) => {
        const owner = newId();
        await sealed(
          owner,
          built.sort((a, b) => b - a),
        );
        const pipeline = redis.pipeline();
        for (const id of pushed) homeTimelines.push(redis, pipeline, entry(id), [owner]);
        await redis.run(pipeline);
        const expected = [...new Set([...built, ...pushed])].sort((a, b) => b - a);
        assert.deepEqual(ids((await read(owner)).entries), expected);
        for (const before of [1, 50, 151, 301]) {
          assert.deepEqual(
            ids((await read(owner, before, 7)).entries),
            expected.filter((id) => id < before).slice(0, 7),
          );
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("what is pushed while a timeline is built is in it", async () => {
  const owner = newId();
  const finish = await homeTimelines.build(redis, [owner]);
  await push(owner, 7);
  await push(owner, 9);
  assert.equal((await read(owner)).seal, undefined);
  await finish([{ ownerId: owner, entries: [entry(8), entry(7), entry(3)], seal: { lowWatermark: 3n, version: 4n } }]);
  const slice = await read(owner);
  assert.deepEqual([ids(slice.entries), slice.seal], [[9, 8, 7, 3], { lowWatermark: 3n, version: 4n }]);
  await push(owner, 2);
  assert.deepEqual(ids((await read(owner)).entries), [9, 8, 7, 3], "below the low watermark the database goes on");
});

test("a build that was overtaken, or whose key was flushed, does not seal", async () => {
  const owner = newId();
  const early = await homeTimelines.build(redis, [owner]);
  const late = await homeTimelines.build(redis, [owner]);
  await early([{ ownerId: owner, entries: [entry(1)], seal: { lowWatermark: 0n, version: 1n } }]);
  assert.equal((await read(owner)).seal, undefined);
  await late([{ ownerId: owner, entries: [entry(2)], seal: { lowWatermark: 0n, version: 2n } }]);
  assert.deepEqual((await read(owner)).seal, { lowWatermark: 0n, version: 2n });

  const flushed = await homeTimelines.build(redis, [owner]);
  await redis.run(redis.pipeline().del(homeTimelines.keyOf(redis, owner)));
  await flushed([{ ownerId: owner, entries: [entry(3)], seal: { lowWatermark: 0n, version: 3n } }]);
  assert.deepEqual(await read(owner), { entries: [], seal: undefined });
});

test("a timeline keeps its newest entries and says down to where it is complete", async () => {
  const owner = newId();
  await sealed(owner, []);
  const count = entriesMax + 200;
  for (let from = 1; from <= count; from += 100) {
    const pipeline = redis.pipeline();
    for (let id = from; id < from + 100; id++) homeTimelines.push(redis, pipeline, entry(id), [owner]);
    await redis.run(pipeline);
  }
  const { entries, seal } = await read(owner);
  assert.ok(entries.length >= entriesMax && entries.length <= entriesMax + 64, String(entries.length));
  assert.equal(Number(entries[0]?.activityId), count);
  assert.ok(seal !== undefined && seal.lowWatermark > 0n && seal.lowWatermark <= (entries.at(-1)?.activityId ?? 0n));
});
