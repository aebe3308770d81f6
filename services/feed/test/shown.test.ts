import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { refused } from "#lib/harness/refused.ts";
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

/** What is in the slot of a post, for a viewer. */
const slot = async (postId: string, viewer?: string) =>
  (await world.system.clients.post.batchGetQuoted({ postIds: [postId] }, world.as(viewer))).quoted[0]?.postId;

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
