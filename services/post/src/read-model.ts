import type { Call } from "#lib/mesh/call.ts";
import type { Log } from "#lib/mesh/log.ts";
import { counter, histogram } from "#lib/mesh/metrics.ts";
import { perTurn } from "#lib/mesh/turn.ts";
import { keptAuthorVersions } from "#lib/readmodel/author-version.ts";
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
/** Posts that are asked about, or shown, by one round trip. */
const togetherMax = 100;

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
    for (const change of changes) cards.put(redis, pipeline, { id: change.postId, value: encodeCard(change) });
    show(pipeline, changes);
    await redis.run(pipeline);
  }

  /** In their order: what comes before its neighbour is pushed to a head, what comes after has to look for its place. */
  function show(pipeline: ReturnType<Redis["pipeline"]>, changes: readonly PostChange[]): void {
    const entries = changes
      .flatMap(({ activityId, authorId }): TimelineEntry[] =>
        activityId === undefined ? [] : [{ activityId, authorId }],
      )
      .sort((a, b) => (a.activityId < b.activityId ? -1 : 1));
    const pushes = entries.map((entry) => ({ entry, ownerIds: [entry.authorId] }));
    authorTimelines.push(redis, pipeline, pushes);
    lag.add(redis, pipeline, entries);
  }

  /** What truth says of posts, in their cards. */
  async function refill(ids: readonly bigint[]): Promise<Map<bigint, StoredPost>> {
    const keep = await cards.fill(redis, ids);
    const posts = await store.byIds(ids);
    await keep(cardsOf(posts));
    return posts;
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
  /** Posts that are committed together are shown together. */
  const applySoon = perTurn(togetherMax, async (changes: readonly PostChange[]) => {
    const isShown = await applyLater(changes);
    return changes.map(() => isShown);
  });

  return {
    /** Of an author's profile; 0 where it is not known here. */
    authorVersion: perTurn(togetherMax, (authorIds: readonly bigint[]) => keptAuthorVersions(redis, authorIds)),
    authorVersions: (authorIds: readonly bigint[]): Promise<number[]> => keptAuthorVersions(redis, authorIds),

    /** Refuses an edit or a delete that readers could not be told of, before it is made: another replica may reach them. */
    mustReachReaders: readers.mustReachReaders,

    apply,

    /** An edit or a delete that readers obey once this answers. */
    replace: (change: PostChange, call: Call): Promise<void> => readers.obeyed(() => apply([change]), call),

    /** The same of posts whose cards change without a version of their content: from truth. */
    renew: (ids: readonly bigint[], call: Call): Promise<void> =>
      readers.obeyed(async () => void (await refill(ids)), call),

    /**
     * The same by the relay, before anyone hears of the facts, for a writer that died in between. How a post stands is
     * asked of truth: a fact that is told again after Redis was lost must not show what was deleted since. `sharedIds` are posts whose
     * counts were folded, or whose quotes were detached.
     */
    async catchUp(changes: readonly PostChange[], sharedIds: readonly bigint[]): Promise<void> {
      const ids = [...new Set([...changes.map(({ postId }) => postId), ...sharedIds])];
      if (ids.length === 0) return;
      const posts = await refill(ids);
      const pipeline = redis.pipeline();
      const standing = changes.filter(({ postId }) => posts.get(postId)?.deleted === false);
      show(pipeline, standing);
      if (pipeline.length > 0) await redis.run(pipeline);
    },

    applyLater,

    /** The same for one post, measured where it is new: an answer given again says nothing of how soon it showed. */
    async show(change: PostChange, isNew: boolean): Promise<boolean> {
      const isShown = await applySoon(change);
      if (isNew && isShown) visibleSeconds.observe((Date.now() - timeOf(change.postId)) / 1000);
      else if (isNew) leftTotal.inc();
      return isShown;
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
