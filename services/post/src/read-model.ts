import type { Call } from "#lib/mesh/call.ts";
import type { Log } from "#lib/mesh/log.ts";
import { counter, histogram } from "#lib/mesh/metrics.ts";
import { keptAuthorVersion } from "#lib/readmodel/author-version.ts";
import { cards, encodeCard } from "#lib/readmodel/card.ts";
import { authorTimelines } from "#lib/readmodel/families.ts";
import { lag } from "#lib/readmodel/lag.ts";
import { inPassing } from "#lib/readmodel/passing.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import type { Witness } from "#lib/readmodel/witness.ts";
import { timeOf } from "#lib/storage/id.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { PostChange } from "./events.ts";
import type { PostStore, StoredPost } from "./store.ts";

/** An author's list as deep as it is kept ready; below it the database goes on. */
const builtDepth = 100;

const visibleSeconds = histogram({
  name: "skein_post_visible_seconds",
  help: "From the making of a post's id to the moment every follower's feed shows it, which is before its answer.",
});
const leftTotal = counter({
  name: "skein_post_left_total",
  help: "Posts answered before feeds could show them, because Redis was away: their relay shows them later.",
});

export type PostReadModel = ReturnType<typeof postReadModel>;

type Needs = { readonly redis: Redis; readonly store: PostStore; readonly readers: Witness; readonly log: Log };

export function postReadModel({ redis, store, readers, log }: Needs) {
  /** Brings cards, authors' timelines and the lag up to changes: called by their writer after its commit, before its answer. */
  async function apply(changes: readonly PostChange[]): Promise<void> {
    const pipeline = redis.pipeline();
    for (const change of changes) {
      const { postId, authorId, activityId } = change;
      cards.put(redis, pipeline, { id: postId, value: encodeCard(change) });
      if (activityId !== undefined) show(pipeline, { activityId, authorId });
    }
    await redis.run(pipeline);
  }

  function show(pipeline: ReturnType<Redis["pipeline"]>, entry: TimelineEntry): void {
    authorTimelines.push(redis, pipeline, [{ entry, ownerIds: [entry.authorId] }]);
    lag.add(redis, pipeline, entry);
  }

  /** The same for creates: without Redis they stand all the same, and the relay brings them in later. Whether it was done. */
  const applyLater = (changes: readonly PostChange[]): Promise<boolean> =>
    apply(changes).then(
      () => true,
      (reason) => {
        log.warn("left to the relay", { error: reason });
        return false;
      },
    );

  return {
    /** Of an author's profile; 0 where it is not known here. */
    authorVersion: (authorId: bigint): Promise<number> => keptAuthorVersion(redis, authorId),

    /** Refuses an edit or a delete that readers could not be told of, before it is made: another replica may reach them. */
    mustReachReaders: readers.mustReachReaders,

    apply,

    /** An edit or a delete that readers obey once this answers. */
    replace: (change: PostChange, call: Call): Promise<void> => readers.obeyed(() => apply([change]), call),

    /**
     * The same by the relay, before anyone hears of the facts, for a writer that died in between. How a post stands is
     * asked of truth: a fact that is told again after Redis was lost must not show what was deleted since.
     */
    async catchUp(changes: readonly PostChange[]): Promise<void> {
      const ids = changes.map(({ postId }) => postId);
      const keep = await cards.fill(redis, ids);
      const posts = await store.byIds(ids);
      await keep(cardsOf(posts));
      const pipeline = redis.pipeline();
      for (const { postId, activityId, authorId } of changes) {
        if (activityId !== undefined && posts.get(postId)?.deleted === false) show(pipeline, { activityId, authorId });
      }
      await redis.run(pipeline);
    },

    applyLater,

    /** The same for one post, measured where it is new: an answer given again says nothing of how soon it showed. */
    async show(change: PostChange, isNew: boolean): Promise<void> {
      const isShown = await applyLater([change]);
      if (!isNew) return;
      if (isShown) visibleSeconds.observe((Date.now() - timeOf(change.postId)) / 1000);
      else leftTotal.inc();
    },

    /** Posts from truth, their cards left in the read model. Without Redis the answer is the same. */
    load: (ids: readonly bigint[]): Promise<Map<bigint, StoredPost>> =>
      inPassing(
        { log, what: "cards" },
        () => cards.fill(redis, ids),
        () => store.byIds(ids),
        (keep, posts) => keep(cardsOf(posts)),
      ),

    /** What authors made public from truth, left in the read model. */
    loadTimelines(authorIds: readonly bigint[], limit: number): Promise<bigint[][]> {
      const depth = Math.max(limit, builtDepth);
      const builtOf = (lists: readonly (readonly bigint[])[]) =>
        authorIds.map((ownerId, nth) => {
          const ids = lists[nth] ?? [];
          const entries: TimelineEntry[] = ids.map((activityId) => ({ activityId, authorId: ownerId }));
          const lowWatermark = ids.length < depth ? 0n : (ids.at(-1) ?? 0n);
          return { ownerId, entries, seal: { lowWatermark, version: 0n } };
        });
      return inPassing(
        { log, what: "author timelines" },
        () => authorTimelines.build(redis, authorIds),
        () => store.activities(authorIds, 0n, depth),
        (keep, lists) => keep(builtOf(lists)),
      );
    },
  };
}

const cardsOf = (posts: ReadonlyMap<bigint, StoredPost>) =>
  [...posts.values()].map((post) => ({ id: post.id, value: encodeCard(post) }));
