import { randomBytes } from "node:crypto";
import type { Redis, Script } from "#lib/storage/redis.ts";

/** Sets a value unless one of the same or a later version is there. Values begin with their version, 4 bytes. */
const setNewer: Script = {
  lua: `
local cur = redis.call('GET', KEYS[1])
if cur and struct.unpack('>I4', cur) >= struct.unpack('>I4', ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1`,
};

/** The same for a value read from truth: refused where the family was flushed since that read began. */
const fillNewer: Script = {
  lua: `
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return -1 end
local cur = redis.call('GET', KEYS[1])
if cur and struct.unpack('>I4', cur) >= struct.unpack('>I4', ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1`,
};

export const versionedScripts = [setNewer, fillNewer];

/** A value under its owner's id. */
export type Entry = { readonly id: bigint; readonly value: Buffer };

/**
 * A key family of small values with versions: the later version wins whatever the order of writers, so the writing
 * service, its relay and a reader's fill may all write. A fill between a read of truth and a flush of Redis must not
 * bring an old version back: it carries the epoch it began under (a lease, after Nishtala et al., NSDI '13).
 */
export function versionedFamily(family: string, lifeSeconds: number) {
  const epochFamily = `epoch.${family}`;
  return {
    family,
    keyOf: (redis: Redis, id: bigint): string => redis.key(family, id),

    /** Applies what was committed. Goes into the caller's pipeline. */
    put(redis: Redis, pipeline: ReturnType<Redis["pipeline"]>, { id, value }: Entry): void {
      redis.call(pipeline, setNewer, [redis.key(family, id)], [value, lifeSeconds]);
    },

    /** Begins a fill of some ids; call it before reading truth, then hand what was read to the answer. */
    async fill(redis: Redis, ids: readonly bigint[]): Promise<(found: readonly Entry[]) => Promise<void>> {
      const keys = [...new Set(ids.map((id) => redis.bucketKey(epochFamily, id)))];
      const begun = redis.pipeline();
      for (const key of keys) begun.set(key, randomBytes(9).toString("base64url"), "NX").get(key);
      const answers = await redis.run(begun);
      const epochs = new Map(keys.map((key, nth) => [key, String(answers[2 * nth + 1])]));
      return async (found) => {
        const pipeline = redis.pipeline();
        for (const { id, value } of found) {
          const epochKey = redis.bucketKey(epochFamily, id);
          redis.call(
            pipeline,
            fillNewer,
            [redis.key(family, id), epochKey],
            [value, lifeSeconds, epochs.get(epochKey) ?? ""],
          );
        }
        await redis.run(pipeline);
      };
    },
  };
}
