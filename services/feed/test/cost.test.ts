import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { until } from "#lib/harness/until.ts";
import { onBehalfOf } from "#lib/mesh/call.ts";
import { newId } from "#lib/storage/id.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { looking } from "../src/read-model/look.ts";
import { truthOf } from "../src/read-model/truth.ts";
import { feedReadModel } from "../src/read-model.ts";
import { openWorld, type World } from "./world.ts";

/** What the one viewer has, and the other has nothing of. */
const followings = 2_000;
const ties = 100;
const pageSize = 10;

let world: World;
before(async () => {
  world = await openWorld(process.env);
});
after(() => world?.close());

/** Home reads of a process that has nothing near yet, and what each of them costs. */
function counting({ system }: World) {
  const spent = { trips: 0, commands: 0, settled: 0, calls: 0 };
  const trips = (way: "run" | "runEach") => (pipeline: Parameters<Redis["run"]>[0]) => {
    spent.trips++;
    spent.commands += pipeline.length;
    return system.redis[way](pipeline);
  };
  const redis: Redis = Object.assign(Object.create(system.redis), {
    run: trips("run"),
    runEach: trips("runEach"),
    track(listener: Parameters<Redis["track"]>[0]) {
      const tracking = system.redis.track(listener);
      const settled = () => {
        spent.settled++;
        return tracking.settled();
      };
      return { ...tracking, settled };
    },
  });
  const counted = <C extends object>(client: C): C =>
    new Proxy(client, {
      get: (of, name) => {
        return (...asked: unknown[]) => {
          spent.calls++;
          return (Reflect.get(of, name) as (...args: unknown[]) => unknown)(...asked);
        };
      },
    });
  const { graph, post, user, like, comment } = system.clients;
  const truth = truthOf({
    graph: counted(graph),
    post: counted(post),
    save: counted(post),
    user: counted(user),
    like: counted(like),
    comment: counted(comment),
  });
  const { home, newer } = feedReadModel({ redis, truth, look: looking(redis) });
  return async (viewer: string, after?: bigint) => {
    Object.assign(spent, { trips: 0, commands: 0, settled: 0, calls: 0 });
    const [viewerId, options] = [BigInt(viewer), onBehalfOf(viewer, "feed", 10_000)];
    const page =
      after === undefined ? home(viewerId, undefined, pageSize, options) : newer(viewerId, after, pageSize, options);
    const { items } = await page;
    return { ...spent, items: items.length };
  };
}

/** What a page costs whose parts are in Redis and not near, and then one whose parts are. */
async function costsOf(viewer: string) {
  const before = counting(world);
  await until("Redis has it all", async () => (await before(viewer)).calls === 0);
  const read = counting(world);
  const [stranger] = await world.people(1);
  // A process that just began asks once whether Redis may be believed.
  await until("Redis is believed", async () => (await read(stranger)).trips === 1);
  const far = await read(viewer);
  await until("all of it is near", async () => (await read(viewer)).trips === 1);
  return { far, near: await read(viewer), read };
}

test("a warm home read costs as many commands for who follows 2,000 and blocks and mutes a hundred each, and no call", async (t) => {
  const { system, as } = world;
  const [loner, hub, followee] = await world.people(3);
  const others = await world.people(2 * ties);
  const strangers = Array.from({ length: followings - ties - 1 }, () => newId());
  const muted = others.slice(ties);
  const followeeIds = [...[followee, ...muted].map(BigInt), ...strangers];
  await system.operator.graph.importFollows({ lists: [{ followerId: hub, followeeIds }] }, as());
  for (const userId of others.slice(0, ties)) await system.clients.graph.blockUser({ userId }, as(hub));
  for (const userId of muted) await system.clients.graph.muteUser({ userId }, as(hub));
  const times = Array.from({ length: 2 * pageSize }, (_, nth) => Date.now() - nth * 1_000);
  await world.importPosts([loner, followee].flatMap((authorId) => times.map((timeMs) => ({ authorId, timeMs }))));
  await world.fannedOut();
  for (const viewer of [loner, hub]) await world.home(viewer);
  const [one, other] = [await costsOf(loner), await costsOf(hub)];
  t.diagnostic(JSON.stringify([one, other]));
  assert.deepEqual(other.near, one.near);
  assert.deepEqual(one.near, { trips: 1, commands: 3, settled: 1, calls: 0, items: pageSize });
  assert.deepEqual([one.far.trips, other.far.trips], [2, 2]);
  const bottom = BigInt((await world.home(hub)).at(-1) ?? 0);
  await until("a page above a place costs as much", async () => {
    const { items, ...above } = await other.read(hub, bottom);
    return items === pageSize && isDeepStrictEqual(above, { trips: 1, commands: 3, settled: 1, calls: 0 });
  });
});

test("a page with reposts costs one round trip more, however many there are, none where they are near, and no call", async (t) => {
  const { system, as } = world;
  const [viewer, author] = await world.people(2);
  await world.importPosts(
    Array.from({ length: 2 * pageSize }, (_, nth) => ({ authorId: author, timeMs: Date.now() - nth * 1_000 })),
  );
  await world.fannedOut();
  const { items } = await world.feed.listAuthorFeed({ authorId: author, pageSize }, as());
  const costs: Awaited<ReturnType<typeof costsOf>>[] = [];
  for (const some of [items.slice(0, 1), items]) {
    for (const { postId } of some) await system.clients.post.repost({ postId }, as(viewer));
    costs.push(await costsOf(viewer));
  }
  assertSame(t, costs);
});

test("a page with quotes costs one round trip more, however many there are, none where they are near, and no call", async (t) => {
  const { system, as } = world;
  const [author, quoter, viewer] = await world.people(3);
  await world.follow(viewer, quoter);
  await world.importPosts(
    Array.from({ length: pageSize }, (_, nth) => ({ authorId: author, timeMs: Date.now() - nth * 1_000 })),
  );
  await world.fannedOut();
  const { items } = await world.feed.listAuthorFeed({ authorId: author, pageSize }, as());
  for (const { postId: id } of items.slice(0, 3)) {
    await system.clients.like.like({ subject: { kind: SubjectKind.POST, id }, reaction: Reaction.LIKE }, as(viewer));
    await system.clients.post.repost({ postId: id }, as(viewer));
    await system.clients.post.undoRepost({ postId: id }, as(viewer));
  }
  const costs: Awaited<ReturnType<typeof costsOf>>[] = [];
  for (const some of [items.slice(0, 1), items.slice(1)]) {
    for (const { postId } of some) {
      const quoting = { text: "look", quotedPostId: BigInt(postId), idempotencyKey: postId };
      await system.clients.post.createPost(quoting, as(quoter));
    }
    costs.push(await costsOf(viewer));
  }
  assertSame(t, costs);
});

/** Of one and of a page of them: one round trip more than without any where it is far, and none where it is near. */
function assertSame(t: TestContext, costs: readonly Awaited<ReturnType<typeof costsOf>>[]): void {
  t.diagnostic(JSON.stringify(costs));
  assert.deepEqual(
    costs.map(({ far, near }) => [far.trips, far.items, near]),
    [1, pageSize].map((items) => [3, items, { trips: 1, commands: 3, settled: 1, calls: 0, items }]),
  );
}

test("an entry that is hidden costs one round trip more, none where all is near, and the page is full", async (t) => {
  const { system, as } = world;
  const [viewer, author] = await world.people(2);
  await world.follow(viewer, author);
  await world.importPosts(
    Array.from({ length: 2 * pageSize }, (_, nth) => ({ authorId: author, timeMs: Date.now() - nth * 1_000 })),
  );
  await world.fannedOut();
  const [postId = ""] = await world.home(viewer);
  const whole = await costsOf(viewer);
  await system.clients.post.deletePost({ postId }, as(author));
  const filled = await costsOf(viewer);
  t.diagnostic(JSON.stringify([whole, filled]));
  assert.deepEqual([whole.far.trips, filled.far.trips], [2, 3]);
  assert.deepEqual(filled.near, whole.near);
  assert.deepEqual(whole.near, { trips: 1, commands: 3, settled: 1, calls: 0, items: pageSize });
});
