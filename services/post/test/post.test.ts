import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import type { CreatePostResponse, Post } from "#gen/skein/post/v1/post_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { peopleOf } from "#lib/harness/people.ts";
import { refused } from "#lib/harness/refused.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { invisible, scripts } from "#lib/harness/texts.ts";
import { until } from "#lib/harness/until.ts";
import { newTraceparent } from "#lib/mesh/call.ts";
import { type Card, cards, decodeCard, forEverybody } from "#lib/readmodel/card.ts";
import { authorTimelines } from "#lib/readmodel/families.ts";
import { lag, lagOf } from "#lib/readmodel/lag.ts";
import { sliceOf } from "#lib/readmodel/timeline.ts";
import { timeOf } from "#lib/storage/id.ts";
import { postStore } from "../src/store.ts";

let place: Scratch;
let system: Booted<"graph" | "post">;
let post: typeof system.clients.post;
let operator: typeof post;
let somebody: () => string;
before(async () => {
  place = scratch(process.env);
  system = await boot(place, ["graph", "post"]);
  post = system.clients.post;
  operator = system.operator.post;
  somebody = await peopleOf(system);
});
after(async () => {
  await system?.stop();
  await place?.close();
});

const as = (viewerId?: string) => system.as(viewerId);
let keys = 0;
const newKey = () => `key-${++keys}`;
const hourMs = 3_600_000;

function create(author: string, text = "hello", idempotencyKey = newKey()): Promise<CreatePostResponse> {
  return post.createPost({ text, idempotencyKey }, as(author));
}

async function created(author: string, text?: string, key?: string): Promise<Post> {
  const answer = await create(author, text, key);
  assert.ok(answer.post);
  return answer.post;
}

async function get(...postIds: string[]): Promise<(Post | undefined)[]> {
  return (await post.batchGetPosts({ postIds }, as())).posts.map((slot) => slot.post);
}

/** What one author made public, as text ids. */
async function activities(author: string, limit = 800, before = "0"): Promise<string[]> {
  const request = { authorIds: [BigInt(author)], limit, beforeActivityId: BigInt(before) };
  const { lists } = await post.batchListActivities(request, as());
  return (lists[0]?.activityIds ?? []).map(String);
}

async function count(from: string, ...params: string[]): Promise<number> {
  const [row] = await system.db("post").query(`SELECT COUNT(*) AS n FROM ${from}`, params);
  return Number(row?.n);
}

/** What the read models hold of a post and its author. */
async function kept(author: string, postId: string) {
  const { redis } = system;
  const pipeline = redis.pipeline().getBuffer(cards.keyOf(redis, BigInt(postId)));
  lag.read(redis, pipeline);
  authorTimelines.readHead(redis, pipeline, BigInt(author), 800);
  const [card, late, head] = await redis.run(pipeline);
  const { entries, seal } = sliceOf(head);
  return {
    card: card === null ? undefined : (decodeCard(card as Buffer) satisfies Card),
    late: lagOf(late).some(({ activityId }) => activityId === BigInt(postId)),
    timeline: entries.map(({ activityId }) => String(activityId)),
    seal,
  };
}

test("CreatePost publishes under the viewer's name; cards, the author's list and the lag have it when it answers", async () => {
  const author = somebody();
  assert.deepEqual(await activities(author), []);
  const made = await created(author, "first words");
  assert.deepEqual([made.authorId, made.text, made.version], [author, "first words", 1n]);
  assert.ok(made.createTime && Math.abs(timestampMs(made.createTime) - Date.now()) < 60_000);
  const { card, late, timeline } = await kept(author, made.id);
  assert.deepEqual(card, { version: 1, authorId: BigInt(author), deleted: false, ...forEverybody });
  assert.ok(late, "every follower's next read finds it in the lag");
  assert.deepEqual(timeline, [made.id]);
  assert.deepEqual(await get(made.id), [made]);
  assert.deepEqual(await activities(author), [made.id]);
  const facts = await system
    .db("post")
    .query("SELECT type, payload FROM outbox WHERE aggregate = ?", [`post:${made.id}`]);
  assert.deepEqual(
    facts.map(({ type }) => type),
    ["PostCreated"],
  );
  for (const { payload } of facts) assert.ok(!(payload as Buffer).includes("first words"), "facts carry no text");
});

test("creating and deleting need a viewer, and only the operator imports", async () => {
  const made = await created(somebody());
  await refused(
    post.createPost({ text: "x", idempotencyKey: newKey() }, as()),
    Code.Unauthenticated,
    "unauthenticated",
  );
  await refused(post.deletePost({ postId: made.id }, as()), Code.Unauthenticated, "unauthenticated");
  await refused(post.importPosts({ posts: [] }, as(made.authorId)), Code.PermissionDenied, "forbidden");
});

test("the same key answers the same post, also at once; another text under it is refused", async () => {
  const [author, other] = [somebody(), somebody()];
  const key = newKey();
  const answers = await Promise.all(Array.from({ length: 16 }, () => create(author, "once", key)));
  const again = await create(author, "once", key);
  assert.equal(answers.filter(({ replayed }) => !replayed).length, 1);
  assert.equal(again.replayed, true);
  for (const answer of answers) assert.deepEqual(answer.post, again.post);
  assert.equal(await count("post WHERE author_id = ?", author), 1);
  assert.equal(await count("outbox WHERE aggregate = ?", `post:${again.post?.id}`), 1);
  await refused(create(author, "twice", key), Code.FailedPrecondition, "idempotency-key-reused");
  await refused(create(author, "once ", key), Code.FailedPrecondition, "idempotency-key-reused");
  const theirs = await create(other, "twice", key);
  assert.deepEqual([theirs.replayed, theirs.post?.text], [false, "twice"]);
  assert.equal((await create(author, "twice", key.toUpperCase())).replayed, false, "keys are not folded");
});

test("a key is 1 to 255 visible ASCII characters", async () => {
  const author = somebody();
  for (const key of ["", "a".repeat(256), "a b", "ä", "a\n", "\u0000", "\u007f"])
    await refused(create(author, "x", key), Code.InvalidArgument, "validation", "idempotency_key");
  for (const key of ["a", "~", "!".repeat(255), "'; DROP TABLE post --".replaceAll(" ", "_")])
    assert.equal((await create(author, "x", key)).replayed, false);
  assert.equal(await count("post WHERE author_id = ?", author), 4);
});

test("a key of a deleted post answers that post and does not bring it back", async () => {
  const author = somebody();
  const key = newKey();
  const made = await created(author, "gone soon", key);
  await post.deletePost({ postId: made.id }, as(author));
  const again = await create(author, "gone soon", key);
  assert.deepEqual([again.replayed, again.post?.id], [true, made.id]);
  assert.deepEqual(await get(made.id), [undefined]);
  assert.equal((await kept(author, made.id)).card?.deleted, true);
  assert.deepEqual(await activities(author), []);
});

test("texts in many scripts are kept byte for byte", async () => {
  const author = somebody();
  const made = await Promise.all(scripts.map((text) => created(author, text)));
  const read = await get(...made.map(({ id }) => id));
  for (const [nth, text] of scripts.entries()) {
    assert.deepEqual(Buffer.from(made[nth]?.text ?? ""), Buffer.from(text));
    assert.deepEqual(Buffer.from(read[nth]?.text ?? ""), Buffer.from(text));
  }
});

test("a text holds something to see, 5,000 graphemes and 20,000 bytes at most", async () => {
  const author = somebody();
  for (const text of invisible) await refused(create(author, text), Code.InvalidArgument, "validation", "text");
  const tooLong = [
    "a".repeat(5_001),
    "e\u0301".repeat(5_001),
    "👍".repeat(5_001),
    "👍🏽".repeat(2_501),
    `${"👍🏽".repeat(2_500)}a`,
    `a${"\u0301".repeat(10_000)}`,
    "a".repeat(300_000),
  ];
  for (const text of tooLong) await refused(create(author, text), Code.InvalidArgument, "validation", "text");
  assert.equal(await count("post WHERE author_id = ?", author), 0);
  const longest = [
    "a".repeat(5_000),
    "e\u0301".repeat(5_000),
    "👍".repeat(5_000),
    "👍🏽".repeat(2_500),
    `a${"\u0301".repeat(9_999)}`,
  ];
  for (const text of [...longest, ".", "\u200bx\u200b", "🫥"]) {
    const made = await created(author, text);
    assert.deepEqual((await get(made.id))[0]?.text, text);
  }
});

test("BatchGetPosts answers in the order asked, unknown and deleted are empty, 100 at most", async () => {
  const author = somebody();
  const [a, b, gone] = [await created(author), await created(author), await created(author)];
  await post.deletePost({ postId: gone.id }, as(author));
  assert.deepEqual(await get(b.id, "abc", a.id, gone.id, somebody(), b.id, "", "0"), [
    b,
    undefined,
    a,
    undefined,
    undefined,
    b,
    undefined,
    undefined,
  ]);
  const many = (of: number) => get(...Array.from({ length: of }, () => a.id));
  assert.equal((await many(100)).length, 100);
  assert.equal((await many(0)).length, 0);
  await refused(many(101), Code.InvalidArgument, "validation", "post_ids");
});

test("DeletePost removes the viewer's own post, once and again; anyone else's is NOT_FOUND", async () => {
  const [author, other] = [somebody(), somebody()];
  const [stays, made] = [await created(author), await created(author)];
  for (const [postId, viewer] of [
    [made.id, other],
    [somebody(), author],
    ["abc", author],
    ["", author],
  ] as const)
    await refused(post.deletePost({ postId }, as(viewer)), Code.NotFound, "not-found");
  assert.deepEqual(await get(made.id), [made]);
  await Promise.all(Array.from({ length: 4 }, () => post.deletePost({ postId: made.id }, as(author))));
  assert.deepEqual((await kept(author, made.id)).card, {
    version: 2,
    authorId: BigInt(author),
    deleted: true,
    ...forEverybody,
  });
  await post.deletePost({ postId: made.id }, as(author));
  await refused(post.deletePost({ postId: made.id }, as(other)), Code.NotFound, "not-found");
  assert.deepEqual(await get(made.id, stays.id), [undefined, stays]);
  assert.deepEqual(await activities(author), [stays.id]);
  const facts = await system
    .db("post")
    .query("SELECT type FROM outbox WHERE aggregate = ? ORDER BY version", [`post:${made.id}`]);
  assert.deepEqual(
    facts.map(({ type }) => type),
    ["PostCreated", "PostDeleted"],
  );
});

test("GetPostRecord tells of a post without its text, and of a deleted one when that was", async () => {
  const author = somebody();
  const { id } = await created(author);
  const look = (postId = id) => post.getPostRecord({ postId }, as());
  const standing = await look();
  assert.deepEqual([standing.authorId, standing.version, standing.deleted], [author, 1n, false]);
  assert.deepEqual(
    [timestampMs(standing.createTime as Timestamp), standing.deleteTime],
    [timeOf(BigInt(id)), undefined],
  );
  const fromMs = Date.now();
  await post.deletePost({ postId: id }, as(author));
  const gone = await look();
  assert.deepEqual([gone.version, gone.deleted], [2n, true]);
  const deleteMs = timestampMs(gone.deleteTime as Timestamp);
  assert.ok(deleteMs >= fromMs - 1 && deleteMs <= Date.now() + 1, `${fromMs} ≤ ${deleteMs}`);
  await refused(look(somebody()), Code.NotFound, "not-found");
  await refused(look("x"), Code.InvalidArgument, "validation", "post_id");
});

test("BatchListActivities answers each author newest first, below a place, and says where it is complete", async () => {
  const [a, b, silent] = [somebody(), somebody(), somebody()];
  const ofA: string[] = [];
  for (let nth = 0; nth < 5; nth++) ofA.unshift((await created(a)).id);
  const ofB = [(await created(b)).id];
  const ask = async (limit: number, before = "0") => {
    const authorIds = [b, silent, a, b].map(BigInt);
    const { lists } = await post.batchListActivities({ authorIds, limit, beforeActivityId: BigInt(before) }, as());
    return lists.map(({ activityIds, complete }) => [activityIds.map(String), complete]);
  };
  assert.deepEqual(await ask(3), [
    [ofB, true],
    [[], true],
    [ofA.slice(0, 3), false],
    [ofB, true],
  ]);
  assert.deepEqual((await ask(800))[2], [ofA, true]);
  assert.deepEqual((await ask(2, ofA[1]))[2], [ofA.slice(2, 4), false]);
  assert.deepEqual((await ask(3, ofA[3]))[2], [ofA.slice(4), true]);
  assert.deepEqual((await ask(3, ofA[4]))[2], [[], true]);
  const of = (authors: number, limit: number) =>
    post.batchListActivities({ authorIds: Array.from({ length: authors }, () => BigInt(a)), limit }, as());
  assert.equal((await of(100, 800)).lists.length, 100);
  assert.equal((await of(0, 1)).lists.length, 0);
  await refused(of(101, 1), Code.InvalidArgument, "validation", "author_ids");
  for (const limit of [0, -1, 801]) await refused(of(1, limit), Code.InvalidArgument, "validation", "limit");
});

test("what BatchGetPosts and BatchListActivities found is in the read models, also after Redis lost everything", async () => {
  const author = somebody();
  const [old, made] = [await created(author), await created(author)];
  const gone = await created(author);
  await post.deletePost({ postId: gone.id }, as(author));
  await system.flush();
  assert.deepEqual(await get(made.id, gone.id), [made, undefined]);
  assert.equal((await kept(author, made.id)).card?.deleted, false);
  assert.equal((await kept(author, gone.id)).card?.deleted, true, "a tombstone");
  assert.deepEqual(await activities(author, 1, made.id), [old.id]);
  assert.equal((await kept(author, made.id)).seal, undefined, "a part of a list is not left");
  assert.deepEqual(await activities(author, 1), [made.id]);
  const { timeline, seal } = await kept(author, made.id);
  assert.deepEqual(timeline, [made.id, old.id]);
  assert.equal(seal?.lowWatermark, 0n, "it is all there is");
  const next = await created(author);
  assert.deepEqual((await kept(author, next.id)).timeline, [next.id, made.id, old.id]);
});

test("a post whose writer died before it told Redis is brought in by the relay", async () => {
  const author = somebody();
  await activities(author);
  const wanted = { authorId: BigInt(author), text: "orphan", key: newKey(), ...forEverybody };
  const origin = { actor: BigInt(author), traceparent: newTraceparent() };
  const { post: made } = await postStore(system.db("post")).create(wanted, origin);
  const id = String(made.id);
  await until("the relay projected it", async () => (await kept(author, id)).late);
  const { card, timeline } = await kept(author, id);
  assert.deepEqual([card?.version, timeline], [1, [id]]);
});

test("ImportPosts publishes each at its own time, in its place among the others", async () => {
  const [a, b] = [somebody(), somebody()];
  const now = await created(a, "now");
  const at = Date.now() - 24 * hourMs;
  const times = [3, 1, 5, 2, 4].map((hours) => at + hours * hourMs);
  const posts = times.flatMap((timeMs, nth) =>
    [a, b].map((authorId) => ({
      authorId,
      text: `at ${timeMs}`,
      createTime: timestampFromMs(timeMs),
      idempotencyKey: `import-${nth}`,
    })),
  );
  assert.equal((await operator.importPosts({ posts }, as())).createdCount, 10n, "keys are each author's own");
  const ids = await activities(a);
  const read = await get(...ids);
  const sorted = [...times].sort((x, y) => y - x);
  assert.equal(ids[0], now.id);
  assert.deepEqual(
    read.slice(1).map((one) => [one?.text, one?.createTime && timestampMs(one.createTime)]),
    sorted.map((timeMs) => [`at ${timeMs}`, timeMs]),
  );
  assert.deepEqual((await kept(a, now.id)).timeline, ids);
  assert.equal((await activities(b)).length, 5);
  assert.equal((await kept(b, ids[1] as string)).card?.version, 1);
});

test("ImportPosts skips keys already used: before, within the call, and by another call at the same moment", async () => {
  const author = somebody();
  await create(author, "stands", "import-a");
  const one = (key: string, text = key) => ({ authorId: author, text, idempotencyKey: key });
  const other = { ...one("import-a"), authorId: somebody() };
  const posts = [one("import-a", "other"), one("import-b"), one("import-c"), one("import-b", "again"), other];
  const counts = await Promise.all([1, 2, 3].map(() => operator.importPosts({ posts }, as())));
  assert.equal(
    counts.reduce((sum, { createdCount }) => sum + createdCount, 0n),
    3n,
    "a key is its author's",
  );
  assert.equal((await operator.importPosts({ posts }, as())).createdCount, 0n);
  const texts = (await get(...(await activities(author)))).map((each) => each?.text);
  assert.deepEqual(texts.sort(), ["import-b", "import-c", "stands"]);
});

test("ImportPosts takes 500 at one moment, no more, and names the field that is wrong", async () => {
  const author = somebody();
  const createTime = timestampFromMs(Date.now() - hourMs);
  const many = (of: number) =>
    Array.from({ length: of }, () => ({ authorId: author, text: "x", createTime, idempotencyKey: newKey() }));
  assert.equal((await operator.importPosts({ posts: many(500) }, as())).createdCount, 500n);
  assert.equal(await count("activity WHERE author_id = ?", author), 500);
  assert.equal((await operator.importPosts({ posts: [] }, as())).createdCount, 0n);
  await refused(operator.importPosts({ posts: many(501) }, as()), Code.InvalidArgument, "validation", "posts");
  const [sound] = many(1);
  const wrong: [field: string, change: object][] = [
    ["text", { text: "" }],
    ["idempotency_key", { idempotencyKey: "" }],
    ["author_id", { authorId: "abc" }],
    ["create_time", { createTime: timestampFromMs(Date.now() + hourMs) }],
  ];
  for (const [field, change] of wrong) {
    const posts = [{ ...sound, ...change }];
    await refused(operator.importPosts({ posts }, as()), Code.InvalidArgument, "validation", field);
  }
});
