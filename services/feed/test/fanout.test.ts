import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { homeTimelines } from "#lib/readmodel/families.ts";
import { lag } from "#lib/readmodel/lag.ts";
import { encodeEntry } from "#lib/readmodel/timeline.ts";
import { newId } from "#lib/storage/id.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await openWorld(process.env);
});
after(() => world?.close());

/** More than two packed pages of a scan. */
const followersMany = 9_000;

/** Imported followers of an author, by ascending id: the order in which a fan-out reaches them. */
async function followersOf(author: string, count: number): Promise<string[]> {
  const followers = Array.from({ length: count }, () => newId()).sort((a, b) => (a < b ? -1 : 1));
  for (let at = 0; at < count; at += 4_500) {
    const lists = followers
      .slice(at, at + 4_500)
      .map((id) => ({ followerId: String(id), followeeIds: [BigInt(author)] }));
    await world.system.operator.graph.importFollows({ lists }, world.as());
  }
  return followers.map(String);
}

async function tasks(where = "after_id >= 0"): Promise<number> {
  const [row] = await world.system.db("feed").query(`SELECT COUNT(*) AS n FROM fanout_task WHERE ${where}`);
  return Number(row?.n);
}

test("kill -9 in the middle of long fan-outs: they go on where they were, and every active timeline has every post", {
  timeout: 90_000,
}, async () => {
  const [author] = await world.people(1);
  const followers = await followersOf(author, followersMany);
  // At both ends, at the edges of pages, and in between.
  const active = [0, 1, 2_000, 4_094, 4_095, 4_096, 4_097, 6_000, 8_191, 8_192, 8_999].map(
    (nth) => followers[nth] as string,
  );
  for (const viewer of active) assert.deepEqual(await world.home(viewer), []);
  const idle = [3, 5_000, 8_998].map((nth) => followers[nth] as string);
  const posts: string[] = [];
  for (const net of ["tasks and lag", "tasks alone"]) {
    posts.push(...(await Promise.all(Array.from({ length: 12 }, () => world.post(author)))));
    const newest = posts.sort((a, b) => (BigInt(a) > BigInt(b) ? -1 : 1));
    await until("a fan-out is past its first page", async () => (await tasks("after_id > 0")) > 0);
    await world.system.kill("feed", "SIGKILL");
    assert.ok((await tasks()) > 0, "the kill came too late to prove anything");
    await world.system.start("feed");
    assert.deepEqual(await world.home(active[7] as string), newest, "through the lag, meanwhile");
    const { redis } = world.system;
    if (net === "tasks alone") await redis.run(redis.pipeline().del(redis.soleKey("lag")));
    await until(`no task is left, by ${net}`, async () => (await tasks()) === 0);
    await world.fannedOut();
    for (const viewer of active) assert.deepEqual(await world.timeline(viewer), { ids: newest, sealed: true });
    for (const viewer of idle) assert.deepEqual(await world.timeline(viewer), { ids: [], sealed: false });
    for (const viewer of active) assert.deepEqual(await world.home(viewer), newest);
  }
  for (const viewer of idle) assert.deepEqual(await world.home(viewer), posts);
});

test("an entry of the lag that has no task becomes one", { timeout: 60_000 }, async () => {
  const [author, fan] = await world.people(2);
  await world.follow(fan, author);
  await world.home(fan);
  const activityId = BigInt(await world.post(author));
  await world.fannedOut();
  // As if the fact had been lost on its way: the timeline lacks the post, the lag has it since a minute ago.
  const { redis } = world.system;
  const entry = { activityId, authorId: BigInt(author) };
  const pipeline = redis.pipeline().lrem(homeTimelines.keyOf(redis, BigInt(fan)), 0, encodeEntry(entry));
  lag.add(redis, pipeline, [entry], Date.now() - 60_000);
  await redis.run(pipeline);
  assert.deepEqual(await world.timeline(fan), { ids: [], sealed: true });
  assert.deepEqual(await world.home(fan), [String(activityId)], "the lag shows it");
  await world.fannedOut();
  assert.deepEqual(await world.timeline(fan), { ids: [String(activityId)], sealed: true });
});

test("facts that were told while feed was away are fanned out when it is back", { timeout: 60_000 }, async () => {
  const [author, fan] = await world.people(2);
  await world.follow(fan, author);
  await world.home(fan);
  await world.system.kill("feed", "SIGKILL");
  const posts: string[] = [];
  for (let nth = 0; nth < 20; nth++) posts.unshift(await world.post(author));
  await world.system.start("feed");
  assert.deepEqual(await world.home(fan), posts);
  await world.fannedOut();
  assert.deepEqual((await world.timeline(fan)).ids, posts);
});
