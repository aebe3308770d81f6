import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { newId } from "#lib/storage/id.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { cards, decodeCard, encodeCard, forEverybody } from "../card.ts";
import { memberSetFamily, type SetState, setStateOf } from "../member-set.ts";

/** A family of the test's own, small enough to overflow. */
const membersMax = 6_000;
const sets = memberSetFamily("test", membersMax);
const whole = (version: bigint): SetState => ({ version, lowWatermark: 0n });

let place: Scratch;
let redis: Redis;
before(async () => {
  place = scratch(process.env);
  redis = await place.openRedis();
});
after(() => place.close());

async function members(ownerId: bigint): Promise<{ version: string | null; ids: string[] | undefined }> {
  const pipeline = redis.pipeline().get(sets.stateKey(redis, ownerId)).smembers(sets.setKey(redis, ownerId));
  const [state, ids] = (await redis.run(pipeline)) as [string | null, string[]];
  return {
    version: setStateOf(state)?.version.toString() ?? null,
    ids: ids.length === 0 ? undefined : ids.filter((id) => id !== "0").sort(),
  };
}

test("changes that arrive in any order leave the set right, or missing; never wrong", async () => {
  const change = fc.record({ memberId: fc.integer({ min: 1, max: 5 }), isMember: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 12 }),
      fc.infiniteStream(fc.nat(100)),
      async (changes, dice) => {
        const ownerId = newId();
        await (await sets.rebuild(redis, ownerId))(whole(0n), []);
        const numbered = changes.map((one, nth) => ({
          ownerId,
          memberId: BigInt(one.memberId),
          isMember: one.isMember,
          version: BigInt(nth + 1),
        }));
        const shuffled = numbered.map((one) => ({ one, at: dice.next().value as number })).sort((a, b) => a.at - b.at);
        for (const { one } of shuffled) await sets.apply(redis, one);
        const { version, ids } = await members(ownerId);
        if (ids === undefined) return;
        const right = new Set<string>();
        for (const { memberId, isMember } of numbered)
          isMember ? right.add(String(memberId)) : right.delete(String(memberId));
        assert.deepEqual([version, ids], [String(numbered.length), [...right].sort()]);
      },
    ),
    { numRuns: 80 },
  );
});

test("a change during a build makes the build void", async () => {
  const ownerId = newId();
  const keep = await sets.rebuild(redis, ownerId);
  await sets.apply(redis, { ownerId, memberId: 9n, isMember: true, version: 8n });
  await keep(whole(7n), [1n, 2n]);
  assert.equal((await members(ownerId)).ids, undefined);
  await (await sets.rebuild(redis, ownerId))(whole(8n), [1n, 2n, 9n]);
  assert.deepEqual(await members(ownerId), { version: "8", ids: ["1", "2", "9"] });
});

test("a build that read what was committed meanwhile stands, also beside another; one that was flushed away does not", async () => {
  const ownerId = newId();
  const [first, second] = [await sets.rebuild(redis, ownerId), await sets.rebuild(redis, ownerId)];
  await sets.catchUp(redis, new Map([[ownerId, 8n]]));
  await first(whole(8n), [1n, 9n]);
  assert.deepEqual(await members(ownerId), { version: "8", ids: ["1", "9"] });
  await second(whole(7n), [1n]);
  assert.deepEqual(await members(ownerId), { version: "8", ids: ["1", "9"] });
  const third = await sets.rebuild(redis, ownerId);
  await sets.drop(redis, [ownerId]);
  await third(whole(8n), [1n, 9n]);
  assert.equal((await members(ownerId)).ids, undefined);
});

test("a set of thousands is built whole", async () => {
  const ownerId = newId();
  const ids = Array.from({ length: 5000 }, (_, nth) => BigInt(nth + 1));
  await (await sets.rebuild(redis, ownerId))(whole(3n), ids);
  assert.equal((await members(ownerId)).ids?.length, 5000);
});

test("a set that would grow beyond its bound is dropped, and its low watermark stays through changes", async () => {
  const ownerId = newId();
  const ids = Array.from({ length: membersMax - 1 }, (_, nth) => BigInt(nth + 1));
  await (await sets.rebuild(redis, ownerId))({ version: 1n, lowWatermark: 77n }, ids);
  await sets.apply(redis, { ownerId, memberId: 999_999n, isMember: true, version: 2n });
  const [state] = await redis.run(redis.pipeline().get(sets.stateKey(redis, ownerId)));
  assert.deepEqual(setStateOf(state), { version: 2n, lowWatermark: 77n });
  await sets.apply(redis, { ownerId, memberId: 999_998n, isMember: true, version: 3n });
  assert.deepEqual(await members(ownerId), { version: null, ids: undefined });
});

test("a later card stands against every older one, and a fill begun before a flush is refused", async () => {
  const id = newId();
  const card = (version: number, deleted = false) => ({
    id,
    value: encodeCard({ version, authorId: 3n, deleted, ...forEverybody }),
  });
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
  assert.deepEqual(await read(), { version: 2, authorId: 3n, deleted: true, ...forEverybody });

  const stale = await cards.fill(redis, [id]);
  await redis.run(redis.pipeline().del(cards.keyOf(redis, id), redis.bucketKey("epoch.card", id)));
  await stale([card(1)]);
  assert.equal(await read(), undefined);
});
