import type { Log } from "#lib/mesh/log.ts";
import { ownSets } from "#lib/readmodel/families.ts";
import { inPassing } from "#lib/readmodel/passing.ts";
import type { Statements } from "#lib/storage/mysql.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { type OwnChange, ownSet, ownVersions } from "../store/own.ts";

/** Half of what a set may grow to: feeds show posts far newer than the two thousandth that somebody kept or reposted. */
const builtMax = 2_000;

type Needs = { readonly redis: Redis; readonly db: Statements; readonly log: Log };

/** What feeds read of a viewer's own: which posts they keep, which they reposted. */
export type OwnReadModel = ReturnType<typeof ownReadModel>;

export function ownReadModel({ redis, db, log }: Needs) {
  const catchUp = async (userIds: readonly bigint[]): Promise<void> => {
    if (userIds.length > 0) await ownSets.catchUp(redis, await ownVersions(db, userIds));
  };
  const later = (done: Promise<void>): Promise<void> =>
    done.catch((reason) => log.warn("left to the relay", { error: reason }));

  return {
    /** The viewer's own next read shows the change once this answers. Without Redis the relay drops the set later. */
    apply: ({ userId: ownerId, postId: memberId, mark, version }: OwnChange): Promise<void> =>
      later(ownSets.apply(redis, { ownerId, memberId, mark, version })),

    /** The same where it was so already: a set that is behind (its writer died) goes. */
    applied: (userId: bigint): Promise<void> => later(catchUp([userId])),

    /** The relay's part: what writers died before they could apply. */
    catchUp,

    /** The set from truth, left in the read model unless it changed meanwhile. */
    loadSet: (userId: bigint) =>
      inPassing(
        { log, what: "own set" },
        () => ownSets.rebuild(redis, userId),
        () => ownSet(db, userId, builtMax),
        (keep, set) => keep(set, set.own),
      ),
  };
}
