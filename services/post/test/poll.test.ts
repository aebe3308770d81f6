import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import type { PollState } from "#gen/skein/post/v1/poll_pb.ts";
import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { peopleOf } from "#lib/harness/people.ts";
import { refused } from "#lib/harness/refused.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { isAway } from "#lib/mesh/errors.ts";

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

const asked = { options: ["tea", "coffee", "水"], durationSeconds: 300, multiple: false };
type Asked = { poll?: typeof asked; text?: string; audience?: Audience; idempotencyKey?: string };
const create = (author: string, more: Asked = {}) =>
  post.createPost({ text: "which?", poll: asked, idempotencyKey: newKey(), ...more }, as(author));
const idOf = async (author: string, more: Asked = {}) => (await create(author, more)).post?.id ?? "";
const vote = async (voter: string, postId: string, options: number[]) =>
  (await post.vote({ postId, options }, as(voter))).state;
const stateOf = async (viewer: string | undefined, postId: string) =>
  (await post.batchGetPolls({ postIds: [postId] }, as(viewer))).polls[0]?.state;
const end = (postId: string) =>
  system.db("post").query("UPDATE poll SET end_time = NOW(3) WHERE post_id = ?", [postId]);
const told = (state: PollState | undefined) =>
  state && [state.voterCount, state.voteCounts, state.ownOptions, state.ended];

test("a poll is kept byte for byte, changed by no edit, and asked for once under its key", async () => {
  const author = somebody();
  const idempotencyKey = newKey();
  const { post: made } = await create(author, { idempotencyKey });
  assert.deepEqual({ ...made?.content?.poll }, { ...asked, $typeName: "skein.post.v1.PostPoll" });
  assert.equal((await create(author, { idempotencyKey })).replayed, true);
  const other = create(author, { idempotencyKey, poll: { ...asked, options: ["tea", "water"] } });
  await refused(other, Code.FailedPrecondition, "idempotency-key-reused");
  const edited = await post.editPost({ postId: made?.id ?? "", text: "what now?" }, as(author));
  assert.deepEqual(edited.post?.content?.poll, made?.content?.poll);
});

test("what makes no poll is refused, and named", async () => {
  const author = somebody();
  const refuse = (poll: Partial<typeof asked>, field: string) =>
    refused(create(author, { poll: { ...asked, ...poll } }), Code.InvalidArgument, "validation", field);
  for (const options of [["a"], Array.from({ length: 11 }, String)]) await refuse({ options }, "poll.options");
  for (const option of ["a", "", " ", "👩‍👩‍👧".repeat(51)]) await refuse({ options: ["a", option] }, "poll.options[1]");
  for (const durationSeconds of [0, 299, 2_592_001]) await refuse({ durationSeconds }, "poll.duration_seconds");
  const most = { options: ["👩‍👧".repeat(30), ..."123456789"], durationSeconds: 2_592_000, multiple: true };
  assert.equal((await create(author, { poll: most })).post?.content?.poll?.options.length, 10);
});

test("counts are told to who voted and to its author, to all once it is over, and what somebody chose to them alone", async () => {
  const [author, voter, other] = [somebody(), somebody(), somebody()];
  const postId = await idOf(author);
  assert.deepEqual(told(await vote(voter, postId, [1])), [1, [0, 1, 0], [1], false]);
  assert.deepEqual(told(await stateOf(voter, postId)), [1, [0, 1, 0], [1], false]);
  assert.deepEqual(told(await stateOf(author, postId)), [1, [0, 1, 0], [], false]);
  for (const viewer of [other, undefined]) assert.deepEqual(told(await stateOf(viewer, postId)), [1, [], [], false]);
  await end(postId);
  for (const viewer of [other, undefined])
    assert.deepEqual(told(await stateOf(viewer, postId)), [1, [0, 1, 0], [], true]);
});

test("a vote is final: again is the same as once, otherwise is refused, and after the end nobody votes", async () => {
  const [author, voter, late] = [somebody(), somebody(), somebody()];
  const postId = await idOf(author);
  await vote(voter, postId, [0]);
  await refused(vote(voter, postId, [2]), Code.FailedPrecondition, "already-voted");
  await refused(vote(author, postId, [0]), Code.FailedPrecondition, "own-poll");
  for (const options of [[], [0, 1], [1, 1]]) {
    await refused(vote(late, postId, options), Code.InvalidArgument, "validation", "options");
  }
  await refused(vote(late, postId, [3]), Code.InvalidArgument, "validation", "options[0]");
  const plain = await post.createPost({ text: "no poll", idempotencyKey: newKey() }, as(author));
  await refused(vote(late, plain.post?.id ?? "", [0]), Code.FailedPrecondition, "no-poll");
  await end(postId);
  assert.deepEqual(told(await vote(voter, postId, [0])), [1, [1, 0, 0], [0], true]);
  await refused(vote(late, postId, [0]), Code.FailedPrecondition, "poll-ended");
  assert.deepEqual(told(await stateOf(late, postId)), [1, [1, 0, 0], [], true]);
});

test("100 people who vote at once are counted once each, also those whose vote is sent twice at the same time", async () => {
  const author = somebody();
  const postId = await idOf(author, { poll: { ...asked, multiple: true } });
  const choices = [[0], [1], [0, 2], [2], [0, 1, 2]];
  const voters = Array.from({ length: 100 }, (_, nth) => ({ voter: somebody(), options: choices[nth % 5] ?? [] }));
  // Whoever is shed, or too late on a busy machine, sends it again.
  const insist = async (voter: string, options: number[]): Promise<unknown> =>
    vote(voter, postId, options).catch((reason) => (isAway(reason) ? insist(voter, options) : Promise.reject(reason)));
  const send = (of: typeof voters) => Promise.all(of.map(({ voter, options }) => insist(voter, options)));
  const [once, twice] = [voters.slice(50), voters.slice(0, 50)];
  await send([...twice, ...once.slice(0, 10), ...twice]);
  await send(once);
  assert.deepEqual(told(await stateOf(author, postId)), [100, [60, 40, 60], [], false]);
  const rows = await system.db("post").query("SELECT options FROM poll_vote WHERE post_id = ?", [postId]);
  assert.equal(rows.length, 100);
});

test("a poll is as visible as its post: to strangers, who are blocked, and when it is deleted there is none", async () => {
  const [author, blocked, follower] = [somebody(), somebody(), somebody()];
  const forFollowers = await idOf(author, { audience: Audience.FOLLOWERS });
  const forAll = await idOf(author);
  await system.clients.graph.followUser({ userId: author }, as(follower));
  await system.clients.graph.blockUser({ userId: blocked }, as(author));
  assert.deepEqual(told(await vote(follower, forFollowers, [2])), [1, [0, 0, 1], [2], false]);
  for (const [viewer, postId] of [
    [blocked, forAll],
    [somebody(), forFollowers],
  ] as const) {
    await refused(vote(viewer, postId, [0]), Code.NotFound, "not-found");
    assert.equal(await stateOf(viewer, postId), undefined);
  }
  const closed = somebody();
  await system.clients.graph.setOwnState({ state: AccountState.DEACTIVATED }, as(closed));
  await refused(vote(closed, forAll, [0]), Code.PermissionDenied, "account-deactivated");
  await post.deletePost({ postId: forFollowers }, as(author));
  await refused(vote(follower, forFollowers, [2]), Code.NotFound, "not-found");
  assert.equal(await stateOf(author, forFollowers), undefined);
});

test("a draft holds a poll, which opens when it is public", async () => {
  const [author, voter] = [somebody(), somebody()];
  const { draft } = await post.createDraft({ text: "which?", poll: asked, idempotencyKey: newKey() }, as(author));
  assert.deepEqual({ ...draft?.poll }, { ...asked, $typeName: "skein.post.v1.PostPoll" });
  const draftId = draft?.id ?? "";
  const removed = await post.updateDraft({ draftId, removePoll: true }, as(author));
  assert.equal(removed.draft?.poll, undefined);
  const poll = { ...asked, durationSeconds: 600 };
  assert.equal((await post.updateDraft({ draftId, poll }, as(author))).draft?.poll?.durationSeconds, 600);
  const { post: made } = await post.publishDraft({ draftId }, as(author));
  assert.deepEqual(told(await vote(voter, made?.id ?? "", [0])), [1, [1, 0, 0], [0], false]);
});
