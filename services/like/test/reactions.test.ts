import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { eachPage } from "#lib/harness/pages.ts";
import { peopleOf } from "#lib/harness/people.ts";
import { refused } from "#lib/harness/refused.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { everyFactTold } from "#lib/harness/told.ts";
import { decodeCount, likeCounts } from "#lib/readmodel/count.ts";

let place: Scratch;
let system: Booted<"graph" | "post" | "comment" | "like">;
let somebody: () => string;
before(async () => {
  place = scratch(process.env);
  system = await boot(place, ["graph", "post", "comment", "like"]);
  somebody = await peopleOf(system);
});
after(async () => {
  await system?.stop();
  await place?.close();
});

type Subject = { kind: SubjectKind; id: string };
let keys = 0;
async function newPost(author = somebody()): Promise<Subject> {
  const sent = { text: "hello", idempotencyKey: `key-${++keys}` };
  const { post } = await system.clients.post.createPost(sent, system.as(author));
  return { kind: SubjectKind.POST, id: post?.id ?? "" };
}
async function newComment(author = somebody(), post?: Subject): Promise<Subject> {
  const sent = { postId: (post ?? (await newPost())).id, text: "words", idempotencyKey: `key-${++keys}` };
  const { comment } = await system.clients.comment.createComment(sent, system.as(author));
  return { kind: SubjectKind.COMMENT, id: comment?.id ?? "" };
}
const react = (who: string, subject: Subject, reaction: Reaction) =>
  system.clients.like.like({ subject, reaction }, system.as(who));
const undo = (who: string, subject: Subject, only: Reaction = Reaction.UNSPECIFIED) =>
  system.clients.like.unlike({ subject, only }, system.as(who));
const counted = () => everyFactTold(system.db("like"));

/** How many react in each way, and how the viewer does. */
async function stateOf(subject: Subject, viewer?: string) {
  const { likes } = await system.clients.like.batchGetLikes({ subjects: [subject] }, system.as(viewer));
  const { count = 0n, own = 0, others = [] } = likes[0] ?? {};
  return { own, counts: new Map<number, number>([[Reaction.LIKE, Number(count)], ...others.map(countOf)]) };
}
const countOf = ({ reaction, count }: { reaction: Reaction; count: bigint }) => [reaction, Number(count)] as const;

async function listed(subject: Subject, reaction: Reaction = Reaction.UNSPECIFIED, size = 2): Promise<string[]> {
  const list = (page: object) => system.clients.like.listReactions({ subject, reaction, ...page }, system.as());
  const pages = await eachPage(list, size);
  return pages.flatMap(({ reactors }) => reactors.map((one) => `${one.userId} ${one.reaction}`));
}

for (const [noun, make] of [
  ["post", newPost],
  ["comment", newComment],
] as const) {
  test(`one person reacts to a ${noun} in one way at a time: change and undo move the counts, which equal the lists`, async () => {
    const subject = await make();
    const [a, b, c] = [somebody(), somebody(), somebody()];
    const right = new Map<string, Reaction>();
    const steps: [string, Reaction][] = [
      [a, Reaction.LIKE],
      [b, Reaction.LOVE],
      [a, Reaction.ANGRY],
      [c, Reaction.LOVE],
      [b, Reaction.LOVE],
      [a, Reaction.UNSPECIFIED],
      [a, Reaction.UNSPECIFIED],
      [c, Reaction.DISLIKE],
      [a, Reaction.THANKS],
    ];
    for (const [who, reaction] of steps) {
      await (reaction === Reaction.UNSPECIFIED ? undo(who, subject) : react(who, subject, reaction));
      right.set(who, reaction);
      assert.equal((await stateOf(subject, who)).own, reaction, "the viewer's next read shows it");
      await counted();
      const { counts } = await stateOf(subject);
      const all = await listed(subject);
      assert.deepEqual(all.toSorted(), [...right].flatMap(([id, way]) => (way ? [`${id} ${way}`] : [])).toSorted());
      for (const way of [Reaction.LIKE, Reaction.LOVE, Reaction.ANGRY, Reaction.DISLIKE, Reaction.THANKS]) {
        assert.equal(counts.get(way) ?? 0, (await listed(subject, way)).length, `reaction ${way}`);
      }
    }
    assert.deepEqual(await listed(subject), [
      `${a} ${Reaction.THANKS}`,
      `${c} ${Reaction.DISLIKE}`,
      `${b} ${Reaction.LOVE}`,
    ]);
  });
}

test("a post's kinds are one value in Redis, 8 bytes where it is only liked, and are read from truth after a loss", async () => {
  const post = await newPost();
  await react(somebody(), post, Reaction.LIKE);
  await counted();
  const kept = async () => {
    const key = likeCounts.keyOf(system.redis, BigInt(post.id));
    return (await system.redis.run(system.redis.pipeline().getBuffer(key)))[0] as Buffer | null;
  };
  assert.equal((await kept())?.length, 8);
  await react(somebody(), post, Reaction.WOW);
  await counted();
  const right = { version: 2, value: 1, others: new Map([[Reaction.WOW, 1]]) };
  assert.deepEqual(decodeCount((await kept()) as Buffer), right);
  await system.flush();
  assert.equal((await stateOf(post)).counts.get(Reaction.WOW), 1);
  assert.deepEqual(decodeCount((await kept()) as Buffer), right);
});

test("an unlike takes back a like and nothing else; a like after another reaction replaces it", async () => {
  const [post, viewer] = [await newPost(), somebody()];
  await react(viewer, post, Reaction.SAD);
  await undo(viewer, post, Reaction.LIKE);
  assert.equal((await stateOf(post, viewer)).own, Reaction.SAD);
  await react(viewer, post, Reaction.LIKE);
  assert.equal((await stateOf(post, viewer)).own, Reaction.LIKE);
  await undo(viewer, post, Reaction.LIKE);
  assert.equal((await stateOf(post, viewer)).own, Reaction.UNSPECIFIED);
});

test("the viewer's set says how they react to which posts, and nothing of comments", async () => {
  const viewer = somebody();
  const [liked, loved] = [await newPost(), await newPost()];
  await react(viewer, liked, Reaction.LIKE);
  await react(viewer, loved, Reaction.LOVE);
  await react(viewer, await newComment(), Reaction.FIRE);
  const set = await system.clients.like.getLikedSet({ userId: viewer }, system.as());
  assert.deepEqual([set.version, set.postIds.map(String)], [2n, [liked.id]]);
  assert.deepEqual(
    set.others.map(({ postId, reaction }) => [String(postId), reaction]),
    [[loved.id, Reaction.LOVE]],
  );
});

test("a comment that is gone, or under a post that is gone, is reacted to by nobody; what one did may be taken back", async () => {
  const [author, viewer] = [somebody(), somebody()];
  const post = await newPost(author);
  const [first, second] = [await newComment(author, post), await newComment(author, post)];
  for (const comment of [first, second]) await react(viewer, comment, Reaction.LIKE);
  await system.clients.comment.deleteComment({ commentId: first.id }, system.as(author));
  await refused(react(somebody(), first, Reaction.LIKE), Code.NotFound, "not-found");
  await refused(listed(first), Code.NotFound, "not-found");
  assert.deepEqual((await stateOf(first, viewer)).counts, new Map([[Reaction.LIKE, 0]]), "nobody sees its counts");
  await undo(viewer, first);
  await undo(viewer, first);
  await system.clients.post.deletePost({ postId: post.id }, system.as(author));
  await refused(react(somebody(), second, Reaction.LIKE), Code.NotFound, "not-found");
  await refused(undo(somebody(), second), Code.NotFound, "not-found");
  await undo(viewer, second);
  for (const id of ["", "x", "0", somebody()]) {
    await refused(react(viewer, { kind: SubjectKind.COMMENT, id }, Reaction.LIKE), Code.NotFound, "not-found");
  }
});

test("who is blocked is in no list of who reacts, and a reaction that is none is named", async () => {
  const [post, viewer, foe] = [await newPost(), somebody(), somebody()];
  await react(foe, post, Reaction.LOVE);
  await system.clients.graph.blockUser({ userId: viewer }, system.as(foe));
  const seen = await system.clients.like.listReactions({ subject: post }, system.as(viewer));
  assert.deepEqual(seen.reactors, []);
  const strange = 99 as Reaction;
  await refused(react(viewer, post, strange), Code.InvalidArgument, "validation", "reaction");
  await refused(undo(viewer, post, strange), Code.InvalidArgument, "validation", "reaction");
  await refused(listed(post, strange), Code.InvalidArgument, "validation", "reaction");
});

test("what somebody reacts to is listed by kind, latest reaction first, without what they may no longer see", async () => {
  const [viewer, author] = [somebody(), somebody()];
  const [a, b, c] = [await newPost(), await newPost(author), await newPost()];
  for (const [post, way] of [
    [c, Reaction.LIKE],
    [b, Reaction.LOVE],
    [a, Reaction.LIKE],
    [c, Reaction.LOVE],
  ] as const)
    await react(viewer, post, way);
  await react(viewer, await newComment(), Reaction.LIKE);
  const own = async (reaction: Reaction = Reaction.UNSPECIFIED) => {
    const list = (page: object) => system.clients.like.listReactedPosts({ reaction, ...page }, system.as(viewer));
    return (await eachPage(list, 1)).flatMap(({ postIds }) => postIds);
  };
  assert.deepEqual(await own(), [c.id, a.id, b.id]);
  assert.deepEqual([await own(Reaction.LOVE), await own(Reaction.LIKE)], [[c.id, b.id], [a.id]]);
  await undo(viewer, c);
  await system.clients.post.deletePost({ postId: b.id }, system.as(author));
  assert.deepEqual(await own(), [a.id]);
  const { nextPageToken } = await system.clients.like.listReactedPosts({ pageSize: 1 }, system.as(somebody()));
  assert.equal(nextPageToken, "", "it is one's own");
});
