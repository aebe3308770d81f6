import type { Call } from "#lib/mesh/call.ts";
import type { Log } from "#lib/mesh/log.ts";
import { followSets } from "#lib/readmodel/families.ts";
import { inPassing } from "#lib/readmodel/passing.ts";
import type { Witness } from "#lib/readmodel/witness.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { Followed, GraphStore } from "./store.ts";

/** Follow sets as readers see them. Every function here is called after the commit and before the answer. */
export type FollowSets = ReturnType<typeof graphReadModel>;

type Needs = { readonly redis: Redis; readonly store: GraphStore; readonly readers: Witness; readonly log: Log };

export function graphReadModel({ redis, store, readers, log }: Needs) {
  return {
    /** Refuses a change that readers could not be told of, before it is made: another replica may reach them. */
    mustReachReaders: readers.mustReachReaders,

    /** Readers obey a change once this answers. A set that is behind (its writer died) is dropped. */
    apply(
      { followerId, followeeId, following }: { followerId: bigint; followeeId: bigint; following: boolean },
      { version, changed }: Followed,
      call?: Call,
    ): Promise<void> {
      const change = { ownerId: followerId, memberId: followeeId, isMember: following, version };
      const behind = new Map([[followerId, version]]);
      return readers.obeyed(
        () => (changed ? followSets.apply(redis, change) : followSets.catchUp(redis, behind)),
        call,
      );
    },

    /** The relay's part, before anyone hears of the facts: what their writers died before they could apply. */
    async catchUp(followerIds: readonly bigint[]): Promise<void> {
      if (followerIds.length > 0) await followSets.catchUp(redis, await store.followVersions(followerIds));
    },

    /** Readers obey many changes at once when this answers. */
    drop: (followerIds: readonly bigint[], call?: Call): Promise<void> =>
      readers.obeyed(() => followSets.drop(redis, followerIds), call),

    /** The set from truth, left in the read model unless it changed meanwhile. Without Redis the answer is the same. */
    load: (userId: bigint): Promise<{ version: bigint; followeeIds: bigint[] }> =>
      inPassing(
        { log, what: "follow set" },
        () => followSets.rebuild(redis, userId),
        () => store.followSet(userId),
        (keep, { version, followeeIds }) => keep({ version, lowWatermark: 0n }, followeeIds),
      ),
  };
}
