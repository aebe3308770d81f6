import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import type { Log } from "#lib/mesh/log.ts";
import { type Count, likeCounts } from "#lib/readmodel/count.ts";
import { likedSets } from "#lib/readmodel/families.ts";
import type { SetState } from "#lib/readmodel/member-set.ts";
import { inPassing } from "#lib/readmodel/passing.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { LikeChange, Subject } from "./events.ts";
import type { Liked } from "./store/react.ts";
import type { LikeStore } from "./store.ts";

/** Half of what a set may grow to: feeds show posts far newer than the two thousandth that somebody liked. */
const builtMax = 2_000;

/** What feeds read of likes: counts by post, and which posts a viewer likes. */
export type LikeReadModel = ReturnType<typeof likeReadModel>;

export function likeReadModel(redis: Redis, store: LikeStore, log: Log) {
  const countsOf = (postIds: readonly bigint[], late: readonly number[] = []) =>
    store.counts(SubjectKind.POST, postIds, late);

  return {
    /** Counts with what the shards `late` have not folded; what is folded is left in the read model. */
    loadCounts: (postIds: readonly bigint[], late: readonly number[]): Promise<Map<bigint, Count>> =>
      likeCounts.load({ redis, log }, postIds, (ids) => countsOf(ids, late)),

    /**
     * The viewer's own next read shows the change once this answers. A set that is behind (its writer died) is dropped.
     * Without Redis the like stands all the same, and the relay drops the set later.
     */
    async apply(userId: bigint, { kind, id }: Subject, reaction: Reaction, { version, changed }: Liked): Promise<void> {
      if (kind !== SubjectKind.POST) return;
      const isMember = reaction === Reaction.LIKE;
      const done = changed
        ? likedSets.apply(redis, { ownerId: userId, memberId: id, isMember, version })
        : likedSets.catchUp(redis, new Map([[userId, version]]));
      await done.catch((reason) => log.warn("left to the relay", { error: reason }));
    },

    /** The relay's part, before anyone hears of the facts: new counts, and what writers died before they could apply. */
    async catchUp(changes: readonly LikeChange[]): Promise<void> {
      if (changes.length === 0) return;
      const userIds = [...new Set(changes.map(({ userId }) => userId))];
      const postIds = changes
        .filter(({ subject }) => subject.kind === SubjectKind.POST)
        .map(({ subject }) => subject.id);
      await likedSets.catchUp(redis, await store.likeVersions(userIds));
      await likeCounts.catchUp(redis, postIds, countsOf);
    },

    /** The set from truth, left in the read model unless it changed meanwhile. */
    loadSet: (userId: bigint): Promise<SetState & { ids: bigint[] }> =>
      inPassing(
        { log, what: "liked set" },
        () => likedSets.rebuild(redis, userId),
        () => store.likedSet(userId, SubjectKind.POST, builtMax),
        (keep, set) => keep(set, set.ids),
      ),
  };
}
