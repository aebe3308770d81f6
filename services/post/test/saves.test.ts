import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { eachPage } from "#lib/harness/pages.ts";
import { peopleOf } from "#lib/harness/people.ts";
import { refused } from "#lib/harness/refused.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { everyFactTold } from "#lib/harness/told.ts";
import { newTraceparent } from "#lib/mesh/call.ts";
import { cards, decodeCard } from "#lib/readmodel/card.ts";
import { ownMark, ownSets } from "#lib/readmodel/families.ts";
import { saveStore } from "../src/store/save.ts";

let place: Scratch;
let system: Booted<"graph" | "post">;
let somebody: () => string;
before(async () => {
  place = scratch(process.env);
  system = await boot(place, ["graph", "post"]);
  somebody = await peopleOf(system);
});
after(async () => {
  await system?.stop();
  await place?.close();
});

const collectionsMax = 100;
let keys = 0;
const key = () => `key-${++keys}`;
const as = (viewer?: string) => system.as(viewer);

async function newPost(author = somebody()): Promise<string> {
  const { post } = await system.clients.post.createPost({ text: "hello", idempotencyKey: key() }, as(author));
  return post?.id ?? "";
}
const save = (viewer: string, postId: string, collectionId = "") =>
  system.clients.post.savePost({ postId, collectionId }, as(viewer));
const unsave = (viewer: string, postId: string) => system.clients.post.unsavePost({ postId }, as(viewer));
const own = async (viewer: string, ...postIds: string[]) =>
  (await system.clients.post.batchGetSaves({ postIds }, as(viewer))).saved;
async function listed(viewer: string, collectionId = "", size = 2): Promise<string[]> {
  const list = (page: object) => system.clients.post.listSaves({ collectionId, ...page }, as(viewer));
  return (await eachPage(list, size)).flatMap(({ postIds }) => postIds);
}
async function newCollection(viewer: string, name = "Recipes"): Promise<string> {
  const { collection } = await system.clients.post.createCollection({ name, idempotencyKey: key() }, as(viewer));
  return collection?.collectionId ?? "";
}
const collectionsOf = async (viewer: string) =>
  (await system.clients.post.listCollections({}, as(viewer))).collections.map(
    ({ name, postCount }) => `${name} ${postCount}`,
  );
/** What Redis says of a post, as a mark; undefined where it has no set. */
async function kept(viewer: string, postId: string): Promise<number | undefined> {
  const keys = ownSets.readKeys(system.redis, BigInt(viewer));
  const pipeline = system.redis.pipeline().get(keys[1] as string);
  const [state, mark] = await system.redis.run(pipeline.hget(keys[0] as string, postId));
  return state === null ? undefined : Number(mark ?? 0);
}

test("a post is kept once, by state, for nobody else to see; the list is latest saved first", async () => {
  const [viewer, other] = [somebody(), somebody()];
  const posts = [await newPost(), await newPost(), await newPost()];
  for (const post of posts) await save(viewer, post);
  await save(viewer, posts[0] as string);
  assert.deepEqual(await listed(viewer), posts.toReversed(), "again changes no place");
  assert.deepEqual(await own(viewer, posts[1] as string, "x", "0"), [true, false, false]);
  assert.deepEqual(await own(other, ...posts), [false, false, false]);
  assert.deepEqual(await listed(other), []);
  await unsave(viewer, posts[1] as string);
  await unsave(viewer, posts[1] as string);
  assert.deepEqual(await listed(viewer), [posts[2], posts[0]]);
  const facts = await system
    .db("post")
    .query("SELECT version FROM outbox WHERE aggregate = ? ORDER BY version", [`save:${viewer}:${posts[1]}`]);
  assert.deepEqual(
    facts.map(({ version }) => Number(version)),
    [1, 2],
  );
});

test("the set in Redis is right or gone after every answer, also where a writer died, and is built from truth", async () => {
  const viewer = somebody();
  const [first, second] = [await newPost(), await newPost()];
  const set = async () => (await system.clients.post.getSavedSet({ userId: viewer }, as())).postIds.map(String).sort();
  assert.deepEqual(await set(), []);
  await save(viewer, first);
  assert.equal((await kept(viewer, first)) ?? ownMark.saved, ownMark.saved);
  await everyFactTold(system.db("post"));
  assert.deepEqual(await set(), [first]);
  await unsave(viewer, first);
  assert.equal((await kept(viewer, first)) ?? 0, 0);
  await everyFactTold(system.db("post"));
  await set();
  const wish = { userId: BigInt(viewer), postId: BigInt(second), saved: true, collectionId: 0n };
  await saveStore(system.db("post")).set(wish, { actor: BigInt(viewer), traceparent: newTraceparent() });
  await save(viewer, second);
  assert.equal(await kept(viewer, second), undefined, "the set that lacks it is gone");
  await system.flush();
  assert.deepEqual(await set(), [second]);
});

test("a kept post is in one collection or in none: another takes the place of the one before", async () => {
  const viewer = somebody();
  const [one, two] = [await newPost(), await newPost()];
  const [recipes, trips] = [await newCollection(viewer), await newCollection(viewer, "Trips")];
  await save(viewer, one, recipes);
  await save(viewer, two, recipes);
  assert.deepEqual(await listed(viewer, recipes, 1), [two, one]);
  await save(viewer, one, trips);
  assert.deepEqual([await listed(viewer, recipes), await listed(viewer, trips)], [[two], [one]]);
  assert.deepEqual(await collectionsOf(viewer), ["Recipes 1", "Trips 1"]);
  await unsave(viewer, two);
  assert.deepEqual(await listed(viewer, recipes), []);
  await system.clients.post.deleteCollection({ collectionId: trips }, as(viewer));
  await system.clients.post.deleteCollection({ collectionId: trips }, as(viewer));
  assert.deepEqual(await listed(viewer), [one], "what was in it stays kept");
  await refused(listed(viewer, trips), Code.NotFound, "not-found");
  assert.deepEqual(await collectionsOf(viewer), ["Recipes 0"]);
});

test("collections are their owner's alone, named within 50 characters, made once for their key, 100 at most", async () => {
  const [viewer, other, post] = [somebody(), somebody(), await newPost()];
  const { post: service } = system.clients;
  const collectionId = await newCollection(viewer);
  for (const theirs of [collectionId, "x", "0", somebody()]) {
    await refused(save(other, post, theirs), Code.NotFound, "not-found");
    await refused(listed(other, theirs), Code.NotFound, "not-found");
    const rename = service.renameCollection({ collectionId: theirs, name: "mine" }, as(other));
    await refused(rename, Code.NotFound, "not-found");
  }
  const renamed = await service.renameCollection({ collectionId, name: " 👨‍👩‍👧 e\u0301 " }, as(viewer));
  assert.equal(renamed.collection?.name, "👨‍👩‍👧 \u00e9");
  for (const name of ["", " ", "a\nb", "x".repeat(51), "\u200b"]) {
    const call = service.createCollection({ name, idempotencyKey: key() }, as(viewer));
    await refused(call, Code.InvalidArgument, "validation", "name");
  }
  await service.createCollection({ name: "👍🏽".repeat(50), idempotencyKey: key() }, as(viewer));
  const sent = { name: "once", idempotencyKey: key() };
  const answers = await Promise.all(Array.from({ length: 4 }, () => service.createCollection(sent, as(viewer))));
  assert.equal(new Set(answers.map(({ collection }) => collection?.collectionId)).size, 1);
  await refused(
    service.createCollection({ ...sent, name: "other" }, as(viewer)),
    Code.FailedPrecondition,
    "idempotency-key-reused",
  );
  for (let nth = 3; nth < collectionsMax; nth++) await newCollection(viewer);
  await refused(newCollection(viewer), Code.FailedPrecondition, "collection-limit");
});

test("what one may no longer see is in no list, and may be let go; of what one never saw there is nothing to keep", async () => {
  const [author, viewer] = [somebody(), somebody()];
  const [stays, goes, hidden] = [await newPost(), await newPost(author), await newPost(author)];
  for (const post of [stays, goes, hidden]) await save(viewer, post);
  await system.clients.post.deletePost({ postId: goes }, as(author));
  assert.deepEqual(await listed(viewer, "", 1), [hidden, stays]);
  await system.clients.graph.blockUser({ userId: viewer }, as(author));
  assert.deepEqual(await listed(viewer, "", 1), [stays]);
  await refused(save(viewer, hidden), Code.NotFound, "not-found");
  await unsave(viewer, goes);
  await unsave(viewer, hidden);
  for (const id of [hidden, goes]) {
    await refused(save(somebody(), goes), Code.NotFound, "not-found");
    assert.deepEqual(await own(viewer, id), [false]);
  }
  const stranger = somebody();
  for (const id of [goes, "x", "", "0", somebody()]) await refused(unsave(stranger, id), Code.NotFound, "not-found");
});

test("posts that name somebody are listed for them, newest first, where they may see them", async () => {
  const [author, viewer] = [somebody(), somebody()];
  const naming = async () => {
    const sent = { text: "you", mentionedUserIds: [viewer], idempotencyKey: key() };
    return (await system.clients.post.createPost(sent, as(author))).post?.id ?? "";
  };
  const posts = [await naming(), await naming(), await naming()];
  await newPost(author);
  const mentions = async () => {
    const pages = await eachPage((page) => system.clients.post.listMentions(page, as(viewer)), 2);
    return pages.flatMap(({ postIds }) => postIds);
  };
  assert.deepEqual(await mentions(), posts.toReversed());
  await system.clients.post.deletePost({ postId: posts[1] as string }, as(author));
  assert.deepEqual(await mentions(), [posts[2], posts[0]]);
  await system.clients.graph.blockUser({ userId: author }, as(viewer));
  assert.deepEqual(await mentions(), []);
});

test("what somebody reposted is listed for them alone, latest first, while they may see it", async () => {
  const [author, viewer] = [somebody(), somebody()];
  const posts = [await newPost(author), await newPost(author), await newPost(author)];
  const reposted = async (of = viewer) => {
    const pages = await eachPage((page) => system.clients.post.listRepostedPosts(page, as(of)), 1);
    return pages.flatMap(({ postIds }) => postIds);
  };
  for (const postId of posts) await system.clients.post.repost({ postId }, as(viewer));
  assert.deepEqual([await reposted(), await reposted(author)], [posts.toReversed(), []]);
  await system.clients.post.undoRepost({ postId: posts[1] as string }, as(viewer));
  await system.clients.post.repost({ postId: posts[0] as string }, as(viewer));
  assert.deepEqual(await reposted(), [posts[2], posts[0]], "again changes no place");
  await system.clients.post.deletePost({ postId: posts[2] as string }, as(author));
  assert.deepEqual(await reposted(), [posts[0]]);
  await system.clients.graph.blockUser({ userId: viewer }, as(author));
  assert.deepEqual(await reposted(), []);
});

test("a repost that is taken back again is told again, for a writer that died before it could", async () => {
  const [author, viewer] = [somebody(), somebody()];
  const postId = await newPost(author);
  const { redis, clients } = system;
  const { activityId } = await clients.post.repost({ postId }, as(viewer));
  const key = cards.keyOf(redis, BigInt(activityId));
  const cardNow = async () => (await redis.run(redis.pipeline().getBuffer(key)))[0] as Buffer;
  const standing = await cardNow();
  await clients.post.undoRepost({ postId }, as(viewer));
  await everyFactTold(system.db("post"));
  await redis.run(redis.pipeline().set(key, standing));
  await clients.post.undoRepost({ postId }, as(viewer));
  assert.equal(decodeCard(await cardNow()).deleted, true);
  const again = await clients.post.repost({ postId }, as(viewer));
  assert.notEqual(again.activityId, activityId);
  assert.equal((await clients.post.repost({ postId }, as(viewer))).activityId, again.activityId);
  await system.clients.post.getSavedSet({ userId: viewer }, as());
  assert.equal((await kept(viewer, postId)) ?? ownMark.reposted, ownMark.reposted);
});

test("of reposts that are sent at once one stands, and is counted once", async () => {
  const viewer = somebody();
  const postId = await newPost();
  const sent = await Promise.all(Array.from({ length: 5 }, () => system.clients.post.repost({ postId }, as(viewer))));
  assert.equal(new Set(sent.map(({ activityId }) => activityId)).size, 1);
  await everyFactTold(system.db("post"));
  const [found] = (await system.clients.post.batchGetPosts({ postIds: [postId] }, as(viewer))).posts;
  assert.equal(found?.repostCount, 1n);
});
