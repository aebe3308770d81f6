import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type CallOptions, Code, ConnectError } from "@connectrpc/connect";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { callIn, onBehalfOfNobody, timeLeftMs } from "#lib/mesh/call.ts";
import { followSets, homeTimelines } from "#lib/readmodel/families.ts";
import { newId } from "#lib/storage/id.ts";
import { isRedisAway, type Redis } from "#lib/storage/redis.ts";
import { homeCandidates } from "../src/read-model/home.ts";
import { looking } from "../src/read-model/look.ts";
import type { Truth } from "../src/read-model/truth.ts";

let place: Scratch;
let redis: Redis;
before(async () => {
  place = scratch(process.env);
  redis = await place.openRedis();
});
after(() => place.close());

test("a read after a follow does not share a build that was begun before it", { timeout: 10_000 }, async () => {
  const [viewerId, followeeId, activityId] = [newId(), newId(), newId()];
  let following = false;
  let asked = () => {};
  let go = () => {};
  const firstAsks = new Promise<void>((done) => {
    asked = done;
  });
  const gate = new Promise<void>((done) => {
    go = done;
  });
  const truth = {
    async followSet() {
      const read = following ? { version: 2n, followeeIds: [followeeId] } : { version: 1n, followeeIds: [] };
      asked();
      await gate;
      return read;
    },
    activities: async (authorIds: readonly bigint[]) =>
      authorIds.map((id) => ({ ids: id === followeeId ? [activityId] : [], complete: true })),
  } as unknown as Truth;
  const { below: read } = homeCandidates({ redis, truth, look: looking(redis) });
  const options = onBehalfOfNobody("test", 5_000);

  const first = read(viewerId, undefined, 10, options);
  await firstAsks;
  following = true;
  await followSets.apply(redis, { ownerId: viewerId, memberId: followeeId, isMember: following, version: 2n });
  const second = read(viewerId, undefined, 10, options);
  go();
  assert.deepEqual((await first).entries, []);
  assert.deepEqual((await second).entries, [{ activityId, authorId: followeeId }]);
});

test("after a loss timelines are made a few at a time, and also for who has no more time to wait", async () => {
  let [atOnce, most, made] = [0, 0, 0];
  let go = () => {};
  const gate = new Promise<void>((done) => {
    go = done;
  });
  const truth = {
    async followSet(_viewerId: bigint, options: CallOptions) {
      most = Math.max(most, ++atOnce);
      await gate;
      timeLeftMs(callIn(options));
      atOnce--;
      made++;
      return { version: 1n, followeeIds: [] };
    },
    activities: async (authorIds: readonly bigint[]) => authorIds.map(() => ({ ids: [], complete: true })),
  } as unknown as Truth;
  const { below: read } = homeCandidates({ redis, truth, look: looking(redis) });
  const reading = Array.from({ length: 10 }, () => read(newId(), undefined, 10, onBehalfOfNobody("test", 100)));
  for (const outcome of await Promise.allSettled(reading)) {
    assert.equal(outcome.status === "rejected" && ConnectError.from(outcome.reason).code, Code.DeadlineExceeded);
  }
  go();
  await until("all are made", () => made === 10);
  assert.equal(most, 4);
});

test("a key of a wrong type is its own viewer's trouble, not that of who is read in the same turn", async () => {
  const [broken, fine] = [newId(), newId()];
  const truth = {
    followSet: async () => ({ version: 1n, followeeIds: [] }),
    activities: async (authorIds: readonly bigint[]) => authorIds.map(() => ({ ids: [], complete: true })),
  } as unknown as Truth;
  await redis.run(redis.pipeline().set(homeTimelines.keyOf(redis, broken), "no list"));
  const { below: read } = homeCandidates({ redis, truth, look: looking(redis) });
  const options = onBehalfOfNobody("test", 5_000);
  const [first, second] = await Promise.allSettled(
    [broken, fine].map((viewer) => read(viewer, undefined, 10, options)),
  );
  assert.ok(first?.status === "rejected" && isRedisAway(first.reason), "truth is asked for this one");
  assert.equal(second?.status, "fulfilled");
});
