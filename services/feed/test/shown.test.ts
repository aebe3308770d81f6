import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Code } from "@connectrpc/connect";
import { Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import { everyFactTold } from "#lib/harness/told.ts";
import { until } from "#lib/harness/until.ts";
import { onBehalfOf } from "#lib/mesh/call.ts";
import { cards, decodeCard } from "#lib/readmodel/card.ts";
import { truthOf } from "../src/read-model/truth.ts";
import { visibleByTruth } from "../src/read-model/visible.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await openWorld(process.env);
});
after(() => world?.close());

let keys = 0;
async function posted(author: string, text: string, audience: Audience = Audience.PUBLIC): Promise<string> {
  const asked = { text, audience, idempotencyKey: `shown-${++keys}` };
  return (await world.system.clients.post.createPost(asked, world.as(author))).post?.id ?? "";
}

async function tagged(tag: string, viewer?: string, pageSize = 20): Promise<string[]> {
  const ids: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await world.feed.listTagFeed({ tag, pageSize, pageToken }, world.as(viewer));
    ids.push(...page.items.map(({ postId }) => postId));
    pageToken = page.nextPageToken;
    if (pageToken === "") return ids;
  }
}

const pinned = async (author: string, viewer?: string, pageToken = "") =>
  (await world.feed.listAuthorFeed({ authorId: author, pageSize: 1, pageToken }, world.as(viewer))).pinned?.postId;

test("a tag's page has what is tagged so, newest first, however it was written, page by page", async () => {
  const [author, other] = await world.people(2);
  const ids = [
    await posted(author, "#Cafe\u0301 one"),
    await posted(other, "two #café #café"),
    await posted(author, "three #CAFÉ"),
    await posted(author, "#cafe"),
  ];
  const due = ids.slice(0, 3).reverse();
  for (const tag of ["café", "#CAFE\u0301", "＃Café"]) assert.deepEqual(await tagged(tag, other), due);
  assert.deepEqual(await tagged("café", undefined, 1), due, "one at a time, nobody signed in");
  for (const tag of ["", "#", "a b", "12", "a".repeat(101)])
    await refused(tagged(tag, other), Code.InvalidArgument, "validation", "tag");
});

test("a tag's page follows edits and deletes, and hides what its reader may not see, or mutes, at each read", async () => {
  const [author, other, reader] = await world.people(3);
  const { graph, post } = world.system.clients;
  const [kept, moved, gone] = [
    await posted(author, "#moss"),
    await posted(author, "#moss"),
    await posted(author, "#moss"),
  ];
  const hidden = await posted(author, "#moss", Audience.FOLLOWERS);
  const theirs = await posted(other, "#moss");
  assert.deepEqual(await tagged("moss", reader), [theirs, gone, moved, kept]);
  await post.editPost({ postId: moved, text: "#fern" }, world.as(author));
  await world.remove(author, gone);
  await world.follow(reader, author);
  assert.deepEqual(await tagged("moss", reader), [theirs, hidden, kept]);
  assert.deepEqual(await tagged("fern", reader), [moved]);
  await graph.muteUser({ userId: other }, world.as(reader));
  assert.deepEqual(await tagged("moss", reader), [hidden, kept]);
  await graph.blockUser({ userId: reader }, world.as(author));
  assert.deepEqual(await tagged("moss", reader), []);
  assert.deepEqual(await tagged("moss"), [theirs, kept]);
});

test("one post is pinned at a time, beside the first page, for who may see it, until it is taken down or deleted", async () => {
  const [author, follower, stranger] = await world.people(3);
  const { post } = world.system.clients;
  await world.follow(follower, author);
  const [first, second] = [await posted(author, "one"), await posted(author, "two", Audience.FOLLOWERS)];
  const pin = (postId: string, viewer = author) => post.pinPost({ postId }, world.as(viewer));
  const unpin = (postId: string, viewer = author) => post.unpinPost({ postId }, world.as(viewer));
  assert.equal(await pinned(author, author), undefined);
  await pin(first);
  await pin(first);
  assert.equal(await pinned(author), first);
  await pin(second);
  assert.deepEqual([await pinned(author, follower), await pinned(author, stranger)] as (string | undefined)[], [
    second,
    undefined,
  ]);
  const page = await world.feed.listAuthorFeed({ authorId: author, pageSize: 1 }, world.as(author));
  assert.deepEqual(
    [page.items.map(({ postId }) => postId), page.pinned?.postId],
    [[second], second],
    "in its place, too",
  );
  assert.equal(await pinned(author, author, page.nextPageToken), undefined, "beside the first page only");
  await unpin(first);
  assert.equal(await pinned(author, author), second, "another one is taken down");
  await unpin(second, stranger);
  for (const postId of [first, "77", "x"]) await refused(pin(postId, stranger), Code.NotFound, "not-found");
  await world.remove(author, second);
  assert.equal(await pinned(author, author), undefined);
  await refused(pin(second), Code.NotFound, "not-found");
  assert.deepEqual(await world.system.db("post").query("SELECT 1 FROM pin WHERE author_id = ?", [author]), []);
});

test("without Redis, tags and pins are as right", async () => {
  const [author] = await world.people(1);
  const id = await posted(author, "#lichen");
  await world.system.clients.post.pinPost({ postId: id }, world.as(author));
  await world.flush();
  assert.deepEqual([await tagged("lichen", author), await pinned(author, author)], [[id], id]);
});

/** A post that quotes another. */
async function quoting(author: string, postId: string, text = "look"): Promise<string> {
  const asked = { text, quotedPostId: BigInt(postId), idempotencyKey: `shown-${++keys}` };
  return (await world.system.clients.post.createPost(asked, world.as(author))).post?.id ?? "";
}

/** What is in the slot of a post, for a viewer: the same by its owner, on its author's page, and without Redis. */
async function slot(postId: string, viewer?: string): Promise<string | undefined> {
  const { graph, post, user, like, comment } = world.system.clients;
  const { authorId } = await post.getPostRecord({ postId }, world.as());
  const entry = { activityId: BigInt(postId), authorId: BigInt(authorId) };
  const viewerId = viewer === undefined ? undefined : BigInt(viewer);
  const truth = truthOf({ graph, post, save: post, user, like, comment });
  const options = onBehalfOf(viewer, "feed", 10_000);
  const [{ quoted }, { items }, byTruth] = await Promise.all([
    post.batchGetQuoted({ postIds: [postId] }, world.as(viewer)),
    world.feed.listAuthorFeed({ authorId, pageSize: 20 }, world.as(viewer)),
    visibleByTruth(truth, [entry], { viewerId, atHome: false }, options),
  ]);
  const item = items.find((one) => one.postId === postId);
  assert.ok(item, "the quote is shown");
  const [said, found] = [quoted[0]?.postId ?? "", byTruth.items[0]?.slot ?? "empty"];
  assert.deepEqual([item.quoted?.postId ?? "", found === "empty" ? "" : String(found.postId)], [said, said]);
  return said;
}

const quotes = async (postId: string, viewer?: string) =>
  (await world.feed.listQuoteFeed({ postId, pageSize: 20 }, world.as(viewer))).items.map((item) => item.postId);

test("a quote is a slot that each reader finds filled as they may see it, at each read", async () => {
  const [author, quoter, follower, stranger] = await world.people(4);
  const { graph, post } = world.system.clients;
  await Promise.all([world.follow(quoter, author), world.follow(follower, author)]);
  const quoted = await posted(author, "for followers", Audience.FOLLOWERS);
  await refused(quoting(stranger, quoted), Code.NotFound, "not-found");
  const quote = await quoting(quoter, quoted);
  for (const viewer of [author, quoter, follower]) assert.equal(await slot(quote, viewer), quoted);
  for (const viewer of [stranger, undefined]) assert.equal(await slot(quote, viewer), "");
  await post.editPost({ postId: quote, text: "look again" }, world.as(quoter));
  assert.equal(await slot(quote, follower), quoted, "an edit keeps it");
  await graph.blockUser({ userId: follower }, world.as(author));
  assert.equal(await slot(quote, follower), "");
  await world.remove(author, quoted);
  assert.equal(await slot(quote, quoter), "");
  assert.equal(await slot(await posted(author, "plain"), author), "");
});

test("an author sees who quotes a post, and takes it out of a quote for good", async () => {
  const [author, quoter, other] = await world.people(3);
  const { post } = world.system.clients;
  const quoted = await posted(author, "mine");
  const [first, second] = [await quoting(quoter, quoted), await quoting(other, quoted)];
  assert.deepEqual(await quotes(quoted), [second, first]);
  const detach = (quoteId: string, viewer: string) => post.detachQuote({ postId: quoted, quoteId }, world.as(viewer));
  for (const [quoteId, viewer] of [
    [first, quoter],
    [quoted, author],
    ["x", author],
  ] as const)
    await refused(detach(quoteId, viewer), Code.NotFound, "not-found");
  await detach(first, author);
  await detach(first, author);
  assert.deepEqual([await slot(first, quoter), await slot(second, quoter)], ["", quoted]);
  assert.deepEqual(await quotes(quoted, author), [second]);
  await world.remove(other, second);
  assert.deepEqual(await quotes(quoted, author), []);
  await refused(quotes("77"), Code.NotFound, "not-found");
});

const repost = async (viewer: string, postId: string): Promise<string> =>
  (await world.system.clients.post.repost({ postId }, world.as(viewer))).activityId;

/** The posts of a page, each with who passed it on. */
const placed = (items: readonly { postId: string; repostedById: string }[]) =>
  items.map(({ postId, repostedById }) => (repostedById === "" ? postId : `${postId} by ${repostedById}`));

const homePage = async (viewer: string, pageSize = 20, pageToken = "") => {
  const page = await world.feed.listHomeFeed({ pageSize, pageToken }, world.as(viewer));
  return { shown: placed(page.items), next: page.nextPageToken, items: page.items };
};

const authorPage = async (authorId: string, viewer?: string) =>
  placed((await world.feed.listAuthorFeed({ authorId, pageSize: 20 }, world.as(viewer))).items);

test("a repost stands for the post that it passes on, once a page, and pages are full for it", async () => {
  const [author, friend, other, reader] = await world.people(4);
  await Promise.all([author, friend, other].map((one) => world.follow(reader, one)));
  const ids: string[] = [];
  for (let nth = 0; nth < 4; nth++) ids.push(await posted(author, `words ${nth}`));
  const [first = "", second = "", third = "", fourth = ""] = ids;
  for (const id of ids) await repost(friend, id);
  const activityId = await repost(other, first);
  const whole = [`${first} by ${other}`, `${fourth} by ${friend}`, `${third} by ${friend}`, `${second} by ${friend}`];
  const page = await homePage(reader);
  assert.deepEqual(page.shown, whole);
  const [top] = page.items;
  assert.deepEqual([top?.activityId, top?.authorId, top?.reason], [activityId, author, Reason.REPOST]);
  assert.deepEqual((await homePage(reader, 3)).shown, whole.slice(0, 3), "three of nine places are one page of three");
  assert.deepEqual(
    await authorPage(friend),
    [fourth, third, second, first].map((id) => `${id} by ${friend}`),
  );
  await world.flush();
  assert.deepEqual((await homePage(reader)).shown, whole, "without Redis it is as right");
});

test("what a repost passes on is shown as its reader may see the post at that moment, whoever passed it on", async () => {
  const [author, friend, reader] = await world.people(3);
  const { graph, post } = world.system.clients;
  await world.follow(reader, friend);
  const id = await posted(author, "words");
  await repost(friend, id);
  const due = [`${id} by ${friend}`];
  const both = async () => [(await homePage(reader)).shown, await authorPage(friend, reader)];
  assert.deepEqual(await both(), [due, due]);
  await post.editPost({ postId: id, text: "other words" }, world.as(author));
  assert.equal((await homePage(reader)).items[0]?.postVersion, 2n);
  const hides: [hide: () => Promise<unknown>, show: () => Promise<unknown>][] = [
    [
      () => graph.muteUser({ userId: author }, world.as(reader)),
      () => graph.unmuteUser({ userId: author }, world.as(reader)),
    ],
    [
      () => graph.blockUser({ userId: reader }, world.as(author)),
      () => graph.unblockUser({ userId: reader }, world.as(author)),
    ],
    [
      () => graph.blockUser({ userId: author }, world.as(reader)),
      () => graph.unblockUser({ userId: author }, world.as(reader)),
    ],
  ];
  for (const [hide, show] of hides) {
    await hide();
    assert.deepEqual(await both(), [[], []]);
    await show();
    assert.deepEqual(await both(), [due, due]);
  }
  await graph.muteUser({ userId: friend }, world.as(reader));
  assert.deepEqual((await homePage(reader)).shown, [], "nothing comes from whom one mutes");
  await graph.unmuteUser({ userId: friend }, world.as(reader));
  await world.remove(author, id);
  assert.deepEqual(await both(), [[], []]);
});

test("a repost whose card is of an older release is asked for at its owner", async () => {
  const [author, friend] = await world.people(2);
  const id = await posted(author, "words");
  const activityId = await repost(friend, id);
  const { redis } = world.system;
  const key = cards.keyOf(redis, BigInt(activityId));
  const [card] = await redis.run(redis.pipeline().getBuffer(key));
  await redis.run(redis.pipeline().set(key, (card as Buffer).subarray(0, 13)));
  assert.deepEqual((await homePage(friend)).shown, [`${id} by ${friend}`]);
});

/** How often a post is passed on, and whether the viewer did, as a home feed, truth and the post's owner say. */
async function sharesOf(postId: string, viewer: string) {
  const { items } = await world.feed.listHomeFeed({ pageSize: 20 }, world.as(viewer));
  const { posts } = await world.system.clients.post.batchGetPosts({ postIds: [postId] }, world.as(viewer));
  const { reposted } = await world.system.clients.post.batchGetSaves({ postIds: [postId] }, world.as(viewer));
  const item = items.find((one) => one.postId === postId);
  const numbers = (of: { repostCount: bigint; quoteCount: bigint; saveCount: bigint } | undefined) =>
    `${of?.repostCount} ${of?.quoteCount} ${of?.saveCount}`;
  return [numbers(item), numbers(posts[0]), item?.reposted, reposted[0]];
}

const shared = (postId: string, viewer: string, numbers: string, reposted: boolean) =>
  until(`(reposts, quotes, saves) ${numbers}`, async () => {
    return isDeepStrictEqual(await sharesOf(postId, viewer), [numbers, numbers, reposted, reposted]);
  });

test("a post says how often it is reposted, quoted and kept, each once, up and down, whatever ends a repost or a quote", async () => {
  const [author, friend, other] = await world.people(3);
  const { post } = world.system.clients;
  const id = await posted(author, "words");
  const undo = (viewer: string) => post.undoRepost({ postId: id }, world.as(viewer));
  await repost(friend, id);
  await repost(friend, id);
  const activityId = await repost(other, id);
  await repost(author, id);
  const [first, second] = [await quoting(friend, id), await quoting(other, id)];
  const { collection } = await post.createCollection(
    { name: "some", idempotencyKey: `shown-${++keys}` },
    world.as(friend),
  );
  for (const collectionId of ["", collection?.collectionId ?? ""])
    await post.savePost({ postId: id, collectionId }, world.as(friend));
  await shared(id, author, "3 2 1", true);
  await post.editPost({ postId: id, text: "other words" }, world.as(author));
  await shared(id, author, "3 2 1", true);
  await undo(author);
  await undo(author);
  await world.remove(other, activityId);
  await post.detachQuote({ postId: id, quoteId: first }, world.as(author));
  await post.unsavePost({ postId: id }, world.as(friend));
  await shared(id, author, "1 1 0", false);
  await world.remove(friend, first);
  await world.remove(other, second);
  await shared(id, author, "1 0 0", false);
  await world.flush();
  assert.deepEqual(await sharesOf(id, author), ["1 0 0", "1 0 0", false, false], "also after Redis lost everything");
  const rows = await world.system.db("post").query("SELECT repost_count, quote_count FROM post WHERE id = ?", [id]);
  assert.deepEqual(
    rows.map((row) => [Number(row.repost_count), Number(row.quote_count)]),
    [[1, 0]],
  );
});

test("what a viewer reposted and what they keep are one set: each change leaves the other as it is", async () => {
  const [author, viewer] = await world.people(2);
  const { post } = world.system.clients;
  await world.follow(viewer, author);
  const id = await posted(author, "words");
  const marks = async () => {
    const { items } = await world.feed.listHomeFeed({}, world.as(viewer));
    const item = items.find(({ postId }) => postId === id);
    return [item?.saved, item?.reposted];
  };
  assert.deepEqual(await marks(), [false, false]);
  await repost(viewer, id);
  assert.deepEqual(await marks(), [false, true], "one's own next read shows it");
  await post.savePost({ postId: id }, world.as(viewer));
  assert.deepEqual(await marks(), [true, true]);
  await post.undoRepost({ postId: id }, world.as(viewer));
  assert.deepEqual(await marks(), [true, false]);
  await repost(viewer, id);
  await post.unsavePost({ postId: id }, world.as(viewer));
  assert.deepEqual(await marks(), [false, true]);
  await world.flush();
  assert.deepEqual(await marks(), [false, true], "also after Redis lost everything");
});

test("a post that is deleted while its counts are folded stays deleted", async () => {
  const [author, friend] = await world.people(2);
  const id = await posted(author, "words");
  await world.follow(friend, author);
  await repost(author, id);
  await Promise.all([repost(friend, id), world.remove(author, id)].map((done) => done.catch(() => {})));
  await everyFactTold(world.system.db("post"));
  const { redis } = world.system;
  const [card] = await redis.run(redis.pipeline().getBuffer(cards.keyOf(redis, BigInt(id))));
  assert.equal(decodeCard(card as Buffer).deleted, true);
  assert.deepEqual((await homePage(friend)).shown, []);
});
