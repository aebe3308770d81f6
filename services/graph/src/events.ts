import {
  AccountChangedSchema,
  FollowChangedSchema,
  FollowCountsChangedSchema,
  FollowsImportedSchema,
} from "#gen/skein/graph/v1/events_pb.ts";
import { type Event, type Fact, fact, type Origin, ofNobody } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";

export const accountChanged = (userId: bigint, state: number, version: bigint, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: AccountChangedSchema,
    aggregate: `account:${userId}`,
    version,
    partition: userId,
    value: { userId: String(userId), state, version },
  });

/** The pair of who follows and who is followed. */
export const followName = (followerId: bigint, followeeId: bigint): string => `follow:${followerId}:${followeeId}`;

/** Travels in the followee's partition: what counts followers sees one followee's changes in order. */
export const followChanged = (
  followerId: bigint,
  followeeId: bigint,
  following: boolean,
  version: bigint,
  origin: Origin,
): Fact =>
  fact({
    ...origin,
    desc: FollowChangedSchema,
    aggregate: followName(followerId, followeeId),
    version,
    partition: followeeId,
    value: { followerId: String(followerId), followeeId: String(followeeId), following, version },
  });

export const followsImported = (followerId: bigint, followeeIds: bigint[], version: bigint, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: FollowsImportedSchema,
    aggregate: `follows:${followerId}`,
    version,
    partition: followerId,
    value: { followerId: String(followerId), followeeIds },
  });

export const followCountsChanged = (
  userId: bigint,
  counts: { followerCount: bigint; followingCount: bigint; version: bigint },
): Fact =>
  fact({
    ...ofNobody,
    desc: FollowCountsChangedSchema,
    aggregate: `counts:${userId}`,
    version: counts.version,
    partition: userId,
    value: { userId: String(userId), ...counts },
  });

/** Whose follow sets some facts changed. */
export function followersIn(events: readonly Event[]): bigint[] {
  const ids = events.flatMap(({ type, payload }) => {
    if (type === FollowChangedSchema.name) return [decode(FollowChangedSchema, { payload }).followerId];
    if (type === FollowsImportedSchema.name) return [decode(FollowsImportedSchema, { payload }).followerId];
    return [];
  });
  return [...new Set(ids)].map(BigInt);
}

/** By how much each account's followers change in a batch of facts. Imports count by themselves. */
export function followerDeltas(events: readonly Pick<Event, "type" | "payload">[]): Map<bigint, number> {
  const deltas = new Map<bigint, number>();
  for (const { type, payload } of events) {
    if (type !== FollowChangedSchema.name) continue;
    const { followeeId, following } = decode(FollowChangedSchema, { payload });
    const id = BigInt(followeeId);
    deltas.set(id, (deltas.get(id) ?? 0) + (following ? 1 : -1));
  }
  return deltas;
}
