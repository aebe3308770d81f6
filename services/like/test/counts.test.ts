import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { LikeCountsChangedSchema } from "#gen/skein/like/v1/events_pb.ts";
import { SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { createLog } from "#lib/mesh/log.ts";
import { likeCounts } from "#lib/readmodel/count.ts";
import { bigintOf } from "#lib/storage/mysql.ts";
import { likeStore } from "../src/store.ts";
import {
  allTold,
  countInRedis,
  like,
  likersInStore,
  likesOf,
  newPost,
  newPosts,
  rows,
  somebody,
  startSystem,
  system,
  unlike,
  upTo,
  versionsOf,
} from "./world.ts";

startSystem();

test("counts are exact after many likes and unlikes at once, in truth, in Redis and in the facts", {
  timeout: 120_000,
}, async () => {
  const posts = await newPosts(3);
  const people = Array.from({ length: 16 }, somebody);
  const last = new Map<string, boolean>();
  let seed = 7;
  const chance = (of: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * of);
  };
  const turns = people.map(async (person) => {
    for (let turn = 0; turn < 24; turn++) {
      const post = posts[chance(posts.length)] as string;
      const isLike = chance(5) < 3;
      await (isLike ? like : unlike)(person, post);
      last.set(`${person} ${post}`, isLike);
    }
  });
  await Promise.all(turns);
  await allTold();
  for (const post of posts) {
    const right = people.filter((person) => last.get(`${person} ${post}`) === true).length;
    assert.equal(await likersInStore(post), right);
    const stored = await countStored(post);
    assert.equal(stored.value, right);
    assert.deepEqual(await countInRedis(post), stored);
    assert.deepEqual(await likesOf([post]), [[right, false]]);
    assert.deepEqual(await versionsOf(`likes:1:${post}`), upTo(stored.version));
    assert.equal(await lastTold(post), right);
  }
});

test("the count follows each like once the relay is done, down to 0", async () => {
  const [post, a, b] = [await newPost(), somebody(), somebody()];
  for (const [act, person, right] of [
    [like, a, 1],
    [like, b, 2],
    [like, b, 2],
    [unlike, a, 1],
    [unlike, b, 0],
    [unlike, b, 0],
  ] as const) {
    await act(person, post);
    await allTold();
    assert.equal((await countInRedis(post))?.value ?? 0, right);
  }
});

test("after Redis lost everything, counts are read from truth and left there; of unknown posts it knows 0", async () => {
  const [liked, bare, unknown] = [await newPost(), await newPost(), somebody()];
  await like(somebody(), liked);
  await allTold();
  await system.flush();
  assert.deepEqual(await likesOf([liked, bare, unknown, "abc"]), [
    [1, false],
    [0, false],
    [0, false],
    [0, false],
  ]);
  assert.deepEqual(await countInRedis(liked), { version: 1, value: 1 });
  assert.deepEqual(await countInRedis(bare), { version: 0, value: 0 });
  for (const id of [unknown, "0"]) assert.equal(await countInRedis(id), undefined, "what is no post is not remembered");
  await like(somebody(), bare);
  await allTold();
  assert.deepEqual(await countInRedis(bare), { version: 1, value: 1 }, "a 0 that was remembered gives way");
});

test("a fill that read truth before a flush, or before a later count, leaves nothing", async () => {
  const post = await newPost();
  await like(somebody(), post);
  await allTold();
  const store = likeStore(system.db("like"));
  const log = createLog({ name: "test", level: "error" });
  const loadDuring = (meanwhile: () => Promise<unknown>) =>
    likeCounts.load({ redis: system.redis, log }, [BigInt(post)], async (ids) => {
      const read = await store.counts(SubjectKind.POST, ids);
      await meanwhile();
      return read;
    });
  const found = await loadDuring(() => system.flush());
  assert.deepEqual(found.get(BigInt(post)), { version: 1, value: 1 }, "the answer is right all the same");
  assert.equal(await countInRedis(post), undefined);
  await loadDuring(async () => {
    await like(somebody(), post);
    await allTold();
  });
  assert.deepEqual(await countInRedis(post), { version: 2, value: 2 });
});

async function countStored(post: string): Promise<{ version: number; value: number }> {
  const [row] = await rows("SELECT like_count, version FROM like_count WHERE subject_id = ?", post);
  return { version: Number(row?.version), value: Number(row?.like_count) };
}

/** How many the newest fact about a post's likes says. */
async function lastTold(post: string): Promise<number> {
  const facts = await rows(
    "SELECT payload, version FROM outbox WHERE aggregate = ? ORDER BY version",
    `likes:1:${post}`,
  );
  const told = fromBinary(LikeCountsChangedSchema, facts.at(-1)?.payload as Buffer);
  assert.equal(told.version, bigintOf(facts.at(-1)?.version));
  return Number(told.count);
}
