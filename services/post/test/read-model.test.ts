import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { refused } from "#lib/harness/refused.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { newTraceparent } from "#lib/mesh/call.ts";
import { problem } from "#lib/mesh/errors.ts";
import { cards, decodeCard, forEverybody } from "#lib/readmodel/card.ts";
import { authorTimelines } from "#lib/readmodel/families.ts";
import { lag, lagOf } from "#lib/readmodel/lag.ts";
import { sliceOf } from "#lib/readmodel/timeline.ts";
import { witness } from "#lib/readmodel/witness.ts";
import { newId } from "#lib/storage/id.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { type PostReadModel, postReadModel } from "../src/read-model.ts";
import { importPosts } from "../src/store/import.ts";
import { type PostStore, postStore } from "../src/store.ts";

let place: Scratch;
let redis: Redis;
let store: PostStore;
let readModel: PostReadModel;
let imports: (posts: Parameters<typeof importPosts>[1]) => ReturnType<typeof importPosts>;
before(async () => {
  place = scratch(process.env);
  const db = await place.openDb("post", "services/post/schema");
  redis = await place.openRedis();
  store = postStore(db);
  const readers = witness({ redis, poll: (await place.openBus()).poll("redis"), log: place.log });
  readModel = postReadModel({ redis, store, readers, log: place.log });
  imports = (posts) => importPosts(db, posts, origin);
});
after(() => place.close());

const origin = { actor: 0n, traceparent: newTraceparent() };

async function shownOf(postId: bigint, authorId: bigint) {
  const pipeline = redis.pipeline().getBuffer(cards.keyOf(redis, postId));
  lag.read(redis, pipeline);
  authorTimelines.readHead(redis, pipeline, authorId, 10);
  const [card, late, head] = await redis.run(pipeline);
  return {
    card: card === null ? undefined : decodeCard(card as Buffer),
    late: lagOf(late).some(({ activityId }) => activityId === postId),
    listed: sliceOf(head).entries.some(({ activityId }) => activityId === postId),
  };
}

test("a fact that is told again after Redis was lost does not show what was deleted since", async () => {
  const authorId = newId();
  const { post } = await store.create({ authorId, text: "gone", key: "k", ...forEverybody }, origin);
  await store.delete(post.id, authorId, origin);
  await readModel.loadTimelines([authorId], 10);
  await readModel.catchUp([
    { postId: post.id, authorId, version: 1, activityId: post.id, deleted: false, ...forEverybody },
  ]);
  const { card, late, listed } = await shownOf(post.id, authorId);
  assert.deepEqual([card?.deleted ?? true, late, listed], [true, false, false]);
});

test("the relay shows what its writer could not; in the lag only while it is new", async () => {
  const authorId = newId();
  await readModel.loadTimelines([authorId], 10);
  const { post } = await store.create({ authorId, text: "here", key: "k", ...forEverybody }, origin);
  await readModel.catchUp([
    { postId: post.id, authorId, version: 1, activityId: post.id, deleted: false, ...forEverybody },
  ]);
  const { card, late, listed } = await shownOf(post.id, authorId);
  assert.deepEqual([card?.deleted, late, listed], [false, true, true]);

  const [old] = await imports([{ authorId, text: "old", key: "o", timeMs: Date.now() - 86_400_000, ...forEverybody }]);
  assert.ok(old !== undefined);
  await readModel.apply([old]);
  assert.deepEqual(await shownOf(old.postId, authorId), {
    card: { version: 1, authorId, deleted: false, ...forEverybody },
    late: false,
    listed: true,
  });
});

test("an imported key is its author's own, and counts once", async () => {
  const [a, b] = [newId(), newId()];
  const post = (authorId: bigint, text: string) => ({
    authorId,
    text,
    key: "same",
    timeMs: Date.now(),
    ...forEverybody,
  });
  assert.equal((await imports([post(a, "a")])).length, 1);
  assert.equal((await imports([post(a, "a"), post(b, "b"), post(b, "b")])).length, 1);
  assert.equal((await imports([post(a, "a"), post(b, "b")])).length, 0);
});

test("a create whose run was given up is not done, and its key is the next run's", async () => {
  const wanted = { authorId: newId(), text: "given up", key: "k", ...forEverybody };
  let asked = 0;
  const leaving = store.create(wanted, origin, () => {
    if (++asked > 1) throw problem(Code.Canceled, "canceled", "nobody waits");
  });
  await refused(leaving, Code.Canceled, "canceled");
  assert.deepEqual(await store.activities([wanted.authorId], 0n, 10), [[]]);
  assert.equal((await store.create(wanted, origin)).replayed, false);
});
