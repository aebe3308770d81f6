import assert from "node:assert/strict";
import { test } from "node:test";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { until } from "#lib/harness/until.ts";
import { newTraceparent } from "#lib/mesh/call.ts";
import { reactedSets } from "#lib/readmodel/families.ts";
import { newId } from "#lib/storage/id.ts";
import type { Param } from "#lib/storage/mysql.ts";
import { likeStore } from "../src/store.ts";
import {
  allTold,
  assertRightOrGone,
  like,
  likedSet,
  newPosts,
  setInRedis,
  somebody,
  startSystem,
  system,
  unlike,
} from "./world.ts";

startSystem();

/** As many as a build takes. */
const builtMax = 2_000;
const newest = (ids: readonly string[]) =>
  ids
    .map(BigInt)
    .sort((a, b) => (a > b ? -1 : 1))
    .map(String);

test("the liked set in Redis is right or gone after every answer, and right once it was asked for", async () => {
  const [viewer, posts] = [somebody(), await newPosts(4)];
  const liked = new Set<string>();
  const act = async (nth: number, isLike: boolean, version: bigint) => {
    const post = posts[nth] as string;
    await (isLike ? like : unlike)(viewer, post);
    liked[isLike ? "add" : "delete"](post);
    await assertRightOrGone(viewer, [...liked], version);
  };
  assert.deepEqual(await likedSet(viewer), { version: 0n, lowWatermark: 0n, postIds: [] });
  assert.deepEqual((await setInRedis(viewer)).members, ["0"], "nothing liked is known too");
  await act(0, true, 1n);
  await act(0, true, 1n);
  await act(1, true, 2n);
  await allTold();
  assert.deepEqual(await likedSet(viewer), { version: 2n, lowWatermark: 0n, postIds: newest([...liked]) });
  await act(0, false, 3n);
  await act(2, true, 4n);
  await act(2, false, 5n);
  await act(2, false, 5n);
  await allTold();
  await likedSet(viewer);
  assert.ok((await setInRedis(viewer)).state, "it is there now");
  await assertRightOrGone(viewer, [...liked], 5n);
});

test("after Redis lost everything the set is gone, and right again from truth", async () => {
  const [viewer, posts] = [somebody(), await newPosts(3)];
  for (const post of posts) await like(viewer, post);
  await allTold();
  await likedSet(viewer);
  await system.flush();
  assert.deepEqual(await setInRedis(viewer), { members: [], state: undefined });
  await unlike(viewer, posts[1] as string);
  await assertRightOrGone(viewer, [posts[0], posts[2]] as string[], 4n);
  await allTold();
  const right = newest([posts[0], posts[2]] as string[]);
  assert.deepEqual(await likedSet(viewer), { version: 4n, lowWatermark: 0n, postIds: right });
  await assertRightOrGone(viewer, right, 4n);
});

test("likes and unlikes of one person at once, and builds between them, leave the set right or gone", async () => {
  const [viewer, posts] = [somebody(), await newPosts(6)];
  const turns = posts.map(async (post, nth) => {
    for (let turn = 0; turn < 9; turn++) {
      await (turn % 2 === 0 ? like : unlike)(viewer, post);
      if (turn % 3 === nth % 3) await likedSet(viewer);
    }
  });
  await Promise.all(turns);
  await assertRightOrGone(viewer, posts, 54n);
  assert.deepEqual(await likedSet(viewer), { version: 54n, lowWatermark: 0n, postIds: newest(posts) });
});

test("a like whose writer died before Redis heard of it drops the old set, and a build that read before it", async () => {
  const [known, building] = [newId(), newId()];
  await likedSet(String(known));
  const store = likeStore(system.db("like"));
  const keep = await reactedSets.rebuild(system.redis, building);
  const read = await store.reactedSet(building, SubjectKind.POST, builtMax);
  const subject = { kind: SubjectKind.POST, id: newId() };
  for (const id of [known, building])
    await store.react({
      userId: id,
      subject,
      reaction: Reaction.LIKE,
      origin: { actor: id, traceparent: newTraceparent() },
    });
  await until("the relay dropped the old set", async () => (await setInRedis(String(known))).state === undefined);
  await allTold();
  await keep(read, read.own);
  for (const id of [known, building]) {
    assert.equal((await setInRedis(String(id))).state, undefined, "missing: truth decides");
    assert.deepEqual((await likedSet(String(id))).postIds, [String(subject.id)]);
  }
});

test("a like sent again by whoever's first died before Redis heard of it drops the old set", async () => {
  const [viewer, posts] = [somebody(), await newPosts(2)];
  const [first, second] = posts as [string, string];
  await like(viewer, first);
  await allTold();
  const { version } = await likedSet(viewer);
  await like(viewer, second);
  await allTold();
  // The set as a writer left it that died: without its change.
  await (await reactedSets.rebuild(system.redis, BigInt(viewer)))({ version, lowWatermark: 0n }, [
    [BigInt(first), Reaction.LIKE],
  ]);
  await like(viewer, second);
  await assertRightOrGone(viewer, posts, 2n);
});

test("a set is built of the newest 2,000, says down to where, and changes below that keep it right", async () => {
  const viewer = somebody();
  const posts = await newPosts(2);
  const old = Array.from({ length: builtMax + 1 }, (_, nth) => BigInt(nth + 1));
  const rows: Param[][] = old.map((id) => [viewer, SubjectKind.POST, id, Reaction.LIKE, 1]);
  const db = system.db("like");
  await db.exec("INSERT INTO liker (user_id, like_version) VALUES (?, ?)", [viewer, old.length]);
  await db.exec("INSERT INTO reaction (user_id, subject_kind, subject_id, reaction, version) VALUES ?", [rows]);
  const set = await likedSet(viewer);
  assert.equal(set.version, BigInt(builtMax + 1));
  assert.equal(set.lowWatermark, 2n, "the two thousandth");
  assert.deepEqual(set.postIds, newest(old.slice(1).map(String)));
  const kept = await setInRedis(viewer);
  assert.deepEqual(kept.state, { version: set.version, lowWatermark: 2n });
  assert.equal(kept.members.length, builtMax + 1, "and the mark that it is here");

  await like(viewer, posts[0] as string);
  const { state, members } = await setInRedis(viewer);
  if (state !== undefined) {
    assert.deepEqual(state, { version: set.version + 1n, lowWatermark: 2n });
    assert.ok(members.includes(posts[0] as string));
  }
  await allTold();
  await db.exec("DELETE FROM reaction WHERE user_id = ? AND subject_id IN (?)", [viewer, [1n, 2n]]);
  assert.equal((await likedSet(viewer)).lowWatermark, 3n, "two thousand are left: it cannot know that these are all");
  await db.exec("DELETE FROM reaction WHERE user_id = ? AND subject_id = ?", [viewer, 3n]);
  assert.equal((await likedSet(viewer)).lowWatermark, 0n, "it is whole");
});
