import assert from "node:assert/strict";
import { test } from "node:test";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { refused } from "#lib/harness/refused.ts";
import { invisible, scripts } from "#lib/harness/texts.ts";
import { newTraceparent } from "#lib/mesh/call.ts";
import { problem } from "#lib/mesh/errors.ts";
import { timeOf } from "#lib/storage/id.ts";
import { onTop } from "../src/store/say.ts";
import { commentStore } from "../src/store.ts";
import {
  allTold,
  as,
  countsOf,
  create,
  created,
  deletedPost,
  factsOf,
  get,
  list,
  newKey,
  newPost,
  remove,
  rows,
  somebody,
  system,
} from "./world.ts";

const typesOf = async (commentId: string) => (await factsOf(`comment:${commentId}`)).map(({ type }) => type);
const listed = async (postId: string) => (await list(postId)).comments.map(({ id }) => id);

test("CreateComment says something under the viewer's name; a read and the list have it when it answers", async () => {
  const [author, postId] = [somebody(), await newPost()];
  const made = await created({ postId, author, text: "first words" });
  assert.deepEqual([made.postId, made.authorId, made.text, made.version], [postId, author, "first words", 1n]);
  assert.ok(made.createTime && timestampMs(made.createTime) === timeOf(BigInt(made.id)));
  assert.deepEqual(await get(made.id), made);
  assert.deepEqual((await list(postId)).comments, [made]);
  assert.deepEqual(await typesOf(made.id), ["CommentCreated"]);
  const [fact] = await factsOf(`comment:${made.id}`);
  assert.ok(!fact?.payload.includes("first words"), "facts carry no text");
  const [row] = await rows("SELECT shard, actor FROM outbox WHERE aggregate = ?", `comment:${made.id}`);
  assert.deepEqual([Number(row?.shard), row?.actor], [Number(BigInt(postId) & 63n), author]);
});

test("a comment whose run was given up is not said, and its key is the next run's", async () => {
  const [author, postId] = [somebody(), await newPost()];
  const said = { postId: BigInt(postId), authorId: BigInt(author), text: "given up", key: newKey() };
  const wanted = {
    ...said,
    askedParentId: 0n,
    standing: onTop,
    facets: undefined,
    media: [],
    mediaIds: [],
    replier: { isOwner: false, isFollower: false },
  };
  const store = commentStore(system.db("comment"));
  const origin = { actor: BigInt(author), traceparent: newTraceparent() };
  let asked = 0;
  const leaving = store.create(wanted, origin, () => {
    if (++asked > 1) throw problem(Code.Canceled, "canceled", "nobody waits");
  });
  await refused(leaving, Code.Canceled, "canceled");
  assert.deepEqual(await listed(postId), []);
  assert.equal((await store.create(wanted, origin)).replayed, false);
});

test("the same key answers the same comment, also at once; another text or post under it is refused", async () => {
  const [author, other, postId, elsewhere] = [somebody(), somebody(), await newPost(), await newPost()];
  const key = newKey();
  const once = { postId, author, text: "once", key };
  const answers = await Promise.all(Array.from({ length: 16 }, () => create(once)));
  const again = await create(once);
  assert.equal(answers.filter(({ replayed }) => !replayed).length, 1);
  assert.equal(again.replayed, true);
  for (const answer of answers) assert.deepEqual(answer.comment, again.comment);
  assert.deepEqual(await listed(postId), [again.comment?.id]);
  assert.deepEqual(await typesOf(again.comment?.id ?? ""), ["CommentCreated"]);
  const reused = [
    { ...once, text: "twice" },
    { ...once, text: "once " },
    { ...once, postId: elsewhere },
  ];
  for (const said of reused) await refused(create(said), Code.FailedPrecondition, "idempotency-key-reused");
  assert.deepEqual(await listed(elsewhere), []);
  const theirs = await create({ ...once, author: other, text: "twice" });
  assert.deepEqual([theirs.replayed, theirs.comment?.text], [false, "twice"]);
  assert.equal((await create({ ...once, key: key.toUpperCase() })).replayed, false, "keys are not folded");
  await allTold();
  assert.deepEqual(await countsOf([postId, elsewhere]), [3, 0]);
});

test("a key of a removed comment answers that comment and does not bring it back", async () => {
  const said = { postId: await newPost(), author: somebody(), key: newKey() };
  const made = await created(said);
  await remove(made.id, said.author);
  const again = await create(said);
  assert.deepEqual([again.replayed, again.comment?.id], [true, made.id]);
  await refused(get(made.id), Code.NotFound, "not-found");
  assert.deepEqual(await listed(said.postId), []);
  assert.deepEqual(await typesOf(made.id), ["CommentCreated", "CommentDeleted"]);
});

test("a key is 1 to 255 visible ASCII characters", async () => {
  const said = { postId: await newPost(), author: somebody() };
  for (const key of ["", "a".repeat(256), "a b", "ä", "a\n", "\u0000", "\u007f"])
    await refused(create({ ...said, key }), Code.InvalidArgument, "validation", "idempotency_key");
  for (const key of ["a", "~", "!".repeat(255)]) assert.equal((await create({ ...said, key })).replayed, false);
  assert.equal((await listed(said.postId)).length, 3);
});

test("texts in many scripts are kept byte for byte", async () => {
  const postId = await newPost();
  const made = await Promise.all(scripts.map((text) => created({ postId, text })));
  const read = new Map((await list(postId, { pageSize: 100 })).comments.map(({ id, text }) => [id, text]));
  for (const [nth, text] of scripts.entries()) {
    const { id = "", text: answered = "" } = made[nth] ?? {};
    for (const found of [answered, read.get(id) ?? "", (await get(id))?.text ?? ""])
      assert.deepEqual(Buffer.from(found), Buffer.from(text));
  }
});

test("a text holds something to see, 2,200 graphemes and 9,000 bytes at most", async () => {
  const postId = await newPost();
  const tooLong = [
    "a".repeat(2_201),
    "e\u0301".repeat(2_201),
    "👍".repeat(2_201),
    "👍🏽".repeat(1_126),
    `a${"\u0301".repeat(4_500)}`,
    "a".repeat(300_000),
  ];
  for (const text of [...invisible, ...tooLong])
    await refused(create({ postId, text }), Code.InvalidArgument, "validation", "text");
  assert.deepEqual(await listed(postId), []);
  const longest = [
    "a".repeat(2_200),
    "e\u0301".repeat(2_200),
    "👍".repeat(2_200),
    "👍🏽".repeat(1_125),
    `a${"\u0301".repeat(4_499)}`,
  ];
  for (const text of [...longest, ".", "\u200bx\u200b", "🫥"]) {
    const made = await created({ postId, text });
    assert.equal((await get(made.id))?.text, text);
  }
});

test("saying something needs a viewer and a post that is there", async () => {
  const postId = await newPost();
  const nobody = system.clients.comment.createComment({ postId, text: "x", idempotencyKey: newKey() }, as());
  await refused(nobody, Code.Unauthenticated, "unauthenticated");
  for (const gone of [await deletedPost(), somebody(), "abc", "", "0", "-1", "9999999999999999999"]) {
    await refused(create({ postId: gone }), Code.NotFound, "not-found");
    await refused(list(gone), Code.NotFound, "not-found");
    await refused(get(gone), Code.NotFound, "not-found");
    await refused(remove(gone, somebody()), Code.NotFound, "not-found");
  }
  assert.deepEqual(await listed(postId), []);
});

test("a comment is removed by its author or by the post's, once and again; anyone else's is NOT_FOUND", async () => {
  const [author, host, stranger] = [somebody(), somebody(), somebody()];
  const postId = await newPost(host);
  const [stays, own, rude] = [
    await created({ postId, author }),
    await created({ postId, author }),
    await created({ postId, author }),
  ];
  await refused(remove(own.id), Code.Unauthenticated, "unauthenticated");
  await refused(remove(own.id, stranger), Code.NotFound, "not-found");
  assert.deepEqual(await listed(postId), [rude.id, own.id, stays.id]);
  for (const [made, viewer] of [
    [own, author],
    [rude, host],
  ] as const) {
    await Promise.all(Array.from({ length: 4 }, () => remove(made.id, viewer)));
    await remove(made.id, viewer);
    await refused(get(made.id), Code.NotFound, "not-found");
    await refused(remove(made.id, stranger), Code.NotFound, "not-found");
    assert.deepEqual(await typesOf(made.id), ["CommentCreated", "CommentDeleted"]);
    const [row] = await rows("SELECT version, deleted FROM comment WHERE id = ?", made.id);
    assert.deepEqual([Number(row?.version), Number(row?.deleted)], [2, 1]);
  }
  await remove(own.id, host);
  assert.deepEqual((await list(postId)).comments, [stays]);
  await allTold();
  assert.deepEqual(await countsOf([postId]), [1]);
});

test("a post that goes takes its comments out of sight; their authors may still remove them, others not", async () => {
  const [author, host] = [somebody(), somebody()];
  const postId = await newPost(host);
  const [one, two] = [await created({ postId, author }), await created({ postId, author })];
  await system.clients.post.deletePost({ postId }, as(host));
  await refused(list(postId), Code.NotFound, "not-found");
  for (const { id } of [one, two]) await refused(get(id), Code.NotFound, "not-found");
  await refused(create({ postId, author }), Code.NotFound, "not-found");
  await refused(remove(one.id, host), Code.NotFound, "not-found");
  await remove(one.id, author);
  await remove(one.id, author);
  assert.deepEqual(await typesOf(one.id), ["CommentCreated", "CommentDeleted"]);
  assert.deepEqual(await typesOf(two.id), ["CommentCreated"]);
  await system.flush();
  await refused(get(two.id), Code.NotFound, "not-found");
  await refused(list(postId), Code.NotFound, "not-found");
});
