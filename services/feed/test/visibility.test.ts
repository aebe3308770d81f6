import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { ExplanationKind as Kind } from "#gen/skein/feed/v1/explain_pb.ts";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import { openWorld, type World } from "./world.ts";

const closeFriends = "close-friends";
const everyAudience = [
  Audience.PUBLIC,
  Audience.FOLLOWERS,
  Audience.CLOSE_FRIENDS,
  Audience.MENTIONED,
  Audience.ONLY_ME,
] as const;

let world: World;
let clients: World["system"]["clients"];
let as: World["as"];
before(async () => {
  world = await openWorld(process.env);
  ({ clients } = world.system);
  ({ as } = world);
});
after(() => world?.close());

let keys = 0;
async function publish(author: string, audience: Audience, mentionedUserIds: string[] = []): Promise<string> {
  const asked = { text: "words", idempotencyKey: `seen-${++keys}`, audience, mentionedUserIds };
  return (await clients.post.createPost(asked, as(author))).post?.id ?? "";
}

/** Which of some posts somebody gets, by asking post itself. */
async function got(viewer: string | undefined, postIds: readonly string[]): Promise<boolean[]> {
  const { posts } = await clients.post.batchGetPosts({ postIds: [...postIds] }, as(viewer));
  return posts.map(({ post }) => post !== undefined);
}

async function onPageOf(author: string, viewer?: string): Promise<string[]> {
  const { items } = await clients.feed.listAuthorFeed({ authorId: author, pageSize: 100 }, as(viewer));
  return items.map(({ postId }) => postId).reverse();
}

async function explained(viewerId: string, postId: string): Promise<Kind[]> {
  const { reasons } = await world.system.operator.feed.explainPost({ viewerId, postId }, as());
  return reasons.map(({ kind }) => kind);
}

const comment = (viewer: string, postId: string) =>
  clients.comment.createComment({ postId, text: "a word", idempotencyKey: `said-${++keys}` }, as(viewer));
const like = (viewer: string, postId: string) =>
  clients.like.like({ subject: { kind: SubjectKind.POST, id: postId }, reaction: Reaction.LIKE }, as(viewer));

test("each audience sees its posts, by every way of reading, and nobody else", async () => {
  const [author, stranger, follower, friend, named] = (await world.people(5)) as [
    string,
    string,
    string,
    string,
    string,
  ];
  await world.follow(follower, author);
  await world.follow(friend, author);
  await clients.graph.addListMember({ listId: closeFriends, userId: friend }, as(author));
  const posts: string[] = [];
  for (const audience of everyAudience) posts.push(await publish(author, audience, [named]));
  const sees: [who: string | undefined, due: boolean[]][] = [
    [author, [true, true, true, true, true]],
    [friend, [true, true, true, false, false]],
    [follower, [true, true, false, false, false]],
    [named, [true, false, false, true, false]],
    [stranger, [true, false, false, false, false]],
    [undefined, [true, false, false, false, false]],
  ];
  const check = async (when: string) => {
    for (const [who, due] of sees) {
      const shown = posts.filter((_, nth) => due[nth]);
      assert.deepEqual(await got(who, posts), due, when);
      assert.deepEqual(await onPageOf(author, who), shown, when);
      const inHome = who === author || who === follower || who === friend;
      if (who !== undefined) assert.deepEqual(await world.home(who), inHome ? [...shown].reverse() : [], when);
    }
  };
  await check("from the read models");
  await world.flush();
  await check("from truth");
});

test("a private account's posts are for its followers, from the answer on and back", async () => {
  const [author, follower, stranger] = await world.people(3);
  await world.follow(follower, author);
  const id = await publish(author, Audience.PUBLIC);
  const seen = async () => [await got(stranger, [id]), await got(undefined, [id]), await got(follower, [id])].flat();
  assert.deepEqual(await seen(), [true, true, true]);
  await clients.graph.updateAccount({ private: true }, as(author));
  assert.deepEqual(await seen(), [false, false, true]);
  assert.deepEqual([await onPageOf(author, stranger), await onPageOf(author)], [[], []]);
  await clients.graph.updateAccount({ private: false }, as(author));
  assert.deepEqual(await seen(), [true, true, true]);
});

test("across a block nothing is met, either way: posts, comments, likes, counts; a mute hides from home alone", async () => {
  const [author, reader, other] = await world.people(3);
  await world.follow(reader, author);
  await world.follow(author, reader);
  const [theirs, own, third] = [await world.post(author), await world.post(reader), await world.post(other)];
  for (const who of [author, reader]) {
    await comment(who, third);
    await like(who, third);
  }
  const subject = (id: string) => ({ kind: SubjectKind.POST, id });
  const met = async (viewer: string) => ({
    posts: await got(viewer, [theirs, own]),
    said: (await clients.comment.listComments({ postId: third }, as(viewer))).comments.map(({ authorId }) => authorId),
    liked: (await clients.like.listLikes({ subject: subject(third) }, as(viewer))).userIds,
  });
  await clients.graph.muteUser({ userId: author }, as(reader));
  assert.deepEqual(await met(reader), { posts: [true, true], said: [reader, author], liked: [reader, author] });
  assert.deepEqual([await world.home(reader), await explained(reader, theirs)], [[own], [Kind.MUTED]]);
  await clients.graph.unmuteUser({ userId: author }, as(reader));
  assert.deepEqual(await world.home(reader), [own, theirs]);

  await clients.graph.blockUser({ userId: author }, as(reader));
  assert.deepEqual(await met(reader), { posts: [false, true], said: [reader], liked: [reader] });
  assert.deepEqual(await met(author), { posts: [true, false], said: [author], liked: [author] });
  assert.deepEqual(await world.home(reader), [own]);
  assert.deepEqual(await explained(reader, theirs), [Kind.NOT_FOLLOWING, Kind.BLOCKED]);
  for (const attempt of [() => like(author, own), () => comment(author, own)])
    await refused(attempt(), Code.NotFound, "not-found");
  const counted = await clients.like.batchGetLikes({ subjects: [subject(own)] }, as(author));
  assert.equal(counted.likes[0]?.count, 0n);
  await clients.graph.unblockUser({ userId: author }, as(reader));
  assert.deepEqual(await met(reader), { posts: [true, true], said: [reader, author], liked: [reader, author] });
  assert.deepEqual(await world.home(reader), [own], "follows do not come back");
});

test("who is taken off close friends sees their posts no more, and why is said", async () => {
  const [author, friend] = await world.people(2);
  await world.follow(friend, author);
  await clients.graph.addListMember({ listId: closeFriends, userId: friend }, as(author));
  const id = await publish(author, Audience.CLOSE_FRIENDS);
  assert.deepEqual(await world.home(friend), [id]);
  await clients.graph.removeListMember({ listId: closeFriends, userId: friend }, as(author));
  assert.deepEqual([await world.home(friend), await got(friend, [id])], [[], [false]]);
  assert.deepEqual(await explained(friend, id), [Kind.NOT_IN_AUDIENCE]);
});

test("who is suspended is not there for others, reads as before, and writes nothing; then is back", async () => {
  const [author, reader] = await world.people(2);
  await world.follow(reader, author);
  await world.follow(author, reader);
  const [id, others] = [await world.post(author), await world.post(reader)];
  await comment(author, others);
  const setState = (state: AccountState) =>
    world.system.operator.graph.setAccountState({ userId: author, state }, as());
  await setState(AccountState.SUSPENDED);
  assert.deepEqual(
    [await world.home(reader), await got(reader, [id]), await onPageOf(author)],
    [[others], [false], []],
  );
  assert.deepEqual((await clients.comment.listComments({ postId: others }, as(reader))).comments, []);
  assert.deepEqual((await clients.user.batchGetUsers({ userIds: [author] }, as(reader))).users[0]?.user, undefined);
  assert.deepEqual(await world.home(author), [others, id]);
  const writes = [
    () => publish(author, Audience.PUBLIC),
    () => world.remove(author, id),
    () => like(author, others),
    () => clients.like.unlike({ subject: { kind: SubjectKind.POST, id: others } }, as(author)),
    () => comment(author, others),
    () => world.follow(author, reader),
  ];
  for (const write of writes) await refused(write(), Code.PermissionDenied, "account-suspended");
  await setState(AccountState.ACTIVE);
  assert.deepEqual([await world.home(reader), await got(reader, [id])], [[others, id], [true]]);
});

test("a page from which much is hidden is full again, and goes on to the end of what may be seen", async () => {
  const [author, other, reader] = await world.people(3);
  await world.follow(reader, author);
  await world.follow(reader, other);
  const due: string[] = [];
  for (let nth = 0; nth < 60; nth++) {
    if (nth % 6 === 0) due.push(await world.post(other));
    else await publish(author, Audience.CLOSE_FRIENDS);
  }
  due.reverse();
  const first = await clients.feed.listHomeFeed({ pageSize: 5 }, as(reader));
  assert.deepEqual([first.items.map(({ postId }) => postId), first.nextPageToken !== ""], [due.slice(0, 5), true]);
  assert.deepEqual(await world.home(reader, 5), due);
  await clients.graph.muteUser({ userId: other }, as(reader));
  assert.deepEqual(await world.home(reader, 5), []);
});

test("a post names at most fifty people, nobody twice, by ids; for whom it is belongs to what its key stands for", async () => {
  const [author, one] = await world.people(2);
  const create = (mentionedUserIds: string[], audience: number = Audience.PUBLIC, idempotencyKey = `rule-${++keys}`) =>
    clients.post.createPost(
      { text: "words", idempotencyKey, audience: audience as Audience, mentionedUserIds },
      as(author),
    );
  const many = Array.from({ length: 51 }, (_, nth) => String(nth + 1));
  await create(many.slice(1), Audience.MENTIONED);
  for (const bad of [many, [one, one], ["ada"], [""]])
    await refused(create(bad), Code.InvalidArgument, "validation", "mentioned_user_ids");
  await refused(create([], 9), Code.InvalidArgument, "validation", "audience");
  const { post } = await create([one], Audience.MENTIONED, "once");
  assert.equal((await create([one], Audience.MENTIONED, "once")).post?.id, post?.id);
  await refused(create([], Audience.MENTIONED, "once"), Code.FailedPrecondition, "idempotency-key-reused");
  await refused(create([one], Audience.FOLLOWERS, "once"), Code.FailedPrecondition, "idempotency-key-reused");
});
