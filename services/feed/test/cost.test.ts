import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { until } from "#lib/harness/until.ts";
import { onBehalfOf } from "#lib/mesh/call.ts";
import { newId } from "#lib/storage/id.ts";
import type { Redis } from "#lib/storage/redis.ts";
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

/** Home reads in this process, and what each of them costs. */
function counting({ system }: World) {
  const spent = { trips: 0, commands: 0, calls: 0 };
  const trips = (way: "run" | "runEach") => (pipeline: Parameters<Redis["run"]>[0]) => {
    spent.trips++;
    spent.commands += pipeline.length;
    return system.redis[way](pipeline);
  };
  const redis: Redis = Object.assign(Object.create(system.redis), {
    run: trips("run"),
    runEach: trips("runEach"),
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
  const { home, newer } = feedReadModel({ redis, truth });
  return async (viewer: string, after?: bigint) => {
    Object.assign(spent, { trips: 0, commands: 0, calls: 0 });
    const [viewerId, options] = [BigInt(viewer), onBehalfOf(viewer, "feed", 10_000)];
    const page =
      after === undefined ? home(viewerId, undefined, pageSize, options) : newer(viewerId, after, pageSize, options);
    const { items } = await page;
    return { ...spent, items: items.length };
  };
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
  const read = counting(world);
  const costs: Awaited<ReturnType<typeof read>>[] = [];
  for (const viewer of [loner, hub]) {
    await until("the read is warm", async () => (await read(viewer)).calls === 0);
    costs.push(await read(viewer));
  }
  t.diagnostic(JSON.stringify(costs));
  assert.deepEqual(costs[1], costs[0]);
  assert.equal(costs[0]?.items, pageSize);
  assert.deepEqual([costs[0]?.trips, costs[0]?.commands], [2, 5]);
  const bottom = BigInt((await world.home(hub)).at(-1) ?? 0);
  assert.deepEqual(await read(hub, bottom), costs[0], "and a page above a place as many");
});

test("a page with reposts costs one round trip more, however many there are, and no call", async (t) => {
  const { system, as } = world;
  const [viewer, author] = await world.people(2);
  await world.importPosts(
    Array.from({ length: 2 * pageSize }, (_, nth) => ({ authorId: author, timeMs: Date.now() - nth * 1_000 })),
  );
  await world.fannedOut();
  const { items } = await world.feed.listAuthorFeed({ authorId: author, pageSize }, as());
  const read = counting(world);
  const costs: Awaited<ReturnType<typeof read>>[] = [];
  for (const some of [items.slice(0, 1), items]) {
    for (const { postId } of some) await system.clients.post.repost({ postId }, as(viewer));
    await until("the read is warm", async () => (await read(viewer)).calls === 0);
    costs.push(await read(viewer));
  }
  t.diagnostic(JSON.stringify(costs));
  assert.deepEqual(
    costs.map(({ trips, calls }) => [trips, calls]),
    [
      [3, 0],
      [3, 0],
    ],
  );
  assert.equal(costs[0]?.commands, costs[1]?.commands);
  assert.deepEqual([costs[0]?.items, costs[1]?.items], [1, pageSize]);
});

test("a page with quotes costs one round trip more, however many there are, and no call", async (t) => {
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
  const read = counting(world);
  const costs: Awaited<ReturnType<typeof read>>[] = [];
  for (const some of [items.slice(0, 1), items.slice(1)]) {
    for (const { postId } of some) {
      const quoting = { text: "look", quotedPostId: BigInt(postId), idempotencyKey: postId };
      await system.clients.post.createPost(quoting, as(quoter));
    }
    await until("the read is warm", async () => (await read(viewer)).calls === 0);
    costs.push(await read(viewer));
  }
  t.diagnostic(JSON.stringify(costs));
  assert.deepEqual(
    costs.map(({ trips, calls, items: shown }) => [trips, calls, shown]),
    [
      [3, 0, 1],
      [3, 0, pageSize],
    ],
  );
  assert.equal(costs[0]?.commands, costs[1]?.commands);
});

test("an entry that is hidden costs one round trip more, and the page is full", async (t) => {
  const { system, as } = world;
  const [viewer, author] = await world.people(2);
  await world.follow(viewer, author);
  await world.importPosts(
    Array.from({ length: 2 * pageSize }, (_, nth) => ({ authorId: author, timeMs: Date.now() - nth * 1_000 })),
  );
  await world.fannedOut();
  const read = counting(world);
  const costs: Awaited<ReturnType<typeof read>>[] = [];
  const [postId = ""] = await world.home(viewer);
  for (const hide of [async () => {}, () => system.clients.post.deletePost({ postId }, as(author))]) {
    await hide();
    await until("the read is warm", async () => (await read(viewer)).calls === 0);
    costs.push(await read(viewer));
  }
  t.diagnostic(JSON.stringify(costs));
  assert.deepEqual(
    costs.map(({ trips, calls, items }) => [trips, calls, items]),
    [
      [2, 0, pageSize],
      [3, 0, pageSize],
    ],
  );
});
