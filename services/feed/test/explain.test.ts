import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { type ExplainPostResponse, ExplanationKind as Kind, TimelineState } from "#gen/skein/feed/v1/explain_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import { until } from "#lib/harness/until.ts";
import { followSets, homeTimelines } from "#lib/readmodel/families.ts";
import { lag } from "#lib/readmodel/lag.ts";
import { encodeEntry } from "#lib/readmodel/timeline.ts";
import { newId } from "#lib/storage/id.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await openWorld(process.env);
});
after(() => world?.close());

const explain = (viewerId: string, postId: string) =>
  world.system.operator.feed.explainPost({ viewerId, postId }, world.as());
const kinds = ({ reasons }: ExplainPostResponse) => reasons.map(({ kind }) => kind);

/** Visits until the follow set stands too: the relay may take away one that was built while a follow was told. */
async function visit(viewer: string): Promise<void> {
  const { redis } = world.system;
  await until("the viewer's timeline and set stand", async () => {
    await world.home(viewer);
    const [state] = await redis.run(redis.pipeline().get(followSets.stateKey(redis, BigInt(viewer))));
    return state !== null;
  });
}

test("only the operator's commands ask why, and by ids", async () => {
  const [viewer] = await world.people(1);
  await refused(
    world.feed.explainPost({ viewerId: viewer, postId: viewer }, world.as(viewer)),
    Code.PermissionDenied,
    "forbidden",
  );
  await refused(explain("ada", viewer), Code.InvalidArgument, "validation", "viewer_id");
  await refused(explain(viewer, "first"), Code.InvalidArgument, "validation", "post_id");
});

test("asking changes nothing: a timeline nobody visited stays missing, and what it will hold is told", async () => {
  const [author, fan] = await world.people(2);
  await world.follow(fan, author);
  const id = await world.post(author);
  await world.fannedOut();
  const told = await explain(fan, id);
  assert.deepEqual([told.shown, kinds(told)], [true, [Kind.FOLLOWING, Kind.PULLED_WHEN_MADE]]);
  assert.equal(told.reasons[1]?.time, undefined);
  assert.equal(told.facts?.timeline?.state, TimelineState.MISSING);
  assert.deepEqual(await world.timeline(fan), { ids: [], sealed: false });
});

test("a fan-out of several pages tells its times and all whom it reached, a week long", {
  timeout: 60_000,
}, async () => {
  const [author, fan] = await world.people(2);
  await world.follow(fan, author);
  const lists = Array.from({ length: 4_500 }, () => ({ followerId: String(newId()), followeeIds: [BigInt(author)] }));
  await world.system.operator.graph.importFollows({ lists }, world.as());
  await visit(fan);
  const id = await world.post(author);
  await world.fannedOut();
  const told = await explain(fan, id);
  assert.deepEqual(kinds(told), [Kind.FOLLOWING, Kind.PUSHED]);
  const { publicTime, beginTime, endTime, followerCount } = told.reasons[1]?.fanout ?? {};
  assert.equal(followerCount, 4_501);
  assert.ok(publicTime && beginTime && endTime, "all three times");
  assert.ok(timestampMs(publicTime) <= timestampMs(beginTime) && timestampMs(beginTime) <= timestampMs(endTime));

  const db = world.system.db("feed");
  await db.exec("UPDATE fanout_done SET end_time = ? WHERE activity_id = ?", [
    new Date(Date.now() - 8 * 86_400_000),
    id,
  ]);
  await until("it is forgotten", async () => (await explain(fan, id)).facts?.fanout === undefined);
  assert.deepEqual(kinds(await explain(fan, id)), [Kind.FOLLOWING, Kind.PUSHED], "the timeline still tells the way");
});

test("what the read lacks although it is due is a bug, on the side of the read", { timeout: 60_000 }, async () => {
  const [author, fan] = await world.people(2);
  await world.follow(fan, author);
  await visit(fan);
  const activityId = BigInt(await world.post(author));
  await world.fannedOut();
  const { redis } = world.system;
  const entry = { activityId, authorId: BigInt(author) };
  await redis.run(redis.pipeline().lrem(homeTimelines.keyOf(redis, BigInt(fan)), 0, encodeEntry(entry)));
  const bug = await explain(fan, String(activityId));
  assert.deepEqual([bug.shown, kinds(bug)], [false, [Kind.INCONSISTENT_HIDDEN, Kind.FOLLOWING]]);
  assert.deepEqual([bug.facts?.due, bug.facts?.proposed, bug.facts?.visible], [true, false, true]);

  const pipeline = redis.pipeline();
  const sinceMs = Date.now();
  lag.add(redis, pipeline, [entry], sinceMs);
  await redis.run(pipeline);
  const late = await explain(fan, String(activityId));
  assert.deepEqual(kinds(late), [Kind.FOLLOWING, Kind.PULLED_FROM_LAG]);
  assert.equal(late.reasons[1]?.time && timestampMs(late.reasons[1].time), sinceMs);
  const clean = redis.pipeline();
  lag.remove(redis, clean, [entry]);
  await redis.run(clean);
});

test("who has no profile is in no feed", async () => {
  const [fan] = await world.people(1);
  const author = String(newId());
  const lists = [{ followerId: fan, followeeIds: [BigInt(author)] }];
  await world.system.operator.graph.importFollows({ lists }, world.as());
  await world.importPosts([{ authorId: author, timeMs: Date.now() - 60_000 }]);
  const [id = ""] = await world.authorTruth(author);
  const told = await explain(fan, id);
  assert.deepEqual([told.shown, kinds(told)], [false, [Kind.NO_PROFILE]]);
  assert.deepEqual(await world.home(fan), []);
});

test("a post that was imported with an old time counts by when it was told, not by its own time", async () => {
  const [author, fan] = await world.people(2);
  await world.follow(fan, author);
  await visit(fan);
  const hourMs = 3_600_000;
  await world.importPosts([{ authorId: author, timeMs: Date.now() - hourMs }]);
  await world.fannedOut();
  const [id = ""] = await world.authorTruth(author);
  assert.deepEqual(kinds(await explain(fan, id)), [Kind.FOLLOWING, Kind.PUSHED]);
});

test("a post that somebody passed on is explained by that, and a repost by what it passes on", async () => {
  const { post, graph } = world.system.clients;
  const [author, friend, viewer] = await world.people(3);
  await world.follow(viewer, friend);
  const id = await world.post(author);
  const { activityId } = await post.repost({ postId: id }, world.as(friend));
  await world.fannedOut();
  const told = await explain(viewer, id);
  assert.deepEqual([told.shown, kinds(told)], [true, [Kind.PASSED_ON, Kind.NOT_FOLLOWING]]);
  assert.deepEqual([told.reasons[0]?.repostId, told.reasons[0]?.repostedById], [activityId, friend]);
  const repost = await explain(viewer, activityId);
  assert.deepEqual([repost.shown, kinds(repost)[0], repost.facts?.due], [true, Kind.FOLLOWING, true]);
  await graph.muteUser({ userId: author }, world.as(viewer));
  const muted = await explain(viewer, activityId);
  assert.deepEqual([muted.shown, kinds(muted), muted.facts?.due], [false, [Kind.ORIGINAL_HIDDEN], false]);
  const hidden = await explain(viewer, id);
  assert.deepEqual([hidden.shown, kinds(hidden)], [false, [Kind.NOT_FOLLOWING, Kind.MUTED]]);
});
