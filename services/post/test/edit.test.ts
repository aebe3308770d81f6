import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { Audience, type Post, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { refused } from "#lib/harness/refused.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { scripts } from "#lib/harness/texts.ts";
import { until } from "#lib/harness/until.ts";
import { newTraceparent } from "#lib/mesh/call.ts";
import { cards, decodeCard } from "#lib/readmodel/card.ts";
import { detachQuote } from "../src/store/quote.ts";

let place: Scratch;
let system: Booted<"graph" | "user" | "post">;
let post: typeof system.clients.post;
before(async () => {
  place = scratch(process.env);
  system = await boot(place, ["graph", "user", "post"]);
  post = system.clients.post;
});
after(async () => {
  await system?.stop();
  await place?.close();
});

const as = (viewerId?: string) => system.as(viewerId);
let nth = 0;

/** Somebody with a name that can be mentioned. */
async function named(): Promise<{ id: string; name: string }> {
  const name = `n${++nth}x`;
  const { userIds } = await system.operator.user.importUsers({ users: [{ username: name }] }, as());
  const id = userIds[0] as string;
  await system.operator.graph.importFollows({ lists: [{ followerId: id, followeeIds: [] }] }, as());
  return { id, name };
}

type Asked = Parameters<typeof post.createPost>[0];
async function created(author: { id: string }, asked: Omit<Asked, "idempotencyKey">): Promise<Post> {
  const made = await post.createPost({ ...asked, idempotencyKey: `key-${++nth}` } as Asked, as(author.id));
  assert.ok(made.post);
  return made.post;
}

async function edited(author: { id: string }, asked: Parameters<typeof post.editPost>[0]): Promise<Post> {
  const made = await post.editPost(asked, as(author.id));
  assert.ok(made.post);
  return made.post;
}

const seen = async (postId: string, viewer?: { id: string }) =>
  (await post.batchGetPosts({ postIds: [postId] }, as(viewer?.id))).posts[0]?.post;

async function cardOf(postId: string) {
  const { redis } = system;
  const [bytes] = await redis.run(redis.pipeline().getBuffer(cards.keyOf(redis, BigInt(postId))));
  return decodeCard(bytes as Buffer);
}

const factsOf = async (postId: string) =>
  (
    await system.db("post").query("SELECT type FROM outbox WHERE aggregate = ? ORDER BY version", [`post:${postId}`])
  ).map(({ type }) => type);

test("a text names whom its author can find, by id, in its bytes and its characters; others are text", async () => {
  const [author, friend, foe] = [await named(), await named(), await named()];
  await system.clients.graph.blockUser({ userId: author.id }, as(foe.id));
  const text = `é @${friend.name.toUpperCase()} @${foe.name} @nobody #Tag http://ex.org/a`;
  const made = await created(author, { text });
  const { mentions = [], hashtags = [], links = [] } = made.content?.facets ?? {};
  const end = 2 + 1 + friend.name.length;
  assert.deepEqual(
    mentions.map(({ range, userId }) => [String(userId), range?.start, range?.end, range?.byteStart, range?.byteEnd]),
    [[friend.id, 2, end, 3, end + 1]],
  );
  assert.deepEqual([hashtags.map(({ tag }) => tag), links.map(({ url }) => url)], [["tag"], ["http://ex.org/a"]]);
  assert.deepEqual(await seen(made.id), made, "what is read is what was answered");
});

test("whom the text of a post for those it names names may see it, until an edit takes the name away", async () => {
  const [author, first, second] = [await named(), await named(), await named()];
  const made = await created(author, {
    text: `for @${first.name}`,
    audience: Audience.MENTIONED,
    mentionedUserIds: [second.id],
  });
  assert.ok((await seen(made.id, first)) && (await seen(made.id, second)));
  await edited(author, { postId: made.id, text: "for you" });
  assert.equal(await seen(made.id, first), undefined);
  assert.equal((await seen(made.id, second))?.text, "for you");
  assert.deepEqual((await cardOf(made.id)).mentionedIds, [BigInt(second.id)], "readers obey when the edit answers");
});

test("an edit is a new version, what it does not name stays, and the versions before it are kept", async () => {
  const author = await named();
  const made = await created(author, { text: "one #a", contentWarning: "loud", language: "de-at" });
  assert.deepEqual([made.content?.language, made.editTime], ["de-AT", undefined]);
  const second = await edited(author, { postId: made.id, text: "two #b" });
  assert.deepEqual([second.version, second.text, second.content?.contentWarning], [2n, "two #b", "loud"]);
  assert.ok(second.editTime && timestampMs(second.editTime) >= timestampMs(made.createTime as Timestamp));
  assert.equal((await cardOf(made.id)).version, 2, "readers know when it answers");
  const third = await edited(author, { postId: made.id, contentWarning: "", language: "" });
  assert.deepEqual([third.version, third.text, third.content?.contentWarning], [3n, "two #b", ""]);
  assert.deepEqual(await seen(made.id), third);
  const first = await post.listPostVersions({ postId: made.id, pageSize: 2 }, as());
  const rest = await post.listPostVersions({ postId: made.id, pageToken: first.nextPageToken }, as());
  assert.deepEqual(
    [...first.posts, ...rest.posts].map(({ version, text, content }) => [version, text, content?.contentWarning]),
    [
      [3n, "two #b", ""],
      [2n, "two #b", "loud"],
      [1n, "one #a", "loud"],
    ],
  );
  assert.equal(rest.nextPageToken, "");
  assert.deepEqual(await factsOf(made.id), ["PostCreated", "PostEdited", "PostEdited"]);
});

test("what changes nothing makes no version, so that an edit sent again is one edit", async () => {
  const author = await named();
  const made = await created(author, { text: "one" });
  const edit = { postId: made.id, text: "two", ifVersion: 1n };
  const answers = await Promise.all(Array.from({ length: 8 }, () => edited(author, edit)));
  for (const answer of answers) assert.deepEqual([answer.version, answer.text], [2n, "two"]);
  assert.deepEqual(await factsOf(made.id), ["PostCreated", "PostEdited"]);
});

test("of edits at once each wins in turn; those that name a version win once", async () => {
  const author = await named();
  const made = await created(author, { text: "start" });
  const bold = Array.from({ length: 6 }, (_, at) => edited(author, { postId: made.id, text: `bold ${at}` }));
  const versions = (await Promise.all(bold)).map(({ version }) => Number(version));
  assert.deepEqual(versions.sort(), [2, 3, 4, 5, 6, 7]);
  const careful = await Promise.allSettled(
    Array.from({ length: 6 }, (_, at) => edited(author, { postId: made.id, text: `careful ${at}`, ifVersion: 7n })),
  );
  assert.equal(careful.filter(({ status }) => status === "fulfilled").length, 1);
  const late = post.editPost({ postId: made.id, text: "late", ifVersion: 7n }, as(author.id));
  await refused(late, Code.Aborted, "version-conflict", "if_version");
});

test("nobody else edits a post, nor its author a deleted one; its versions go with it and are hidden as it is", async () => {
  const [author, other] = [await named(), await named()];
  const made = await created(author, { text: "mine", audience: Audience.ONLY_ME });
  const edit = { postId: made.id, text: "yours" };
  await refused(post.editPost(edit, as(other.id)), Code.NotFound, "not-found");
  await refused(post.editPost(edit, as()), Code.Unauthenticated, "unauthenticated");
  const versions = (viewer?: string) => post.listPostVersions({ postId: made.id }, as(viewer));
  assert.equal((await versions(author.id)).posts.length, 1);
  for (const viewer of [other.id, undefined]) await refused(versions(viewer), Code.NotFound, "not-found");
  await post.deletePost({ postId: made.id }, as(author.id));
  await refused(post.editPost(edit, as(author.id)), Code.NotFound, "not-found");
  await refused(versions(author.id), Code.NotFound, "not-found");
});

test("every text is edited byte for byte, by the rules of a new one", async () => {
  const author = await named();
  const made = await created(author, { text: "start" });
  for (const text of scripts) {
    await edited(author, { postId: made.id, text, contentWarning: text.slice(0, 20) });
    assert.deepEqual(Buffer.from((await seen(made.id))?.text ?? ""), Buffer.from(text));
  }
  for (const [field, change] of [
    ["text", { text: " " }],
    ["text", { text: "a".repeat(5_001) }],
    ["content_warning", { contentWarning: "a".repeat(301) }],
    ["content_warning", { contentWarning: "\u200b" }],
    ["language", { language: "not a tag" }],
    ["language", { language: `en-${"a-".repeat(20)}b` }],
  ] as const) {
    const asked = { postId: made.id, text: "fine", ...change };
    await refused(post.editPost(asked, as(author.id)), Code.InvalidArgument, "validation", field);
    const fresh = { text: "fine", ...change, idempotencyKey: "k" };
    await refused(post.createPost(fresh, as(author.id)), Code.InvalidArgument, "validation", field);
  }
});

test("who may reply is in the card, with those it names where it is theirs alone", async () => {
  const [author, friend] = [await named(), await named()];
  const made = await created(author, { text: `hi @${friend.name}`, replySetting: ReplySetting.MENTIONED });
  const due = { replySetting: ReplySetting.MENTIONED, mentionedIds: [BigInt(friend.id)] };
  const { replySetting, mentionedIds } = await cardOf(made.id);
  assert.deepEqual({ replySetting, mentionedIds }, due);
  await system.flush();
  const [slot] = (await post.batchGetCards({ postIds: [made.id] }, as())).cards;
  assert.deepEqual([slot?.card?.replySetting, slot?.card?.mentionedUserIds], [due.replySetting, due.mentionedIds]);
  assert.equal((await created(author, { text: "x", replySetting: ReplySetting.EVERYONE })).replySetting, 0);
});

test("the card of a quote says what it quotes, also after an edit, until that is detached, also by a writer that died after it", async () => {
  const [author, quoter] = [await named(), await named()];
  const { id: postId } = await created(author, { text: "mine" });
  const quotes = [0, 1].map(() => created(quoter, { text: "look", quotedPostId: BigInt(postId) }));
  const [first = "", second = ""] = (await Promise.all(quotes)).map(({ id }) => id);
  const quoted = { postId: BigInt(postId), authorId: BigInt(author.id) };
  assert.deepEqual((await cardOf(first)).quoted, quoted);
  await edited(quoter, { postId: first, text: "look again" });
  assert.deepEqual((await cardOf(first)).quoted, quoted);
  const detached = { postId: 0n, authorId: 0n };
  await system.clients.post.detachQuote({ postId, quoteId: first }, as(author.id));
  assert.deepEqual((await cardOf(first)).quoted, detached, "before it is answered");
  const unheard = { postId: BigInt(postId), quoteId: BigInt(second), authorId: BigInt(author.id) };
  await detachQuote(system.db("post"), unheard, { actor: BigInt(author.id), traceparent: newTraceparent() });
  await until("the relay tells it", async () => (await cardOf(second)).quoted?.postId === 0n);
});

test("BatchGetContents says what posts that stand say, to everybody the same, in the order asked", async () => {
  const author = await named();
  const [open, hidden, gone] = [
    await created(author, { text: "before" }),
    await created(author, { text: "nobody else's", audience: Audience.ONLY_ME }),
    await created(author, { text: "gone" }),
  ];
  const now = await edited(author, { postId: open.id, text: "after" });
  await post.deletePost({ postId: gone.id }, as(author.id));
  const contents = async (postIds: string[]) =>
    (await post.batchGetContents({ postIds }, as())).contents.map((slot) => slot.post);
  assert.deepEqual(await contents([hidden.id, "x", gone.id, open.id, hidden.id]), [
    hidden,
    undefined,
    undefined,
    now,
    hidden,
  ]);
  assert.equal((await contents(Array.from({ length: 500 }, () => "1"))).length, 500);
  await refused(contents(Array.from({ length: 501 }, () => "1")), Code.InvalidArgument, "validation", "post_ids");
});
