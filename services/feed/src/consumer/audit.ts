import type { CallOptions } from "@connectrpc/connect";
import { pause } from "#lib/events/lease.ts";
import { newTraceparent, onBehalfOf } from "#lib/mesh/call.ts";
import type { Log } from "#lib/mesh/log.ts";
import { counter } from "#lib/mesh/metrics.ts";
import type { Loop } from "#lib/mesh/run.ts";
import { cards } from "#lib/readmodel/card.ts";
import { followSets, homeTimelines, tieSets } from "#lib/readmodel/families.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { Placed } from "../read-model/decide.ts";
import { newestFirst } from "../read-model/merge.ts";
import type { Truth } from "../read-model/truth.ts";
import { decideByTruth } from "../read-model/visible.ts";
import type { Timelines } from "../read-model.ts";

/** Viewers remembered, the latest who read: what nobody reads need not be right before it is read again. */
const readersMax = 512;
/** Entries of a feed that are held against truth: a few pages, as people read. */
const entriesMax = 100;
/** Of each author so many activities are asked for: enough for the entries, unless one author has them all. */
const perAuthorMax = 50;
/** Whoever follows more costs more RPCs than a sample is worth, and is left out. */
const followingMax = 1_000;
/** What was written between a look at a feed and one at truth is no error: so many looks must find the same. */
const looksMax = 3;
const againMs = 200;
const auditMs = 5_000;

const results = counter({
  name: "skein_audit_total",
  help: "Feeds of readers held against truth: right, or with posts missing, extra, or out of order, which is mended; failed where truth did not answer.",
  labels: ["result"],
});

// An alert on an increase needs to have seen the zero before it.
for (const result of ["right", "missing", "extra", "disorder", "failed"]) results.inc({ result }, 0);

/** A place in a feed, and the post in it: another one where it is a repost. */
type Entry = Pick<Placed, "activityId" | "postId">;

/** What a feed shows and what it should, down to where both are known. */
type Difference = {
  readonly missing: readonly Entry[];
  readonly extra: readonly Entry[];
  readonly isOrdered: boolean;
};

type Needs = {
  readonly timelines: Timelines;
  readonly truth: Truth;
  readonly redis: Redis;
  readonly log: Log;
  readonly everyMs: number;
};

export type Auditor = ReturnType<typeof createAuditor>;

/**
 * Holds the feeds of people who read against truth, one every few seconds, as the sampling auditor of a cache does: what
 * is wrong is counted, told in the log and mended, by dropping what showed it; missing means rebuild.
 */
export function createAuditor({ timelines, truth, redis, log, everyMs }: Needs) {
  const readers: bigint[] = [];
  let next = 0;

  async function look(viewerId: bigint, options: CallOptions): Promise<Difference | undefined> {
    const { items, next: more } = await timelines.home(viewerId, undefined, entriesMax, options);
    const shown = items.map(({ activityId }) => activityId);
    const due = await dueOf(truth, viewerId, options);
    if (due === undefined) return undefined;
    const low = more === undefined ? 0n : (shown.at(-1) ?? 0n);
    const floor = low > due.floor ? low : due.floor;
    const [is, placeOf] = [new Set(shown), new Map(items.map(({ postId, activityId }) => [postId, activityId]))];
    const proposed = due.entries.filter(({ activityId }) => is.has(activityId));
    const may = new Set((await standing(truth, viewerId, proposed, options)).map(({ activityId }) => activityId));
    const missing = due.entries.filter(({ activityId }) => activityId >= floor && !is.has(activityId));
    const absent = await standing(truth, viewerId, missing, options);
    return {
      // A post is on a page once, where it is newest: it is not to be there again below that.
      missing: absent.filter(({ activityId, postId }) => (placeOf.get(postId) ?? 0n) < activityId),
      extra: items.filter(({ activityId: id }) => id >= floor && !may.has(id)),
      isOrdered: shown.every((id, nth) => nth === 0 || id < (shown[nth - 1] as bigint)),
    };
  }

  /** Looks until feed and truth agree, and mends where they never do. */
  async function audit(viewerId: bigint): Promise<void> {
    const options = onBehalfOf(String(viewerId), "feed", auditMs, newTraceparent());
    let before: Difference | undefined;
    for (let looks = 1; ; looks++) {
      const found = await look(viewerId, options);
      if (found === undefined) return;
      before = foundAgain(found, before);
      const { missing, extra, isOrdered } = before;
      if (missing.length === 0 && extra.length === 0 && isOrdered) return results.inc({ result: "right" });
      if (looks < looksMax) {
        await pause(againMs, AbortSignal.timeout(againMs));
        continue;
      }
      if (missing.length > 0) results.inc({ result: "missing" });
      if (extra.length > 0) results.inc({ result: "extra" });
      if (!isOrdered) results.inc({ result: "disorder" });
      log.error("a feed was wrong", {
        viewer: String(viewerId),
        missing: some(missing),
        extra: some(extra),
        isOrdered,
      });
      return await mend(viewerId, [...missing, ...extra]);
    }
  }

  async function mend(viewerId: bigint, entries: readonly Entry[]): Promise<void> {
    await followSets.drop(redis, [viewerId]);
    await tieSets.drop(redis, [viewerId]);
    const pipeline = redis.pipeline().del(homeTimelines.keyOf(redis, viewerId));
    for (const { activityId, postId } of entries)
      pipeline.del(cards.keyOf(redis, activityId)).del(cards.keyOf(redis, postId));
    await redis.run(pipeline);
  }

  const loop: Loop = async (signal) => {
    while (!signal.aborted) {
      await pause(everyMs, signal);
      const viewerId = readers[Math.floor(Math.random() * readers.length)];
      if (viewerId === undefined || signal.aborted) continue;
      await audit(viewerId).catch((reason) => {
        results.inc({ result: "failed" });
        log.warn("feed not audited", { error: reason });
      });
    }
  };

  return {
    /** Somebody reads their feed. */
    saw(viewerId: bigint): void {
      readers[next] = viewerId;
      next = (next + 1) % readersMax;
    },
    loop: everyMs === 0 ? async () => {} : loop,
  };
}

/** What of a difference was there before; all of it at the first look. */
function foundAgain(found: Difference, before: Difference | undefined): Difference {
  if (before === undefined) return found;
  const among = (entries: readonly Entry[], known: readonly Entry[]) => {
    const ids = new Set(known.map(({ activityId }) => activityId));
    return entries.filter(({ activityId }) => ids.has(activityId));
  };
  return {
    missing: among(found.missing, before.missing),
    extra: among(found.extra, before.extra),
    isOrdered: found.isOrdered || before.isOrdered,
  };
}

/** What truth says belongs into a feed, newest first, complete down to `floor`; undefined where it is too much to ask. */
async function dueOf(
  truth: Truth,
  viewerId: bigint,
  options: CallOptions,
): Promise<{ entries: readonly TimelineEntry[]; floor: bigint } | undefined> {
  const { followeeIds } = await truth.followSet(viewerId, options);
  if (followeeIds.length > followingMax) return undefined;
  const authorIds = [viewerId, ...followeeIds];
  const lists = await truth.activities(authorIds, 0n, perAuthorMax, options);
  const floors = lists.map(({ ids, complete }) => (complete ? 0n : (ids.at(-1) ?? 0n)));
  const floor = floors.reduce((most, each) => (each > most ? each : most), 0n);
  const all = lists.flatMap(({ ids }, nth) =>
    ids.map((activityId) => ({ activityId, authorId: authorIds[nth] as bigint })),
  );
  const entries = all.filter(({ activityId }) => activityId >= floor).sort(newestFirst);
  const last = entries[entriesMax - 1]?.activityId;
  return { entries: entries.slice(0, entriesMax), floor: last ?? floor };
}

/** Those of some entries that are to be shown: the viewer may see them at home, and the posts that reposts among them pass on. */
async function standing(
  truth: Truth,
  viewerId: bigint,
  entries: readonly TimelineEntry[],
  options: CallOptions,
): Promise<readonly Placed[]> {
  if (entries.length === 0) return [];
  return (await decideByTruth(truth, entries, { viewerId, atHome: true }, options)).placed;
}

/** As many as a line of a log may name. */
const some = (entries: readonly Entry[]): string[] => entries.slice(0, 5).map(({ activityId }) => String(activityId));
