import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { newId } from "#lib/storage/id.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { cards, decodeCard, encodeCard } from "../card.ts";
import { followSets } from "../follow-set.ts";

let place: Scratch;
let redis: Redis;
before(async () => {
  place = scratch(process.env);
  redis = await place.openRedis();
});
after(() => place.close());

async function members(viewerId: bigint): Promise<{ version: string | null; ids: string[] | undefined }> {
  const pipeline = redis
    .pipeline()
    .get(followSets.versionKey(redis, viewerId))
    .smembers(followSets.setKey(redis, viewerId));
  const [version, ids] = (await redis.run(pipeline)) as [string | null, string[]];
  return { version, ids: ids.length === 0 ? undefined : ids.filter((id) => id !== "0").sort() };
}

test("changes that arrive in any order leave the set right, or missing; never wrong", async () => {
  const change = fc.record({ followeeId: fc.integer({ min: 1, max: 5 }), following: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 12 }),
      fc.infiniteStream(fc.nat(100)),
      async (changes, dice) => {
        const followerId = newId();
        await (await followSets.rebuild(redis, followerId))(0n, []);
        const numbered = changes.map((one, nth) => ({
          followerId,
          followeeId: BigInt(one.followeeId),
          following: one.following,
          version: BigInt(nth + 1),
        }));
        const shuffled = numbered.map((one) => ({ one, at: dice.next().value as number })).sort((a, b) => a.at - b.at);
        for (const { one } of shuffled) await followSets.apply(redis, [one]);
        const { version, ids } = await members(followerId);
        if (ids === undefined) return;
        const right = new Set<string>();
        for (const { followeeId, following } of numbered)
          following ? right.add(String(followeeId)) : right.delete(String(followeeId));
        assert.deepEqual([version, ids], [String(numbered.length), [...right].sort()]);
      },
    ),
    { numRuns: 80 },
  );
});

test("a change during a build makes the build void", async () => {
  const followerId = newId();
  const keep = await followSets.rebuild(redis, followerId);
  await followSets.apply(redis, [{ followerId, followeeId: 9n, following: true, version: 8n }]);
  await keep(7n, [1n, 2n]);
  assert.equal((await members(followerId)).ids, undefined);
  await (await followSets.rebuild(redis, followerId))(8n, [1n, 2n, 9n]);
  assert.deepEqual(await members(followerId), { version: "8", ids: ["1", "2", "9"] });
});

test("a follower of thousands is built whole", async () => {
  const followerId = newId();
  const ids = Array.from({ length: 5000 }, (_, nth) => BigInt(nth + 1));
  await (await followSets.rebuild(redis, followerId))(3n, ids);
  assert.equal((await members(followerId)).ids?.length, 5000);
});

test("a later card stands against every older one, and a fill begun before a flush is refused", async () => {
  const id = newId();
  const card = (version: number, deleted = false) => ({ id, value: encodeCard({ version, authorId: 3n, deleted }) });
  const read = async () => {
    const [bytes] = (await redis.run(redis.pipeline().getBuffer(cards.keyOf(redis, id)))) as [Buffer | null];
    return bytes === null ? undefined : decodeCard(bytes);
  };
  const put = async (entry: ReturnType<typeof card>) => {
    const pipeline = redis.pipeline();
    cards.put(redis, pipeline, entry);
    await redis.run(pipeline);
  };
  const fill = await cards.fill(redis, [id]);
  await put(card(2, true));
  await fill([card(1)]);
  await put(card(1));
  assert.deepEqual(await read(), { version: 2, authorId: 3n, deleted: true });

  const stale = await cards.fill(redis, [id]);
  await redis.run(redis.pipeline().del(cards.keyOf(redis, id), redis.bucketKey("epoch.card", id)));
  await stale([card(1)]);
  assert.equal(await read(), undefined);
});
