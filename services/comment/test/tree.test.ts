import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { type Comment, CommentOrder } from "#gen/skein/comment/v1/comment_pb.ts";
import { CommentCreatedSchema, CommentEditedSchema } from "#gen/skein/comment/v1/events_pb.ts";
import { Repliers } from "#gen/skein/comment/v1/thread_pb.ts";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { eachPage } from "#lib/harness/pages.ts";
import { peopleOf } from "#lib/harness/people.ts";
import { refused } from "#lib/harness/refused.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { everyFactTold } from "#lib/harness/told.ts";
import { until } from "#lib/harness/until.ts";

let place: Scratch;
let system: Booted<"graph" | "user" | "post" | "comment" | "like">;
let somebody: () => string;
before(async () => {
  place = scratch(process.env);
  system = await boot(place, ["graph", "user", "post", "comment", "like"]);
  somebody = await peopleOf(system);
});
after(async () => {
  await system?.stop();
  await place?.close();
});

/** Levels below the first. */
const depthMax = 10;
let keys = 0;
const key = () => `key-${++keys}`;
const as = (viewer?: string) => system.as(viewer);

async function newPost(author: string): Promise<string> {
  const { post } = await system.clients.post.createPost({ text: "hello", idempotencyKey: key() }, as(author));
  return post?.id ?? "";
}
async function say(postId: string, author: string, parentId = "", text = "words"): Promise<Comment> {
  const sent = { postId, parentId, text, idempotencyKey: key() };
  const { comment } = await system.clients.comment.createComment(sent, as(author));
  assert.ok(comment);
  return comment;
}
const remove = (commentId: string, viewer: string) => system.clients.comment.deleteComment({ commentId }, as(viewer));
const hide = (commentId: string, hidden: boolean, viewer: string) =>
  system.clients.comment.setCommentHidden({ commentId, hidden }, as(viewer));
const get = (commentId: string, viewer?: string) => system.clients.comment.getComment({ commentId }, as(viewer));

/** A level as its pages show it: ids, with a star where only a stub remains. */
async function level(
  of: { postId: string } | { parentId: string },
  { viewer, order = CommentOrder.LATEST, size = 2 }: { viewer?: string; order?: CommentOrder; size?: number } = {},
): Promise<string[]> {
  const pages = await eachPage(
    (page) => system.clients.comment.listComments({ ...of, order, ...page }, as(viewer)),
    size,
  );
  return pages.flatMap(({ comments }) => comments.map(({ id, removed }) => `${id}${removed ? "*" : ""}`));
}
async function countOf(postId: string): Promise<number> {
  await everyFactTold(system.db("comment"));
  const { counts } = await system.clients.comment.batchGetCommentCounts({ postIds: [postId] }, as());
  return Number(counts[0]);
}
const repliesOf = async (commentId: string) => {
  await everyFactTold(system.db("comment"));
  return Number((await get(commentId)).comment?.replyCount);
};

test("replies stand under what they reply to, level by level, ten deep; beyond that beside it", async () => {
  const [owner, person] = [somebody(), somebody()];
  const postId = await newPost(owner);
  const top = await say(postId, person);
  assert.deepEqual([top.depth, top.parentId, top.rootId], [0, "", top.id]);
  let deepest = top;
  for (let depth = 1; depth <= depthMax; depth++) {
    const reply = await say(postId, owner, deepest.id);
    assert.deepEqual([reply.depth, reply.parentId, reply.rootId], [depth, deepest.id, top.id]);
    assert.deepEqual(await level({ parentId: deepest.id }), [reply.id]);
    deepest = reply;
  }
  const beside = await say(postId, person, deepest.id);
  assert.deepEqual([beside.depth, beside.parentId], [depthMax, deepest.parentId]);
  assert.deepEqual(await level({ postId }), [top.id], "a post's page has what is no reply");
  assert.equal(await countOf(postId), depthMax + 2);
  assert.equal(await repliesOf(deepest.parentId), 2);
});

test("a level is paged latest first, neither skipping nor repeating while it grows", async () => {
  const [owner, person] = [somebody(), somebody()];
  const postId = await newPost(owner);
  const top = await say(postId, owner);
  const replies: string[] = [];
  for (let nth = 0; nth < 7; nth++) replies.unshift((await say(postId, person, top.id)).id);
  assert.deepEqual(await level({ parentId: top.id }, { size: 3 }), replies);
  const first = await system.clients.comment.listComments({ parentId: top.id, pageSize: 3 }, as());
  await say(postId, person, top.id);
  const second = await system.clients.comment.listComments(
    { parentId: top.id, pageSize: 3, pageToken: first.nextPageToken },
    as(),
  );
  assert.deepEqual(
    second.comments.map(({ id }) => id),
    replies.slice(3, 6),
  );
});

test("what is removed stays as a stub while replies hang on it, uncounted, and goes with the last of them, all the way up", async () => {
  const [owner, person] = [somebody(), somebody()];
  const postId = await newPost(owner);
  const top = await say(postId, person);
  const middle = await say(postId, person, top.id);
  const leaf = await say(postId, person, middle.id);
  await remove(top.id, person);
  await remove(middle.id, owner);
  assert.deepEqual(await level({ postId }), [`${top.id}*`]);
  const { comments } = await system.clients.comment.listComments({ postId }, as(owner));
  const [stub] = comments;
  assert.deepEqual([stub?.text, stub?.authorId, stub?.removed], ["", "", true]);
  assert.deepEqual(await level({ parentId: top.id }), [`${middle.id}*`]);
  assert.deepEqual(await level({ parentId: middle.id }), [leaf.id]);
  assert.equal(await countOf(postId), 1);
  await refused(get(top.id), Code.NotFound, "not-found");
  await refused(say(postId, owner, middle.id), Code.NotFound, "not-found");
  await remove(leaf.id, person);
  await remove(leaf.id, person);
  assert.deepEqual(await level({ postId }), []);
  assert.equal(await countOf(postId), 0);
  await refused(level({ parentId: top.id }), Code.NotFound, "not-found");
});

test("a reply and the removal of what it replies to, at once, leave a stub that holds it, or no reply", async () => {
  const [owner, person] = [somebody(), somebody()];
  const postId = await newPost(owner);
  for (let round = 0; round < 8; round++) {
    const top = await say(postId, person);
    const [reply] = await Promise.all([say(postId, owner, top.id).catch(() => undefined), remove(top.id, person)]);
    const found = await level({ postId });
    assert.deepEqual(found.slice(0, 1), reply === undefined ? found.slice(0, 0) : [`${top.id}*`]);
    if (reply !== undefined) await remove(reply.id, owner);
    assert.deepEqual(await level({ postId }), []);
  }
});

test("an edit is the author's, is marked, has a version, and the same text changes nothing", async () => {
  const [owner, person] = [somebody(), somebody()];
  const comment = await say(await newPost(owner), person, "", "frist");
  const edit = (text: string, viewer: string) =>
    system.clients.comment.updateComment({ commentId: comment.id, text }, as(viewer));
  assert.equal(comment.editTime, undefined);
  const { comment: edited } = await edit("first 👩‍👩‍👧\u0301", person);
  assert.deepEqual([edited?.text, edited?.version], ["first 👩‍👩‍👧\u0301", 2n]);
  assert.ok(edited?.editTime);
  assert.equal((await edit("first 👩‍👩‍👧\u0301", person)).comment?.version, 2n);
  assert.deepEqual((await get(comment.id)).comment?.text, "first 👩‍👩‍👧\u0301");
  await refused(edit("mine", owner), Code.NotFound, "not-found");
  await refused(edit(" ", person), Code.InvalidArgument, "validation", "text");
  await remove(comment.id, person);
  await refused(edit("again", person), Code.NotFound, "not-found");
});

test("what the post's author hides is there for its author and the post's, uncounted; others see a stub where replies hang", async () => {
  const [owner, person, other] = [somebody(), somebody(), somebody()];
  const postId = await newPost(owner);
  const comment = await say(postId, person);
  await refused(hide(comment.id, true, person), Code.NotFound, "not-found");
  await hide(comment.id, true, owner);
  await hide(comment.id, true, owner);
  assert.equal(await countOf(postId), 0);
  for (const viewer of [owner, person]) {
    assert.equal((await get(comment.id, viewer)).comment?.hidden, true);
    assert.deepEqual(await level({ postId }, { viewer }), [comment.id]);
  }
  await refused(get(comment.id, other), Code.NotFound, "not-found");
  assert.deepEqual(await level({ postId }, { viewer: other }), []);
  const reply = await say(postId, owner, comment.id);
  assert.equal(await countOf(postId), 1);
  assert.deepEqual(await level({ postId }, { viewer: other }), [`${comment.id}*`]);
  assert.deepEqual(await level({ parentId: comment.id }, { viewer: other }), [reply.id]);
  await refused(say(postId, other, comment.id), Code.NotFound, "not-found");
  await hide(comment.id, false, owner);
  assert.equal(await countOf(postId), 2);
  assert.equal(await repliesOf(comment.id), 1);
  await hide(comment.id, true, owner);
  await remove(comment.id, owner);
  assert.equal(await countOf(postId), 1, "what was hidden is not taken off twice");
});

test("the post's author locks the thread and says who may reply; what was said stays, and the same key answers the same", async () => {
  const [owner, follower, other] = [somebody(), somebody(), somebody()];
  await system.clients.graph.followUser({ userId: owner }, as(follower));
  const postId = await newPost(owner);
  const { comment: service } = system.clients;
  const sent = { postId, text: "before", idempotencyKey: key() };
  const before = await service.createComment(sent, as(other));
  const set = (change: object, viewer = owner) => service.updateThread({ postId, ...change }, as(viewer));
  const may = async (viewer?: string) => (await service.getThread({ postId }, as(viewer))).mayReply;
  assert.deepEqual([await may(other), await may()], [true, false]);
  await refused(set({ locked: true }, other), Code.NotFound, "not-found");

  await set({ repliers: Repliers.FOLLOWERS });
  await say(postId, follower);
  await refused(say(postId, other), Code.PermissionDenied, "replies-limited");
  assert.deepEqual([await may(follower), await may(other), await may(owner)], [true, false, true]);
  await set({ repliers: Repliers.NOBODY });
  await refused(say(postId, follower), Code.PermissionDenied, "replies-limited");
  await say(postId, owner);
  await set({ locked: true });
  await refused(say(postId, owner), Code.PermissionDenied, "thread-locked");
  assert.equal((await service.createComment(sent, as(other))).comment?.id, before.comment?.id);
  const { thread } = await set({});
  assert.deepEqual([thread?.locked, thread?.repliers], [true, Repliers.NOBODY]);
  await set({ locked: false, repliers: Repliers.EVERYONE });
  await say(postId, other);
  assert.equal(await countOf(postId), 4);
  await refused(set({ repliers: 99 }), Code.InvalidArgument, "validation", "repliers");
});

test("the liveliest come first by reactions and replies, and a page never repeats what was on one before", async () => {
  const owner = somebody();
  const postId = await newPost(owner);
  const [quiet, loved, discussed] = [await say(postId, owner), await say(postId, owner), await say(postId, owner)];
  const react = (who: string, { id }: Comment) =>
    system.clients.like.like({ subject: { kind: SubjectKind.COMMENT, id }, reaction: Reaction.LOVE }, as(who));
  const fans = Array.from({ length: 4 }, somebody);
  for (const fan of fans) await react(fan, loved);
  for (let nth = 0; nth < 2; nth++) await say(postId, owner, discussed.id);
  const lively = () => level({ postId }, { order: CommentOrder.LIVELIEST, size: 1 });
  const right = [loved.id, discussed.id, quiet.id];
  await until("what was heard counts", async () => JSON.stringify(await lively()) === JSON.stringify(right));
  for (const fan of fans) {
    const subject = { kind: SubjectKind.COMMENT, id: loved.id };
    await system.clients.like.unlike({ subject }, as(fan));
  }
  await everyFactTold(system.db("like"));
  assert.deepEqual(await lively(), right, "what was lively once keeps its place");
  const list = (request: object) =>
    system.clients.comment.listComments({ postId, order: CommentOrder.LIVELIEST, ...request }, as());
  const { nextPageToken } = await list({ pageSize: 1 });
  for (const token of ["x", ".", nextPageToken.split(".")[0] ?? "", `${nextPageToken}A`]) {
    await refused(list({ pageToken: token }), Code.InvalidArgument, "invalid-cursor", "page_token");
  }
  await refused(
    system.clients.comment.listComments({ postId, order: 99 as CommentOrder }, as()),
    Code.InvalidArgument,
    "validation",
    "order",
  );
});

test("under what one may not see one replies to nothing, nor to a comment of another post, nor to who blocks one", async () => {
  const [owner, person, foe] = [somebody(), somebody(), somebody()];
  const [postId, elsewhere] = [await newPost(owner), await newPost(owner)];
  const comment = await say(postId, foe);
  await refused(say(elsewhere, person, comment.id), Code.NotFound, "not-found");
  for (const id of ["x", "0", somebody()]) await refused(say(postId, person, id), Code.NotFound, "not-found");
  await system.clients.graph.blockUser({ userId: person }, as(foe));
  await refused(say(postId, person, comment.id), Code.NotFound, "not-found");
  assert.deepEqual(await level({ postId }, { viewer: person }), []);
});

test("what somebody said is listed for them, latest first, where they may still see what it stands under", async () => {
  const [owner, person] = [somebody(), somebody()];
  const [one, two] = [await newPost(owner), await newPost(somebody())];
  const said = [await say(one, person), await say(two, person), await say(one, person)];
  const own = async () => {
    const pages = await eachPage((page) => system.clients.comment.listOwnComments(page, as(person)), 1);
    return pages.flatMap(({ comments }) => comments.map(({ id }) => id));
  };
  const ids = said.map(({ id }) => id);
  assert.deepEqual(await own(), ids.toReversed());
  await hide(ids[0] ?? "", true, owner);
  await remove(ids[2] ?? "", owner);
  assert.deepEqual(await own(), [ids[1], ids[0]], "who wrote what is hidden is not told");
  await system.clients.graph.blockUser({ userId: person }, as(owner));
  assert.deepEqual(await own(), [ids[1]]);
});

test("what somebody said is listed for others as each may see it and what it stands under", async () => {
  const [owner, person, reader] = [somebody(), somebody(), somebody()];
  const [one, two] = [await newPost(owner), await newPost(somebody())];
  const ids = [await say(one, person), await say(two, person), await say(one, person)].map(({ id }) => id);
  const by = async (viewer?: string, pageSize = 1) => {
    const pages = await eachPage(
      (page) => system.clients.comment.listUserComments({ userId: person, ...page }, as(viewer)),
      pageSize,
    );
    return pages.flatMap(({ comments }) => comments.map(({ id }) => id));
  };
  for (const viewer of [reader, undefined, person]) assert.deepEqual(await by(viewer), ids.toReversed());
  await hide(ids[0] ?? "", true, owner);
  await remove(ids[2] ?? "", person);
  assert.deepEqual(await by(reader), [ids[1]]);
  assert.deepEqual(await by(owner), [ids[1], ids[0]]);
  await system.clients.graph.blockUser({ userId: reader }, as(owner));
  await system.clients.post.deletePost({ postId: one }, as(owner));
  assert.deepEqual(await by(person), [ids[1]]);
  await system.clients.graph.blockUser({ userId: reader }, as(person));
  assert.deepEqual([await by(reader), await by()], [[], [ids[1]]]);
  const nobody = system.clients.comment.listUserComments({ userId: "x" }, as());
  await refused(nobody, Code.InvalidArgument, "validation", "user_id");
});

test("mentions, tags and links are found when a text is written and when it is edited; facts name whom, and hold no text", async () => {
  const { userIds } = await system.operator.user.importUsers({ users: [{ username: "ada_of_comments" }] }, as());
  const [ada = "", owner, foe] = [userIds[0], somebody(), somebody()];
  await system.clients.graph.createAccount({ userId: ada }, as());
  await system.clients.graph.blockUser({ userId: foe }, as(ada));
  const postId = await newPost(owner);
  const named = (comment: Comment | undefined) => comment?.facets?.mentions.map(({ userId }) => String(userId)) ?? [];
  const comment = await say(postId, owner, "", "🧶 @ada_of_comments @nobody_at_all #wool https://example.org/a");
  assert.deepEqual(named(comment), [ada]);
  const [mention] = comment.facets?.mentions ?? [];
  assert.deepEqual([mention?.range?.byteStart, mention?.range?.start], [5, 2]);
  assert.deepEqual(
    [comment.facets?.hashtags[0]?.tag, comment.facets?.links[0]?.url],
    ["wool", "https://example.org/a"],
  );
  assert.deepEqual((await get(comment.id)).comment?.facets, comment.facets);
  assert.deepEqual(named(await say(postId, foe, "", "@ada_of_comments")), [], "whom one cannot find one does not name");
  assert.equal((await say(postId, owner)).facets, undefined);
  const sent = { commentId: comment.id, text: "nobody" };
  const { comment: edited } = await system.clients.comment.updateComment(sent, as(owner));
  assert.equal(edited?.facets, undefined);
  const facts = await system
    .db("comment")
    .query("SELECT type, payload FROM outbox WHERE aggregate = ? ORDER BY version", [`comment:${comment.id}`]);
  const [created, changed] = facts.map(({ payload }) => payload as Buffer);
  assert.deepEqual(fromBinary(CommentCreatedSchema, created as Buffer).mentionedUserIds, [BigInt(ada)]);
  assert.deepEqual(fromBinary(CommentEditedSchema, changed as Buffer).mentionedUserIds, []);
  assert.ok(!(created as Buffer).includes("ada_of_comments"));
});

test("comments that name somebody are listed for them, where they may see them; an edit that names them no more takes one away", async () => {
  const { userIds } = await system.operator.user.importUsers({ users: [{ username: "eve_of_comments" }] }, as());
  const [eve = "", owner, writer] = [userIds[0], somebody(), somebody()];
  await system.clients.graph.createAccount({ userId: eve }, as());
  const [one, two] = [await newPost(owner), await newPost(somebody())];
  const naming = async (viewer = eve) => {
    const pages = await eachPage((page) => system.clients.comment.listCommentMentions(page, as(viewer)), 1);
    return pages.flatMap(({ comments }) => comments.map(({ id }) => id));
  };
  const text = "🧶 @eve_of_comments, @eve_of_comments";
  const ids = [await say(one, writer, "", text), await say(two, writer, "", text), await say(one, owner, "", text)];
  const [first = "", second = "", third = ""] = ids.map(({ id }) => id);
  await say(one, writer, "", "nobody");
  assert.deepEqual(await naming(), [third, second, first]);
  assert.deepEqual(await naming(writer), []);
  await system.clients.comment.updateComment({ commentId: third, text: "nobody" }, as(owner));
  assert.deepEqual(await naming(), [second, first]);
  await system.clients.comment.updateComment({ commentId: third, text: "@eve_of_comments again" }, as(owner));
  await remove(second, writer);
  assert.deepEqual(await naming(), [third, first]);
  await hide(first, true, owner);
  assert.deepEqual(await naming(), [third]);
  await system.clients.graph.blockUser({ userId: eve }, as(owner));
  assert.deepEqual(await naming(), []);
});
