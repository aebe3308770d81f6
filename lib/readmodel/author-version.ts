import type { Redis } from "#lib/storage/redis.ts";
import { keptSoon } from "./passing.ts";
import { versionedFamily } from "./versioned.ts";

/** Thirty days; a version not asked for that long is read from truth again. */
const lifeSeconds = 30 * 86_400;

/**
 * `uver:<user>`: the version of a user's profile (4 bytes), by which everyone who keeps rendered authors knows what is
 * old. Owner: user, which writes it before it answers. Missing: user.BatchGetUsers fills it.
 */
export const authorVersions = versionedFamily("uver", lifeSeconds);

export function encodeAuthorVersion(version: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(version, 0);
  return bytes;
}

export const decodeAuthorVersion = (bytes: Buffer): number => bytes.readUInt32BE(0);

/** The version of one profile as far as Redis knows it soon: 0 where it does not. */
export const keptAuthorVersion = async (redis: Redis, userId: bigint): Promise<number> =>
  (await keptAuthorVersions(redis, [userId]))[0] ?? 0;

/** The same of several profiles, in their order. */
export async function keptAuthorVersions(redis: Redis, userIds: readonly bigint[]): Promise<number[]> {
  if (userIds.length === 0) return [];
  const read = async () => {
    const keys = userIds.map((id) => authorVersions.keyOf(redis, id));
    return (await redis.run(redis.values(redis.pipeline(), keys)))[0] as (Buffer | null)[];
  };
  const found = (await keptSoon("author_version", read)) ?? [];
  return userIds.map((_, nth) => (found[nth] ? decodeAuthorVersion(found[nth]) : 0));
}
