import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { Kind, MediaSchema } from "#gen/skein/media/v1/media_pb.ts";
import { PostContentSchema } from "#gen/skein/post/v1/content_pb.ts";
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
import type { Db } from "#lib/storage/mysql.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { type PostReadModel, postReadModel } from "../src/read-model.ts";
import { importPosts } from "../src/store/import.ts";
import { mediaPosts } from "../src/store/media.ts";
import { type PostStore, postStore } from "../src/store.ts";

let place: Scratch;
let redis: Redis;
let store: PostStore;
let readModel: PostReadModel;
let db: Db;
let imports: (posts: Parameters<typeof importPosts>[1]) => ReturnType<typeof importPosts>;
before(async () => {
  place = scratch(process.env);
  db = await place.openDb("post", "services/post/schema");
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
  await readModel.catchUp(
    [{ postId: post.id, authorId, version: 1, activityId: post.id, deleted: false, ...forEverybody }],
    [],
  );
  const { card, late, listed } = await shownOf(post.id, authorId);
  assert.deepEqual([card?.deleted ?? true, late, listed], [true, false, false]);
});

test("the relay shows what its writer could not; in the lag only while it is new", async () => {
  const authorId = newId();
  await readModel.loadTimelines([authorId], 10);
  const { post } = await store.create({ authorId, text: "here", key: "k", ...forEverybody }, origin);
  await readModel.catchUp(
    [{ postId: post.id, authorId, version: 1, activityId: post.id, deleted: false, ...forEverybody }],
    [],
  );
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

test("posts with media are listed under their author until they are deleted, those of before too", async () => {
  const authorId = newId();
  const media = [create(MediaSchema, { id: String(newId()), kind: Kind.PHOTO, alt: "a", width: 9, height: 9 })];
  const contents = [
    create(PostContentSchema, { media }),
    create(PostContentSchema, { contentWarning: "\u0142\u0002\n\u0012 300000000000000000000", language: "de" }),
    create(PostContentSchema, { contentWarning: "careful", media: [...media, ...media], quotedPostId: newId() }),
    undefined,
  ];
  const made: bigint[] = [];
  for (const [nth, content] of contents.entries()) {
    const written = { authorId, text: "#tag", key: `m${nth}`, ...forEverybody, ...(content && { content }) };
    made.push((await store.create(written, origin)).post.id);
  }
  const listed = () => mediaPosts(db, authorId, 0n, 10);
  assert.deepEqual(await listed(), [made[2], made[0]]);
  assert.deepEqual(await mediaPosts(db, authorId, made[2] ?? 0n, 10), [made[0]]);
  const migration = readFileSync("services/post/schema/0301_timelines.sql", "utf8");
  const backfill = /^INSERT[^;]+/m.exec(migration)?.[0] ?? "";
  await db.exec("DELETE FROM post_media WHERE author_id = ?", [authorId]);
  await db.exec(backfill.replace("WHERE deleted", `WHERE author_id = ${authorId} AND deleted`));
  assert.deepEqual(await listed(), [made[2], made[0]], "found in what was written before there was a list");
  await store.delete(made[2] ?? 0n, authorId, origin);
  assert.deepEqual(await listed(), [made[0]]);
});
