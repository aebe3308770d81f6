import {
  AccountChangedSchema,
  BlockChangedSchema,
  FollowChangedSchema,
  FollowCountsChangedSchema,
  FollowsImportedSchema,
  ListMemberChangedSchema,
  MuteChangedSchema,
  MutedWordsChangedSchema,
} from "#gen/skein/graph/v1/events_pb.ts";
import { type Event, type Fact, fact, type Origin, ofNobody } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";

export type AccountNow = {
  readonly userId: bigint;
  readonly state: number;
  readonly isPrivate: boolean;
  readonly version: bigint;
};

export const accountChanged = ({ userId, state, isPrivate, version }: AccountNow, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: AccountChangedSchema,
    aggregate: `account:${userId}`,
    version,
    partition: userId,
    value: { userId: String(userId), state, version, private: isPrivate },
  });

/** The pair of who follows and who is followed. */
export const followName = (followerId: bigint, followeeId: bigint): string => `follow:${followerId}:${followeeId}`;

type FollowNow = {
  readonly followerId: bigint;
  readonly followeeId: bigint;
  readonly following: boolean;
  readonly requested: boolean;
  /** A request began or ended, and nobody follows who did not before. */
  readonly requestOnly: boolean;
  readonly version: bigint;
};

/** Travels in the followee's partition: what counts followers sees one followee's changes in order. */
export const followChanged = ({ followerId, followeeId, version, ...now }: FollowNow, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: FollowChangedSchema,
    aggregate: followName(followerId, followeeId),
    version,
    partition: followeeId,
    value: { followerId: String(followerId), followeeId: String(followeeId), version, ...now },
  });

type BlockNow = { blockerId: bigint; blockedId: bigint; blocking: boolean; version: bigint };

export const blockChanged = ({ blockerId, blockedId, blocking, version }: BlockNow, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: BlockChangedSchema,
    aggregate: `block:${blockerId}:${blockedId}`,
    version,
    partition: blockerId,
    value: { blockerId: String(blockerId), blockedId: String(blockedId), blocking, version },
  });

type MuteNow = { muterId: bigint; mutedId: bigint; muting: boolean; version: bigint };

export const muteChanged = ({ muterId, mutedId, muting, version }: MuteNow, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: MuteChangedSchema,
    aggregate: `mute:${muterId}:${mutedId}`,
    version,
    partition: muterId,
    value: { muterId: String(muterId), mutedId: String(mutedId), muting, version },
  });

type MemberNow = { ownerId: bigint; listId: bigint; memberId: bigint; isMember: boolean; version: bigint };

export const listMemberChanged = ({ ownerId, listId, memberId, isMember, version }: MemberNow, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: ListMemberChangedSchema,
    aggregate: `member:${ownerId}:${listId}:${memberId}`,
    version,
    partition: ownerId,
    value: {
      ownerId: String(ownerId),
      listId: String(listId),
      memberId: String(memberId),
      member: isMember,
      version,
    },
  });

/** The version is that of the person's ties, which each change of words counts up too. */
export const mutedWordsChanged = (userId: bigint, version: bigint, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: MutedWordsChangedSchema,
    aggregate: `words:${userId}`,
    version,
    partition: userId,
    value: { userId: String(userId), version },
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

/** Whose read models some facts changed: follow sets, sets of ties, marks of accounts. */
export function touchedBy(events: readonly Event[]): { follows: bigint[]; ties: bigint[]; marks: bigint[] } {
  const [follows, ties, marks] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const { type, payload } of events) {
    if (type === FollowChangedSchema.name) follows.add(decode(FollowChangedSchema, { payload }).followerId);
    else if (type === FollowsImportedSchema.name) follows.add(decode(FollowsImportedSchema, { payload }).followerId);
    else if (type === AccountChangedSchema.name) marks.add(decode(AccountChangedSchema, { payload }).userId);
    else if (type === MuteChangedSchema.name) ties.add(decode(MuteChangedSchema, { payload }).muterId);
    else if (type === ListMemberChangedSchema.name) ties.add(decode(ListMemberChangedSchema, { payload }).memberId);
    else if (type === MutedWordsChangedSchema.name) ties.add(decode(MutedWordsChangedSchema, { payload }).userId);
    else if (type === BlockChangedSchema.name) {
      const { blockerId, blockedId } = decode(BlockChangedSchema, { payload });
      ties.add(blockerId).add(blockedId);
    }
  }
  const ids = (of: Set<string>) => [...of].map(BigInt);
  return { follows: ids(follows), ties: ids(ties), marks: ids(marks) };
}

/** By how much each account's followers change in a batch of facts. Imports count by themselves. */
export function followerDeltas(events: readonly Pick<Event, "type" | "payload">[]): Map<bigint, number> {
  const deltas = new Map<bigint, number>();
  for (const { type, payload } of events) {
    if (type !== FollowChangedSchema.name) continue;
    const { followeeId, following, requestOnly } = decode(FollowChangedSchema, { payload });
    if (requestOnly) continue;
    const id = BigInt(followeeId);
    deltas.set(id, (deltas.get(id) ?? 0) + (following ? 1 : -1));
  }
  return deltas;
}
