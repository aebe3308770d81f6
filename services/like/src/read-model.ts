import { type Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import type { Log } from "#lib/mesh/log.ts";
import { type Count, likeCounts } from "#lib/readmodel/count.ts";
import { reactedSets } from "#lib/readmodel/families.ts";
import type { SetState } from "#lib/readmodel/member-set.ts";
import { inPassing } from "#lib/readmodel/passing.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { LikeChange, Subject } from "./events.ts";
import { isInSet, type Liked } from "./store/react.ts";
import type { LikeStore, Own } from "./store.ts";

/** Half of what a set may grow to: feeds show posts far newer than the two thousandth that somebody reacted to. */
const builtMax = 2_000;

/** What feeds read of reactions: counts by post, and how a viewer reacts to which posts. */
export type LikeReadModel = ReturnType<typeof likeReadModel>;

export function likeReadModel(redis: Redis, store: LikeStore, log: Log) {
  const countsOf = (postIds: readonly bigint[], late: readonly number[] = []) =>
    store.counts(SubjectKind.POST, postIds, late);

  return {
    /**
     * Counts with what the shards `late` have not folded; what is folded of posts is left in the read model. Those of comments are
     * read by their pages alone, from truth.
     */
    loadCounts: (kind: SubjectKind, ids: readonly bigint[], late: readonly number[]): Promise<Map<bigint, Count>> =>
      kind === SubjectKind.POST
        ? likeCounts.load({ redis, log }, ids, (some) => countsOf(some, late))
        : store.counts(kind, ids, late),

    /**
     * The viewer's own next read shows the change once this answers. A set that is behind (its writer died) is dropped.
     * Without Redis the like stands all the same, and the relay drops the set later. Whether it was done.
     */
    async apply(userId: bigint, subject: Subject, reaction: Reaction, { version, changed }: Liked): Promise<boolean> {
      if (!isInSet(subject)) return true;
      const done = changed
        ? reactedSets.apply(redis, { ownerId: userId, memberId: subject.id, mark: reaction, version })
        : reactedSets.catchUp(redis, new Map([[userId, version]]));
      return done.then(
        () => true,
        (reason) => {
          log.warn("left to the relay", { error: reason });
          return false;
        },
      );
    },

    /** The relay's part, before anyone hears of the facts: new counts, and of those that are `left` what writers died before they could apply. */
    async catchUp(changes: readonly LikeChange[], left: readonly LikeChange[]): Promise<void> {
      const userIds = new Set(left.filter(({ subject }) => isInSet(subject)).map(({ userId }) => userId));
      const postIds = new Set(changes.filter(({ subject }) => isInSet(subject)).map(({ subject }) => subject.id));
      if (userIds.size > 0) await reactedSets.catchUp(redis, await store.likeVersions([...userIds]));
      await likeCounts.catchUp(redis, [...postIds], countsOf);
    },

    /** The set from truth, left in the read model unless it changed meanwhile. */
    loadSet: (userId: bigint): Promise<SetState & { own: Own[] }> =>
      inPassing(
        { log, what: "reacted set" },
        () => reactedSets.rebuild(redis, userId),
        () => store.reactedSet(userId, SubjectKind.POST, builtMax),
        (keep, set) => keep(set, set.own),
      ),
  };
}
