import type { Log } from "#lib/mesh/log.ts";
import { keptAuthorVersion } from "#lib/readmodel/author-version.ts";
import { type Count, commentCounts, encodeCount } from "#lib/readmodel/count.ts";
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

    /** Who may reply, as one value with the count, before the answer; without Redis the relay brings it later. */
    async apply(postId: bigint, count: Count): Promise<void> {
      const pipeline = redis.pipeline();
      commentCounts.put(redis, pipeline, { id: postId, value: encodeCount(count) });
      await redis.run(pipeline).catch((reason) => log.warn("left to the relay", { error: reason }));
    },

    /** The relay's part, before anyone hears of the facts: new counts. */
    catchUp: (changes: readonly CommentChange[], threadIds: readonly bigint[]): Promise<void> =>
      commentCounts.catchUp(redis, [...new Set([...changes.map(({ postId }) => postId), ...threadIds])], store.counts),
  };
}
