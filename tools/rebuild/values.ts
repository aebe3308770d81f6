import { setTimeout as sleep } from "node:timers/promises";
import { switchValue } from "#lib/readmodel/generation.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { againMs, looksMax, sum, type Tally, triesMax } from "./tally.ts";

type Needs = {
  readonly redis: Redis;
  readonly keyOf: (redis: Redis, id: bigint) => string;
  /** The values as they must be; an id that has none is not in the map. */
  readonly truth: (ids: readonly bigint[]) => Promise<ReadonlyMap<bigint, Buffer>>;
};

/**
 * Rebuilds small values. One that differs from truth in several looks is replaced by what truth says, unless somebody
 * wrote it in between. A value is behind (missing) or says what truth does not (extra), whatever its version.
 */
export function valueRebuild({ redis, keyOf, truth }: Needs) {
  return async (ids: readonly bigint[]): Promise<Tally> => {
    const tallies: Partial<Tally>[] = [];
    let due = ids;
    for (let tried = 1; due.length > 0; tried++) {
      const reading = redis.pipeline();
      for (const id of due) reading.getBuffer(keyOf(redis, id));
      const before = (await redis.run(reading)) as (Buffer | null)[];
      const wanted = await truth(due.filter((_, nth) => before[nth] !== null));
      const differing: { id: bigint; before: Buffer; after: Buffer }[] = [];
      for (const [nth, id] of due.entries()) {
        const [has, after] = [before[nth], wanted.get(id)];
        if (!has) tallies.push({ absent: 1 });
        else if (after === undefined) tallies.push({ stale: 1 });
        else if (has.equals(after)) tallies.push({ right: 1, entries: 1 });
        else differing.push({ id, before: has, after });
      }
      due = differing.map(({ id }) => id);
      if (tried >= looksMax && differing.length > 0) due = await switched(differing, tallies);
      if (tried === triesMax) {
        tallies.push({ busy: due.length });
        break;
      }
      if (due.length > 0) await sleep(againMs);
    }
    return sum(tallies);
  };

  /** Answers those that somebody wrote in between. */
  async function switched(
    differing: readonly { id: bigint; before: Buffer; after: Buffer }[],
    tallies: Partial<Tally>[],
  ): Promise<bigint[]> {
    const pipeline = redis.pipeline();
    for (const { id, ...values } of differing) switchValue(redis, pipeline, { key: keyOf(redis, id), ...values });
    const done = await redis.run(pipeline);
    for (const [nth, { before, after }] of differing.entries()) {
      if (done[nth] !== 1) continue;
      const isBehind = before.readUInt32BE(0) < after.readUInt32BE(0);
      tallies.push({ switched: 1, entries: 1, missing: isBehind ? 1 : 0, extra: isBehind ? 0 : 1 });
    }
    return differing.filter((_, nth) => done[nth] !== 1).map(({ id }) => id);
  }
}
