import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
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
  homeTimelines.push(redis, pipeline, [{ entry: entry(activityId), ownerIds: [owner] }]);
  await redis.run(pipeline);
}

async function read(owner: bigint, before?: number, count = 2000) {
  const pipeline = redis.pipeline();
  if (before === undefined) homeTimelines.readHead(redis, pipeline, owner, count);
  else homeTimelines.readBelow(redis, pipeline, owner, BigInt(before), count);
  const answers = await redis.run(pipeline);
  return sliceOf(answers[0]);
}

type Made = Omit<Seal, "timeMs">;
const sealed = async (owner: bigint, entries: number[], seal: Made = { lowWatermark: 0n, version: 1n }) => {
  const finish = await homeTimelines.build(redis, [owner]);
  await finish([{ ownerId: owner, entries: entries.map(entry), seal }]);
};

const madeOf = ({ lowWatermark, version }: Partial<Seal> = {}) => ({ lowWatermark, version });

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
        for (const id of pushed) homeTimelines.push(redis, pipeline, [{ entry: entry(id), ownerIds: [owner] }]);
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
  assert.deepEqual([ids(slice.entries), madeOf(slice.seal)], [[9, 8, 7, 3], { lowWatermark: 3n, version: 4n }]);
  await push(owner, 2);
  assert.deepEqual(ids((await read(owner)).entries), [9, 8, 7, 3], "below the low watermark the database goes on");
});

test("of builds under way the first to end seals; one whose key was flushed does not", async () => {
  const owner = newId();
  const early = await homeTimelines.build(redis, [owner]);
  const late = await homeTimelines.build(redis, [owner]);
  await early([{ ownerId: owner, entries: [entry(1)], seal: { lowWatermark: 0n, version: 1n } }]);
  assert.deepEqual(madeOf((await read(owner)).seal), { lowWatermark: 0n, version: 1n });
  await late([{ ownerId: owner, entries: [entry(2)], seal: { lowWatermark: 0n, version: 2n } }]);
  assert.deepEqual(madeOf((await read(owner)).seal), { lowWatermark: 0n, version: 1n });

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
    for (let id = from; id < from + 100; id++)
      homeTimelines.push(redis, pipeline, [{ entry: entry(id), ownerIds: [owner] }]);
    await redis.run(pipeline);
  }
  const { entries, seal } = await read(owner);
  assert.ok(entries.length >= entriesMax && entries.length <= entriesMax + 64, String(entries.length));
  assert.equal(Number(entries[0]?.activityId), count);
  assert.ok(seal !== undefined && seal.lowWatermark > 0n && seal.lowWatermark <= (entries.at(-1)?.activityId ?? 0n));
});

test("a seal says when its build was begun, also after it was trimmed", async () => {
  const owner = newId();
  const [earliest, finish, latest] = [Date.now(), await homeTimelines.build(redis, [owner]), Date.now()];
  await until("a later millisecond", () => Date.now() > latest);
  await finish([{ ownerId: owner, entries: [], seal: { lowWatermark: 0n, version: 1n } }]);
  const timeMs = (await read(owner)).seal?.timeMs ?? 0;
  assert.ok(timeMs >= earliest && timeMs <= latest, `${earliest} ≤ ${timeMs} ≤ ${latest}`);
  for (let id = 1; id <= entriesMax + 100; id++) await push(owner, id);
  const { seal } = await read(owner);
  assert.deepEqual([seal?.timeMs, (seal?.lowWatermark ?? 0n) > 0n], [timeMs, true]);
});

test("a timeline with the seal of a release before counts as missing, and is trimmed until it is made again", async () => {
  const owner = newId();
  await sealed(owner, [3, 2], { lowWatermark: 2n, version: 1n });
  const key = homeTimelines.keyOf(redis, owner);
  const old = Buffer.concat([Buffer.from("S"), Buffer.alloc(7), Buffer.from([2]), Buffer.alloc(8)]);
  await redis.run(redis.pipeline().rpop(key).rpush(key, old));
  assert.equal((await read(owner)).seal, undefined);
  for (let id = 1; id <= entriesMax + 200; id++) await push(owner, id);
  const [length] = (await redis.run(redis.pipeline().llen(key))) as [number];
  assert.ok(length <= entriesMax + 65, `${length} elements`);
  await sealed(owner, [9, 8]);
  assert.equal((await read(owner)).seal?.version, 1n);
});
