import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { until } from "#lib/harness/until.ts";
import { cards, encodeCard, forEverybody } from "#lib/readmodel/card.ts";
import { homeTimelines } from "#lib/readmodel/families.ts";
import { encodeEntry } from "#lib/readmodel/timeline.ts";
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
