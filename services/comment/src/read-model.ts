import type { Log } from "#lib/mesh/log.ts";
import { keptAuthorVersion } from "#lib/readmodel/author-version.ts";
import { type Count, commentCounts } from "#lib/readmodel/count.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { CommentChange } from "./events.ts";
import type { CommentStore } from "./store.ts";

/** What feeds read of comments: counts by post. Comments themselves are read from truth, page by page. */
export type CommentReadModel = ReturnType<typeof commentReadModel>;

export function commentReadModel(redis: Redis, store: CommentStore, log: Log) {
  return {
    /** Of an author's profile; 0 where it is not known here. */
    authorVersion: (authorId: bigint): Promise<number> => keptAuthorVersion(redis, authorId),

    /** Counts with what the shards `late` have not folded; what is folded is left in the read model. */
    loadCounts: (postIds: readonly bigint[], late: readonly number[]): Promise<Map<bigint, Count>> =>
      commentCounts.load({ redis, log }, postIds, (ids) => store.counts(ids, late)),

    /** The relay's part, before anyone hears of the facts: new counts. */
    catchUp: (changes: readonly CommentChange[]): Promise<void> =>
      commentCounts.catchUp(
        redis,
        changes.map(({ postId }) => postId),
        store.counts,
      ),
  };
}
