import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import type { Draft } from "#gen/skein/post/v1/draft_pb.ts";
import { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { peopleOf } from "#lib/harness/people.ts";
import { refused } from "#lib/harness/refused.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { authorTimelines } from "#lib/readmodel/families.ts";
import { sliceOf } from "#lib/readmodel/timeline.ts";

let place: Scratch;
let system: Booted<"graph" | "post">;
let post: typeof system.clients.post;
let somebody: () => string;
before(async () => {
  place = scratch(process.env);
  system = await boot(place, ["graph", "post"]);
  post = system.clients.post;
  somebody = await peopleOf(system);
});
after(async () => {
  await system?.stop();
  await place?.close();
});

const as = (viewerId?: string) => system.as(viewerId);
let keys = 0;
const newKey = () => `key-${++keys}`;
const inMs = (ms: number) => timestampFromMs(Date.now() + ms);
const dayMs = 86_400_000;

type Asked = Partial<Parameters<typeof post.createDraft>[0]>;
async function kept(author: string, asked: Asked = {}): Promise<Draft> {
  const request = { text: "to be", idempotencyKey: newKey(), ...asked } as Parameters<typeof post.createDraft>[0];
  const { draft } = await post.createDraft(request, as(author));
  assert.ok(draft);
  return draft;
}

const list = async (author: string) => (await post.listDrafts({ pageSize: 100 }, as(author))).drafts;
const rows = (sql: string, ...params: string[]) => system.db("post").query(sql, params);
const postsOf = (author: string) => rows("SELECT id, text, version FROM post WHERE author_id = ?", author);

test("a draft is its author's alone, says what was written, and is no post", async () => {
  const [author, other] = [somebody(), somebody()];
  const said = {
    text: "",
    contentWarning: "w",
    language: "de-at",
    audience: Audience.FOLLOWERS,
    mentionedUserIds: [other],
  };
  const draft = await kept(author, { ...said, replySetting: ReplySetting.NOBODY });
  assert.deepEqual(
    [draft.text, draft.contentWarning, draft.language, draft.audience, draft.mentionedUserIds, draft.replySetting],
    ["", "w", "de-AT", Audience.FOLLOWERS, [other], ReplySetting.NOBODY],
  );
  const second = await kept(author);
  assert.deepEqual(await list(author), [second, draft]);
  assert.deepEqual([await list(other), await postsOf(author)], [[], []]);
  const theirs = { draftId: draft.id };
  await refused(post.updateDraft({ ...theirs, text: "x" }, as(other)), Code.NotFound, "not-found");
  await refused(post.publishDraft(theirs, as(other)), Code.NotFound, "not-found");
  await post.deleteDraft(theirs, as(other));
  assert.equal((await list(author)).length, 2);
  const first = await post.listDrafts({ pageSize: 1 }, as(author));
  const rest = await post.listDrafts({ pageSize: 1, pageToken: first.nextPageToken }, as(author));
  assert.deepEqual([first.drafts, rest.drafts, rest.nextPageToken], [[second], [draft], ""]);
});

test("a key makes one draft; an update changes what it names; a deleted draft is gone, once and again", async () => {
  const author = somebody();
  const asked = { text: "a", idempotencyKey: newKey() };
  const answers = await Promise.all(Array.from({ length: 8 }, () => post.createDraft(asked, as(author))));
  assert.equal(new Set(answers.map(({ draft }) => draft?.id)).size, 1);
  await refused(
    post.createDraft({ ...asked, text: "b" }, as(author)),
    Code.FailedPrecondition,
    "idempotency-key-reused",
  );
  const draftId = answers[0]?.draft?.id ?? "";
  const { draft } = await post.updateDraft({ draftId, contentWarning: "w" }, as(author));
  assert.deepEqual([draft?.text, draft?.contentWarning], ["a", "w"]);
  await post.deleteDraft({ draftId }, as(author));
  await post.deleteDraft({ draftId }, as(author));
  assert.deepEqual(await list(author), []);
  await refused(post.publishDraft({ draftId }, as(author)), Code.NotFound, "not-found");
});

test("changes of different parts that are made at once all stand", async () => {
  const author = somebody();
  const { id: draftId } = await kept(author, { text: "a" });
  await Promise.all([
    post.updateDraft({ draftId, text: "b #tag" }, as(author)),
    post.updateDraft({ draftId, contentWarning: "w" }, as(author)),
    post.updateDraft({ draftId, language: "de" }, as(author)),
    post.updateDraft({ draftId, audience: Audience.FOLLOWERS }, as(author)),
    post.updateDraft({ draftId, replySetting: ReplySetting.NOBODY }, as(author)),
    post.updateDraft({ draftId, publishTime: inMs(dayMs) }, as(author)),
  ]);
  const [draft] = await list(author);
  assert.deepEqual(
    [draft?.text, draft?.contentWarning, draft?.language, draft?.audience, draft?.replySetting],
    ["b #tag", "w", "de", Audience.FOLLOWERS, ReplySetting.NOBODY],
  );
  assert.ok(draft?.publishTime);
  await refused(post.updateDraft({ draftId, text: "" }, as(author)), Code.InvalidArgument, "validation", "text");
});

test("there are 100 drafts at most, also of many at once, and room again when one goes", async () => {
  const author = somebody();
  const made = await Promise.allSettled(Array.from({ length: 108 }, () => kept(author)));
  assert.equal(made.filter(({ status }) => status === "fulfilled").length, 100);
  const all = await list(author);
  assert.equal(all.length, 100);
  await refused(kept(author), Code.ResourceExhausted, "too-many-drafts");
  await post.publishDraft({ draftId: all[0]?.id ?? "" }, as(author));
  await post.deleteDraft({ draftId: all[1]?.id ?? "" }, as(author));
  await Promise.all([kept(author), kept(author)]);
  await refused(kept(author), Code.ResourceExhausted, "too-many-drafts");
});

test("publishing ends the draft and makes one post, however often it is sent", async () => {
  const author = somebody();
  const draft = await kept(author, { text: "now #tag", contentWarning: "w", publishTime: inMs(dayMs) });
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => post.publishDraft({ draftId: draft.id }, as(author))),
  );
  const again = await post.publishDraft({ draftId: draft.id }, as(author));
  for (const answer of answers) assert.deepEqual(answer, again);
  assert.deepEqual(
    [again.post?.text, again.post?.content?.contentWarning, again.post?.content?.facets?.hashtags[0]?.tag],
    ["now #tag", "w", "tag"],
  );
  assert.equal((await postsOf(author)).length, 1);
  assert.deepEqual(await list(author), []);
  assert.deepEqual(await rows("SELECT 1 FROM schedule WHERE author_id = ?", author), []);
  await refused(
    post.publishDraft({ draftId: (await kept(author, { text: "" })).id }, as(author)),
    Code.InvalidArgument,
    "validation",
    "text",
  );
});

test("a schedule is ahead, within 366 days, of a text that may be published", async () => {
  const author = somebody();
  for (const publishTime of [inMs(-1_000), inMs(367 * dayMs), timestampFromMs(0)])
    await refused(kept(author, { publishTime }), Code.InvalidArgument, "validation", "publish_time");
  await refused(kept(author, { text: "", publishTime: inMs(dayMs) }), Code.InvalidArgument, "validation", "text");
  const draft = await kept(author, { publishTime: inMs(366 * dayMs - 5_000) });
  const { draft: free } = await post.updateDraft({ draftId: draft.id, unschedule: true }, as(author));
  assert.equal(free?.publishTime, undefined);
  assert.deepEqual(await rows("SELECT 1 FROM schedule WHERE author_id = ?", author), []);
});

test("what is due is published: with its new text and at its new time where those were changed", async () => {
  const author = somebody();
  const late = await kept(author, { text: "first", publishTime: inMs(dayMs) });
  const moved = await kept(author, { text: "stays", publishTime: inMs(dayMs) });
  const publishTime = inMs(300);
  await post.updateDraft({ draftId: late.id, text: "second", publishTime }, as(author));
  await until("it is published", async () => (await postsOf(author)).length > 0);
  const [only, more] = await postsOf(author);
  assert.deepEqual([only?.text, more], ["second", undefined]);
  assert.deepEqual(
    (await list(author)).map(({ id }) => id),
    [moved.id],
  );
  const { posts } = await post.batchGetPosts({ postIds: [String(only?.id)] }, as());
  const createTime = posts[0]?.post?.createTime;
  assert.ok(createTime && timestampMs(createTime) >= timestampMs(publishTime), "not before it was due");
});

test("the scheduled post of an account that is not open then stays a draft", async () => {
  const author = somebody();
  const draft = await kept(author, { publishTime: inMs(400) });
  await system.clients.graph.setOwnState({ state: AccountState.DEACTIVATED }, as(author));
  await until("it is no longer scheduled", async () => {
    const [row] = await rows("SELECT publish_time FROM draft WHERE draft_id = ?", draft.id);
    return row?.publish_time === null;
  });
  assert.deepEqual(await postsOf(author), []);
});

/** What its author's followers would be shown of an author. */
async function listed(author: string): Promise<string[]> {
  const { redis } = system;
  const pipeline = redis.pipeline();
  authorTimelines.readHead(redis, pipeline, BigInt(author), 800);
  return sliceOf((await redis.run(pipeline))[0]).entries.map(({ activityId }) => String(activityId));
}

test("each scheduled post is published once, and shown, whenever the process is killed at the due second", async () => {
  const authors = Array.from({ length: 24 }, somebody);
  for (let round = 0; round < 3; round++) {
    const authorIds = authors.map(BigInt);
    await post.batchListActivities({ authorIds, limit: 800 }, as());
    const publishTime = inMs(1_000);
    await Promise.all(authors.map((author) => kept(author, { text: `round ${round}`, publishTime })));
    const published = async () =>
      Number((await rows("SELECT COUNT(*) AS n FROM post WHERE text = ?", `round ${round}`))[0]?.n);
    await until("the first is published", async () => (await published()) > 0);
    await system.kill("post", "SIGKILL");
    const before = await published();
    await system.start("post");
    await until("all are published", async () => (await published()) >= authors.length);
    assert.ok(before <= authors.length);
  }
  for (const author of authors) {
    const made = await postsOf(author);
    assert.deepEqual(made.map(({ text }) => text).sort(), ["round 0", "round 1", "round 2"]);
    assert.deepEqual(await list(author), []);
    for (const { id } of made) {
      const facts = await rows("SELECT type FROM outbox WHERE aggregate = ?", `post:${id}`);
      assert.deepEqual(
        facts.map(({ type }) => type),
        ["PostCreated"],
      );
    }
    const ids = made.map(({ id }) => String(id)).sort();
    await until("the author's timeline has them", async () => (await listed(author)).sort().join() === ids.join());
  }
});
