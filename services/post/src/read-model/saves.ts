import type { Log } from "#lib/mesh/log.ts";
import { savedSets } from "#lib/readmodel/families.ts";
import type { SetState } from "#lib/readmodel/member-set.ts";
import { inPassing } from "#lib/readmodel/passing.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { Saved, SaveStore } from "../store/save.ts";

/** Half of what a set may grow to: feeds show posts far newer than the two thousandth that somebody kept. */
const builtMax = 2_000;

type Needs = { readonly redis: Redis; readonly store: SaveStore; readonly log: Log };

/** What feeds read of saves: which posts a viewer keeps. */
export type SaveReadModel = ReturnType<typeof saveReadModel>;

export function saveReadModel({ redis, store, log }: Needs) {
  return {
    /** The viewer's own next read shows the change once this answers. Without Redis the relay drops the set later. */
    async apply(userId: bigint, postId: bigint, saved: boolean, { version, changed }: Saved): Promise<void> {
      const done = changed
        ? savedSets.apply(redis, { ownerId: userId, memberId: postId, isMember: saved, version })
        : savedSets.catchUp(redis, new Map([[userId, version]]));
      await done.catch((reason) => log.warn("left to the relay", { error: reason }));
    },

    /** The relay's part: what writers died before they could apply. */
    async catchUp(userIds: readonly bigint[]): Promise<void> {
      if (userIds.length > 0) await savedSets.catchUp(redis, await store.versions(userIds));
    },

    /** The set from truth, left in the read model unless it changed meanwhile. */
    loadSet: (userId: bigint): Promise<SetState & { ids: bigint[] }> =>
      inPassing(
        { log, what: "saved set" },
        () => savedSets.rebuild(redis, userId),
        () => store.savedSet(userId, builtMax),
        (keep, set) => keep(set, set.ids),
      ),
  };
}
