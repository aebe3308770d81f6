import { randomBytes } from "node:crypto";
import type { Redis, Script } from "#lib/storage/redis.ts";

/** One change of a viewer's set; versions of a viewer are dense, so a jump means that something is still missing. */
export type FollowChange = {
  readonly followerId: bigint;
  readonly followeeId: bigint;
  readonly following: boolean;
  readonly version: bigint;
};

/** Thirty days without a visit. */
const lifeSeconds = 30 * 86_400;
/** A build that takes longer has failed. */
const buildSeconds = 30;
/** Lua's unpack is bounded; larger sets go in several commands of one script. */
const membersAtOnce = 1_000;

const applyChange: Script = {
  lua: `
redis.call('DEL', KEYS[3])
local cur = tonumber(redis.call('GET', KEYS[2]) or '-1')
local version = tonumber(ARGV[1])
if cur >= version then return 0 end
if cur == version - 1 and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call(ARGV[3] == '1' and 'SADD' or 'SREM', KEYS[1], ARGV[2])
  redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[4])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
  return 1
end
redis.call('DEL', KEYS[1], KEYS[2])
return -1`,
};

const build: Script = {
  lua: `
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[3])
redis.call('SADD', KEYS[1], '0')
for first = 4, #ARGV, ${membersAtOnce} do
  redis.call('SADD', KEYS[1], unpack(ARGV, first, math.min(first + ${membersAtOnce - 1}, #ARGV)))
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1`,
};

/** A set that is older than a committed version goes, and so does a build that may have read an older one. */
const catchUp: Script = {
  lua: `
if tonumber(redis.call('GET', KEYS[2]) or '-1') >= tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return 1`,
};

export const followSetScripts = [applyChange, build, catchUp];

const keysOf = (redis: Redis, viewerId: bigint) => [
  redis.key("rel.f", viewerId),
  redis.key("rel.v", viewerId),
  redis.key("rel.t", viewerId),
];

/**
 * `rel.f:<viewer>`: whom a viewer follows, a set with the member 0 that says "this is all" (missing means rebuild, never
 * nobody); `rel.v:<viewer>`: its version. Owner: graph, which applies each change after its commit and before its
 * answer. Bound: 5,000 members. Missing: graph.GetFollowSet builds it.
 */
export const followSets = {
  setKey: (redis: Redis, viewerId: bigint): string => redis.key("rel.f", viewerId),
  versionKey: (redis: Redis, viewerId: bigint): string => redis.key("rel.v", viewerId),

  /** Applies a committed change, or drops a set that misses one before it. Either way no reader sees the old state. */
  async apply(redis: Redis, changes: readonly FollowChange[]): Promise<void> {
    const pipeline = redis.pipeline();
    for (const { followerId, followeeId, following, version } of changes) {
      const args = [String(version), String(followeeId), following ? "1" : "0", lifeSeconds];
      redis.call(pipeline, applyChange, keysOf(redis, followerId), args);
    }
    await redis.run(pipeline);
  },

  /** Drops the sets that are behind these committed versions: whoever was to apply them may have died. */
  async catchUp(redis: Redis, versions: ReadonlyMap<bigint, bigint>): Promise<void> {
    const pipeline = redis.pipeline();
    for (const [viewerId, version] of versions) {
      redis.call(pipeline, catchUp, keysOf(redis, viewerId), [String(version)]);
    }
    await redis.run(pipeline);
  },

  /** Forgets a set that changed in many places at once. */
  async drop(redis: Redis, viewerIds: readonly bigint[]): Promise<void> {
    const pipeline = redis.pipeline();
    for (const viewerId of viewerIds) pipeline.del(...keysOf(redis, viewerId));
    await redis.run(pipeline);
  },

  /** Begins a build; call it before reading truth. What is read counts only if nothing changed in between. */
  async rebuild(
    redis: Redis,
    viewerId: bigint,
  ): Promise<(version: bigint, followeeIds: readonly bigint[]) => Promise<void>> {
    const token = randomBytes(9).toString("base64url");
    const keys = keysOf(redis, viewerId);
    await redis.run(redis.pipeline().set(keys[2] as string, token, "EX", buildSeconds));
    return async (version, followeeIds) => {
      const pipeline = redis.pipeline();
      redis.call(pipeline, build, keys, [token, String(version), lifeSeconds, ...followeeIds.map(String)]);
      await redis.run(pipeline);
    };
  },
};
