import type { Log } from "#lib/mesh/log.ts";
import { cards, encodeCard } from "#lib/readmodel/card.ts";
import { authorTimelines } from "#lib/readmodel/families.ts";
import { lag } from "#lib/readmodel/lag.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { PostChange } from "./events.ts";
import type { PostStore, StoredPost } from "./store.ts";

/** An author's list as deep as it is kept ready; below it the database goes on. */
const builtDepth = 100;

export type PostReadModel = ReturnType<typeof postReadModel>;

export function postReadModel(redis: Redis, store: PostStore, log: Log) {
  /**
   * Brings cards, authors' timelines and the lag up to committed changes: called by the writer after its commit and
   * before its answer, and by the relay before anyone hears of the fact. Both at once are the same as one.
   */
  async function apply(changes: readonly PostChange[]): Promise<void> {
    const pipeline = redis.pipeline();
    for (const { postId, authorId, version, activityId, deleted } of changes) {
      cards.put(redis, pipeline, { id: postId, value: encodeCard({ version, authorId, deleted }) });
      if (activityId === undefined) continue;
      const entry = { activityId, authorId };
      authorTimelines.push(redis, pipeline, entry, [authorId]);
      lag.add(redis, pipeline, entry);
    }
    await redis.run(pipeline);
  }

  return {
    apply,

    /** The same for creates: without Redis they stand all the same, and the relay brings them in later. */
    applyLater: (changes: readonly PostChange[]): Promise<void> =>
      apply(changes).catch((reason) => log.warn("left to the relay", { error: reason })),

    /** Posts from truth, their cards left in the read model. Without Redis the answer is the same. */
    async load(ids: readonly bigint[]): Promise<Map<bigint, StoredPost>> {
      const keep = await cards.fill(redis, ids).catch(() => undefined);
      const posts = await store.byIds(ids);
      const found = [...posts.values()].map(({ id, version, authorId, deleted }) => ({
        id,
        value: encodeCard({ version, authorId, deleted }),
      }));
      await keep?.(found).catch((reason) => log.warn("cards not kept", { error: reason }));
      return posts;
    },

    /** What authors made public from truth, left in the read model. */
    async loadTimelines(authorIds: readonly bigint[], limit: number): Promise<bigint[][]> {
      const depth = Math.max(limit, builtDepth);
      const keep = await authorTimelines.build(redis, authorIds).catch(() => undefined);
      const lists = await store.activities(authorIds, 0n, depth);
      const built = authorIds.map((ownerId, nth) => {
        const ids = lists[nth] ?? [];
        const entries: TimelineEntry[] = ids.map((activityId) => ({ activityId, authorId: ownerId }));
        const lowWatermark = ids.length < depth ? 0n : (ids.at(-1) ?? 0n);
        return { ownerId, entries, seal: { lowWatermark, version: 0n } };
      });
      await keep?.(built).catch((reason) => log.warn("author timelines not kept", { error: reason }));
      return lists;
    },
  };
}
