import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { until } from "#lib/harness/until.ts";
import { createLog } from "#lib/mesh/log.ts";
import { cards, encodeCard, forEverybody } from "#lib/readmodel/card.ts";
import { homeTimelines } from "#lib/readmodel/families.ts";
import { encodeEntry } from "#lib/readmodel/timeline.ts";
import { createAuditor } from "../src/consumer/audit.ts";
import { looking } from "../src/read-model/look.ts";
import { truthOf } from "../src/read-model/truth.ts";
import { feedReadModel } from "../src/read-model.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await openWorld(process.env, { AUDIT_MS: "300" });
});
after(() => world?.close());

const entry = (authorId: string, id: string) => encodeEntry({ activityId: BigInt(id), authorId: BigInt(authorId) });

/** Somebody who follows an author of six posts and has read them: their feed stands in Redis. */
async function reader(): Promise<{ viewer: string; author: string; ids: string[]; key: string }> {
  const [viewer, author] = await world.people(4);
  await world.follow(viewer, author);
  const ids: string[] = [];
  for (let nth = 0; nth < 6; nth++) ids.push(await world.post(author));
  await world.fannedOut();
  assert.deepEqual(await world.home(viewer), ids.toReversed());
  return { viewer, author, ids: ids.toReversed(), key: homeTimelines.keyOf(world.system.redis, BigInt(viewer)) };
}

/** It stays wrong for whoever reads it until somebody mends it; on a slow day that was before the first look. */
async function mended(viewer: string, wrong: readonly string[]): Promise<void> {
  const first = await world.home(viewer);
  assert.ok(
    [wrong, await world.truth(viewer)].some((one) => isDeepStrictEqual(one, first)),
    first.join(),
  );
  await until("the auditor mends it", async () => {
    const [shown, due] = [await world.home(viewer), await world.truth(viewer)];
    return JSON.stringify(shown) === JSON.stringify(due);
  });
}

test("a post that is missing from a reader's timeline comes back", async () => {
  const { viewer, author, ids, key } = await reader();
  const { redis } = world.system;
  await redis.run(redis.pipeline().lrem(key, 1, entry(author, ids[2] as string)));
  await mended(viewer, ids.toSpliced(2, 1));
});

test("a deleted post whose card says that it stands goes", async () => {
  const { viewer, author, ids, key } = await reader();
  const [gone = ""] = ids;
  await world.remove(author, gone);
  const { redis } = world.system;
  const stale = encodeCard({ version: 1, authorId: BigInt(author), deleted: false, ...forEverybody });
  await redis.run(
    redis
      .pipeline()
      .set(cards.keyOf(redis, BigInt(gone)), stale)
      .lrem(key, 0, entry(author, gone))
      .lpush(key, entry(author, gone)),
  );
  await mended(viewer, ids);
});

test("a timeline that is out of order is made anew", async () => {
  const { viewer, author, ids, key } = await reader();
  const { redis } = world.system;
  await redis.run(
    redis
      .pipeline()
      .lset(key, 1, entry(author, ids[2] as string))
      .lset(key, 2, entry(author, ids[1] as string)),
  );
  await mended(
    viewer,
    [0, 2, 1, 3, 4, 5].map((nth) => ids[nth] as string),
  );
});

test("reposts are held to truth as posts are: one that is missing comes back, and a post that is there twice is right once", async () => {
  const { viewer, ids } = await reader();
  const { redis, clients } = world.system;
  const [friend] = await world.people(1);
  await world.follow(viewer, friend);
  const [newest = "", other = ""] = ids;
  const repost = async (postId: string) => (await clients.post.repost({ postId }, world.as(friend))).activityId;
  const [first, second] = [await repost(newest), await repost(other)];
  await world.fannedOut();
  const due = [second, first, ...ids.slice(2)];
  assert.deepEqual(await world.home(viewer), due, "each post where it is newest");
  const key = homeTimelines.keyOf(redis, BigInt(viewer));
  await redis.run(redis.pipeline().lrem(key, 1, entry(friend, second)));
  await until("the auditor mends it", async () => isDeepStrictEqual(await world.home(viewer), due));
});

test("what is written between a look at a feed and one at truth is no error, each time anew", async () => {
  const { viewer, author } = await reader();
  const { redis, clients } = world.system;
  const { graph, post, user, like, comment } = clients;
  const truth = truthOf({ graph, post, save: post, user, like, comment });
  let posts = 0;
  const interrupted = Object.assign(Object.create(truth) as typeof truth, {
    async followSet(...asked: Parameters<typeof truth.followSet>) {
      posts++;
      await world.post(author);
      return truth.followSet(...asked);
    },
  });
  const said: string[] = [];
  const log = createLog({ name: "auditor", level: "error", write: (line) => said.push(line) });
  const timelines = feedReadModel({ redis, truth, look: looking(redis) });
  const auditor = createAuditor({ timelines, truth: interrupted, redis, log, everyMs: 1 });
  auditor.saw(BigInt(viewer));
  const end = new AbortController();
  const auditing = auditor.loop(end.signal);
  // Three looks are an audit at most.
  await until("it was looked at for two audits", () => posts > 6);
  end.abort();
  await auditing;
  assert.deepEqual(said, []);
});
