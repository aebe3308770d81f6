import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Redis as Client } from "ioredis";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { accountMarks, encodeAccountMark } from "#lib/readmodel/account.ts";
import type { ViewerId } from "#lib/readmodel/audience.ts";
import { authorVersions, encodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import { cards, encodeCard, forEverybody } from "#lib/readmodel/card.ts";
import { commentCounts, encodeCount, likeCounts } from "#lib/readmodel/count.ts";
import { followSets, ownSets, reactedSets, tieSets } from "#lib/readmodel/families.ts";
import { idAt, newId } from "#lib/storage/id.ts";
import { earOf, type Redis } from "#lib/storage/redis.ts";
import { looking } from "../src/read-model/look.ts";

let place: Scratch;
/** What the services write by, and what is looked by: `trips` counts its pipelines. */
let writes: Redis;
let redis: Redis;
let trips = 0;
let admin: Client;
before(async () => {
  place = scratch(process.env);
  [writes, redis] = [await place.openRedis(), await place.openRedis()];
  const { runEach } = redis;
  redis.runEach = (pipeline) => {
    trips++;
    return runEach(pipeline);
  };
  admin = new Client(place.redisUrl);
});
after(async () => {
  admin?.disconnect();
  await place?.close();
});

const [authorId, viewerId] = [newId(), newId()];

async function put(...add: ((pipeline: ReturnType<Redis["pipeline"]>) => void)[]): Promise<void> {
  const pipeline = writes.pipeline();
  for (const one of add) one(pipeline);
  await writes.run(pipeline);
}
const card =
  (id: bigint, version: number, deleted = false) =>
  (pipeline: ReturnType<Redis["pipeline"]>) =>
    cards.put(writes, pipeline, { id, value: encodeCard({ ...forEverybody, version, authorId, deleted }) });
const likes = (id: bigint, version: number) => (pipeline: ReturnType<Redis["pipeline"]>) =>
  likeCounts.put(writes, pipeline, { id, value: encodeCount({ version, value: version }) });
const comments = (id: bigint) => (pipeline: ReturnType<Redis["pipeline"]>) =>
  commentCounts.put(writes, pipeline, { id, value: encodeCount({ version: 1, value: 0 }) });

/** A post with all that belongs to it. */
const post = (id: bigint) => put(card(id, 1), likes(id, 1), comments(id));

const author = () =>
  put(
    (pipeline) => authorVersions.put(writes, pipeline, { id: authorId, value: encodeAuthorVersion(1) }),
    (pipeline) =>
      accountMarks.put(writes, pipeline, {
        id: authorId,
        value: encodeAccountMark({ version: 1, state: 1, isPrivate: false }),
      }),
  );

/** The viewer's sets, as their owners make them at first. */
async function sets(): Promise<void> {
  for (const family of [followSets, tieSets])
    await (await family.rebuild(writes, viewerId))({ version: 1n, lowWatermark: 0n }, []);
  for (const family of [reactedSets, ownSets])
    await (await family.rebuild(writes, viewerId))({ version: 1n, lowWatermark: 0n }, []);
}

/** A look that is near already. */
async function nearLook(postIds: readonly bigint[]) {
  const { look } = looking(redis);
  const seen = async (ids = postIds, by: ViewerId = viewerId) =>
    look({ postIds: ids, authorIds: [authorId], viewerId: by, depth: "whole", sinceMs: performance.now() });
  await isNear(seen);
  return seen;
}

/** Until a look needs no trip: one may need another, where what it read is told of late. */
const isNear = (seen: () => Promise<unknown>): Promise<void> =>
  until("everything is near", async () => {
    await seen();
    const before = trips;
    await seen();
    return trips === before;
  });

test("what is near is what Redis has: every write that was made before a look began is seen by it", async () => {
  const postIds = [newId(), newId(), newId()];
  await Promise.all([author(), sets(), ...postIds.map(post)]);
  const seen = await nearLook(postIds);
  let isWriting = true;
  // Others look all the time, and bring what changed while it changes again.
  const others = Array.from({ length: 4 }, async () => {
    while (isWriting) await seen();
  });
  for (let version = 2; version < 400; version++) {
    const nth = version % postIds.length;
    const id = postIds[nth] as bigint;
    await put(card(id, version), likes(id, version));
    const { posts } = await seen();
    assert.deepEqual([posts[nth]?.card?.version, posts[nth]?.likes?.value], [version, version]);
  }
  isWriting = false;
  await Promise.all(others);
});

test("what a viewer does is seen by their next look, and what was made since they last did something needs none", async () => {
  const old = idAt(Date.now() - 60_000);
  await Promise.all([author(), sets(), post(old)]);
  const seen = await nearLook([old]);
  await reactedSets.apply(writes, { ownerId: viewerId, memberId: old, mark: 2, version: 2n });
  await followSets.apply(writes, { ownerId: viewerId, memberId: authorId, isMember: true, version: 2n });
  const { viewer } = await seen();
  assert.deepEqual([viewer.reacted?.marks.get(old), viewer.follows?.ids.has(authorId)], [2, true]);

  // As if an hour had passed since.
  const young = idAt(Date.now() + 3_600_000);
  await post(young);
  await isNear(() => seen());
  await isNear(() => seen([young], undefined));
  const before = trips;
  assert.equal((await seen([young, old])).viewer.reacted?.marks.get(young), undefined);
  assert.equal(trips, before, "nobody was asked");
  await reactedSets.apply(writes, { ownerId: viewerId, memberId: young, mark: 3, version: 3n });
  assert.deepEqual(
    [...((await seen([young, old])).viewer.reacted?.marks ?? [])].sort(),
    [
      [old, 2],
      [young, 3],
    ].sort(),
  );
});

test("what Redis does not have is known to be missing until it is there", async () => {
  const id = newId();
  await Promise.all([author(), sets(), put(card(id, 1), likes(id, 1))]);
  const seen = await nearLook([id]);
  assert.equal((await seen()).posts[0]?.comments, undefined);
  await put(comments(id));
  assert.equal((await seen()).posts[0]?.comments?.value, 0);
});

test("whose ear is lost believes nothing that was near, and begins anew", async () => {
  const id = newId();
  await Promise.all([author(), sets(), post(id)]);
  const seen = await nearLook([id]);
  for (let version = 2; version < 12; version++) {
    const listed = String(await admin.client("LIST")).split("\n");
    for (const line of listed.filter((one) => one.includes(` name=${earOf(place.deployment)} `)))
      await admin.client("KILL", "ID", /^id=(\d+)/.exec(line)?.[1] ?? "");
    await put(card(id, version, version === 11));
    const shown = await seen();
    assert.deepEqual([shown.posts[0]?.card?.version, shown.posts[0]?.card?.deleted], [version, version === 11]);
  }
  await nearLook([id]);
});

test("who is not told whether all is told believes nothing that is near", async () => {
  const id = newId();
  await Promise.all([author(), sets(), post(id)]);
  const deaf: Redis = Object.assign(Object.create(redis), {
    track: ({ lost }: Parameters<Redis["track"]>[0]) => ({
      ...redis.track({ changed() {}, lost }),
      settled: () => Promise.reject(new Error("no answer")),
    }),
  });
  const { look } = looking(deaf);
  for (let version = 2; version < 40; version++) {
    await put(card(id, version));
    const asked = {
      postIds: [id],
      authorIds: [authorId],
      viewerId,
      depth: "whole",
      sinceMs: performance.now(),
    } as const;
    assert.equal((await look(asked)).posts[0]?.card?.version, version);
  }
});

test("what makes way for others in the look that found it is still told of", async () => {
  const postIds = Array.from({ length: 12 }, newId);
  await Promise.all([author(), sets(), ...postIds.map(post)]);
  const { look } = looking(redis, { posts: 5, authors: 1, viewerIds: 6 });
  for (let version = 2; version < 400; version++) {
    // The one that was looked at last, and is near, comes first: the others put it out.
    const [first, next] = [0, 1].map((by) => postIds[(version + by) % postIds.length]) as [bigint, bigint];
    const ids = [first, ...postIds.filter((id) => id !== first && id !== next), next];
    await put(card(first, version));
    const asked = { postIds: ids, authorIds: [authorId], viewerId, depth: "whole" } as const;
    const { posts } = await look({ ...asked, sinceMs: performance.now() });
    assert.equal(posts[0]?.card?.version, version);
  }
});
