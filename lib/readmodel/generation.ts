import { createHash } from "node:crypto";
import type { Redis, Script } from "#lib/storage/redis.ts";

/** KEYS: list. ARGV: SHA-1 of its elements as they were read, then the new ones. Its time to live stays. */
const switchListLua: Script = {
  lua: `
local now = redis.call('LRANGE', KEYS[1], 0, -1)
if #now == 0 or redis.sha1hex(table.concat(now)) ~= ARGV[1] then return 0 end
local life = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('RPUSH', KEYS[1], unpack(ARGV, 2))
if life > 0 then redis.call('PEXPIRE', KEYS[1], life) end
return 1`,
};

/** KEYS: value. ARGV: as it was read, as it is to be. */
const switchValueLua: Script = {
  lua: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1`,
};

/** Who rebuilds loads these beside those of the families. */
export const generationScripts = [switchListLua, switchValueLua];

/**
 * Puts a second generation of a list in the first one's place, in one step, unless somebody wrote to it since it was
 * read: the answer is 0 then, and whoever asked reads again. Goes into the caller's pipeline.
 */
export function switchList(
  redis: Redis,
  pipeline: ReturnType<Redis["pipeline"]>,
  { key, before, after }: { key: string; before: readonly Buffer[]; after: readonly Buffer[] },
): void {
  const hash = createHash("sha1");
  for (const element of before) hash.update(element);
  redis.call(pipeline, switchListLua, [key], [hash.digest("hex"), ...after]);
}

/** The same for a value. */
export function switchValue(
  redis: Redis,
  pipeline: ReturnType<Redis["pipeline"]>,
  { key, before, after }: { key: string; before: Buffer; after: Buffer },
): void {
  redis.call(pipeline, switchValueLua, [key], [before, after]);
}
