import assert from "node:assert/strict";
import { after, before, test } from "node:test";
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
  const { home } = feedReadModel({ redis, truth });
  return async (viewer: string) => {
    Object.assign(spent, { trips: 0, commands: 0, calls: 0 });
    const { items } = await home(BigInt(viewer), undefined, pageSize, onBehalfOf(viewer, "feed", 10_000));
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
});
