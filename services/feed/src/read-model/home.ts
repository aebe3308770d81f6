import { type CallOptions, Code } from "@connectrpc/connect";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { callIn, lasting, timeLeftMs } from "#lib/mesh/call.ts";
import { problem } from "#lib/mesh/errors.ts";
import { inTime } from "#lib/mesh/metrics.ts";
import { perTurn } from "#lib/mesh/turn.ts";
import { turnstile } from "#lib/mesh/turnstile.ts";
import { followSets, homeTimelines } from "#lib/readmodel/families.ts";
import { completeSince, lag, lagOf } from "#lib/readmodel/lag.ts";
import { membersIn, setStateOf } from "#lib/readmodel/member-set.ts";
import { type Pulled, type PulledView, pulledView } from "#lib/readmodel/pulled.ts";
import { type Slice, sliceOf, type TimelineEntry } from "#lib/readmodel/timeline.ts";
import { clocksMs } from "#lib/storage/id.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { authorsAbove, authorsCandidates } from "./author.ts";
import type { Look } from "./look.ts";
import { type Merged, mergeAuthors, newestFirst } from "./merge.ts";
import type { ActivityList, Truth } from "./truth.ts";

/** Entries below a place, newest first, or above one, nearest first; `ended` where there is nothing after them. */
export type Candidates = { readonly entries: readonly TimelineEntry[]; readonly ended: boolean };

/** Where the candidates of one read come from, for whoever asks why. */
export type Sources = {
  /** The timeline as it stood. */
  readonly slice: Slice;
  /** What the timeline was made of for this read; undefined where it could be read as it was. */
  readonly merged: Merged | undefined;
  /** From the timeline, old or new; down to its low watermark. */
  readonly kept: readonly TimelineEntry[];
  readonly low: bigint;
  /** From the database, below. */
  readonly older: readonly TimelineEntry[];
  /** From the timelines of authors who are not pushed. */
  readonly pulled: readonly TimelineEntry[];
};

type Needs = {
  readonly redis: Redis;
  readonly truth: Truth;
  /** Settled in the round trip of the first step, so that the second needs none. */
  readonly look: Pick<Look, "settle">;
  /** False leaves Redis as it is: who only wants to know merges a missing timeline and does not keep it. */
  readonly keeps?: boolean;
};

const timelineCounts = cacheCounts("timeline");

/** Reads of one turn that share a round trip: as many as two batches of the mesh bring. */
const readsMax = 64;

/** Timelines made at once: after a loss all of them are asked for together, and together all would be late. */
const buildsMax = 4;
/** Timelines that wait to be made; beyond them a read is refused, UNAVAILABLE, `overloaded`. */
const buildsWaitingMax = 1_000;
/** A timeline may take longer to be made than its first reader waits: the next one finds it. */
const buildMs = 10_000;

/** Of more that is not fanned out, only what is of somebody followed goes on: a round trip costs less than so many cards. */
const lateMax = 32;

/**
 * The first step of a home read, one round trip: the timeline below a place, the version of the viewer's follow set,
 * and what is public but not fanned out yet. A timeline that is missing, was made from another set of followings, or is older
 * than a backlog of fan-outs that no read merges whole, is merged from the authors' first; below its low watermark the
 * database goes on. `above` reads upwards from a place in the same way; where that is below the watermark, from the database.
 */
export function homeCandidates(needs: Needs) {
  const { redis, truth } = needs;
  const view = pulledView(redis);
  const readOnce = perTurn(readsMax, async (asks: readonly Asked[]) => {
    const [found] = await Promise.all([readTogether(redis, view, asks), needs.look.settle()]);
    return found;
  });
  const building = new Map<bigint, Promise<Merged>>();

  const enter = turnstile({ insideMax: buildsMax, outsideMax: buildsWaitingMax, what: "timelines to be made" });

  /** Makes the timeline: the key exists → read truth → seal. One build a viewer and process at a time. */
  function build(viewerId: bigint, options: CallOptions): Promise<Merged> {
    const make = () => enter(() => buildOnce(needs, viewerId, lasting(options, buildMs)));
    const under = building.get(viewerId) ?? make().finally(() => building.delete(viewerId));
    building.set(viewerId, under);
    return under;
  }

  /** The timeline around a place, made first where it may not be read as it is. */
  async function look(asked: Asked, options: CallOptions) {
    const { viewerId } = asked;
    const under = building.get(viewerId);
    // It may have read truth before what this read must see; one that begins from here on may be shared.
    if (under !== undefined) await inOwnTime(options, () => under.catch(() => {}));
    const { slice, version, late, pulled } = await readOnce(asked);
    const isOfThese = slice.seal !== undefined && version !== undefined && slice.seal.version === version;
    const madeMs = slice.seal?.timeMs ?? 0;
    const fresh = isOfThese && madeMs >= completeSince(late) && madeMs >= wholeSince(pulled);
    timelineCounts(fresh ? 1 : 0, fresh ? 0 : 1);
    const merged = fresh ? undefined : await inOwnTime(options, () => build(viewerId, options));
    const low = merged?.lowWatermark ?? slice.seal?.lowWatermark ?? 0n;
    return { slice, merged, low, late, pulledIds: fresh ? pulledOf(pulled) : [] };
  }

  async function below(
    viewerId: bigint,
    before: bigint | undefined,
    count: number,
    options: CallOptions,
  ): Promise<Candidates & { readonly sources: Sources }> {
    const { slice, merged, low, late, pulledIds } = await look({ viewerId, before, count }, options);
    const isBelow = (entry: TimelineEntry) => before === undefined || entry.activityId < before;
    const drawn = await drawnFrom(needs, pulledIds, { before, count, low }, options);
    const kept = withOthers((merged?.entries ?? slice.entries).filter(isBelow), drawn).slice(0, count);
    const reached = kept.length < count;
    const older =
      reached && low > 0n
        ? await olderThan(truth, viewerId, before === undefined || low < before ? low : before, count, options)
        : [];
    const all = [...kept, ...older].slice(0, count);
    const ended = reached && all.length < count;
    const last = ended ? 0n : (all.at(-1)?.activityId ?? 0n);
    const between = late.filter((entry) => isBelow(entry) && entry.activityId > last);
    return {
      entries: withOthers(all, await relevant(redis, viewerId, between)),
      ended,
      sources: { slice, merged, kept, low, older, pulled: drawn },
    };
  }

  async function above(viewerId: bigint, after: bigint, count: number, options: CallOptions): Promise<Candidates> {
    const { slice, merged, low, late, pulledIds } = await look({ viewerId, after, count }, options);
    if (after < low) return newerThan(truth, viewerId, after, count, options);
    const isAbove = (entry: TimelineEntry) => entry.activityId > after;
    const drawn = await authorsAbove(needs, pulledIds, after, count, options);
    const found = withOthers(
      (merged?.entries ?? slice.entries).filter(isAbove),
      drawn.flatMap(({ entries }) => entries),
    );
    const kept = found.slice(-count);
    const ended = kept.length < count;
    const last = ended ? aboveAll : (kept[0]?.activityId ?? aboveAll);
    const between = late.filter((entry) => isAbove(entry) && entry.activityId < last);
    return { entries: withOthers(kept, await relevant(redis, viewerId, between)).reverse(), ended };
  }

  return { below, above };
}

/** A candidate place that every activity is below: the database is asked for exactly what a page needs. */
export const aboveAll: TimelineEntry["activityId"] = 2n ** 63n - 1n;

/** A reader waits for a timeline no longer than it has time. */
const inOwnTime = <T>(options: CallOptions, made: () => Promise<T>): Promise<T> =>
  inTime(timeLeftMs(callIn(options)), made, () =>
    problem(Code.DeadlineExceeded, "deadline-exceeded", "the timeline is still being made"),
  );

/** The entries below a place, above one, or the newest. */
type Asked = {
  readonly viewerId: bigint;
  readonly before?: bigint | undefined;
  readonly after?: bigint;
  readonly count: number;
};
type Found = {
  readonly slice: Slice;
  readonly version: bigint | undefined;
  readonly late: readonly TimelineEntry[];
  /** Whom the viewer follows of those who are pulled. */
  readonly pulled: readonly Pulled[];
};

/** The lag is read before the timelines: what has left it is in them by then. */
async function readTogether(redis: Redis, view: PulledView, asks: readonly Asked[]): Promise<(Found | Error)[]> {
  const asked = view.known();
  const askedIds = asked.map(({ authorId }) => authorId);
  const pipeline = redis.pipeline();
  lag.read(redis, pipeline);
  pipeline.mget(...asks.map(({ viewerId }) => followSets.stateKey(redis, viewerId)));
  for (const { viewerId, before, after, count } of asks) {
    if (after !== undefined) homeTimelines.visitAbove(redis, pipeline, viewerId, after, count);
    else if (before === undefined) homeTimelines.visitHead(redis, pipeline, viewerId, count);
    else homeTimelines.readBelow(redis, pipeline, viewerId, before, count);
    if (asked.length > 0) followSets.ask(redis, pipeline, viewerId, askedIds);
  }
  const looked = view.isDue() ? view.look(pipeline) : undefined;
  const answers = await redis.runEach(pipeline);
  const [lagAnswer, states, ...own] = answers;
  const seen = looked === undefined ? undefined : answers.at(-1);
  const failed = [lagAnswer, states, seen].find((answer) => answer instanceof Error);
  if (failed !== undefined) throw failed;
  looked?.(seen);
  // Others are pulled by now, so these viewers are asked about those.
  if (view.known() !== asked || !view.isBelieved()) return readTogether(redis, view, asks);
  const late = lagOf(lagAnswer);
  const each = asked.length > 0 ? 2 : 1;
  return asks.map((_, nth): Found | Error => {
    const [slice, follows] = own.slice(nth * each, (nth + 1) * each);
    if (slice instanceof Error) return slice;
    if (follows instanceof Error) return follows;
    const followed = asked.length > 0 ? membersIn(follows, askedIds)?.ids : undefined;
    return {
      slice: sliceOf(slice),
      version: setStateOf((states as unknown[])[nth])?.version,
      late,
      pulled: asked.filter(({ authorId }) => followed?.has(authorId)),
    };
  });
}

/** What a timeline lacks because its authors are pulled. Below its low watermark it is none, and the database has theirs, too. */
async function drawnFrom(
  needs: Needs,
  authorIds: readonly bigint[],
  { before, count, low }: { before: bigint | undefined; count: number; low: bigint },
  options: CallOptions,
): Promise<TimelineEntry[]> {
  const lists = await authorsCandidates(needs, authorIds, before, count, options);
  return lists.flatMap(({ entries }) => entries.filter(({ activityId }) => activityId >= low));
}

const pulledOf = (authors: readonly Pulled[]): bigint[] =>
  authors.filter(({ isPulled }) => isPulled).map(({ authorId }) => authorId);

/** Since when a timeline has what its authors made public while they were not pushed (ms): those who are pushed again. */
const wholeSince = (pulled: readonly Pulled[]): number =>
  Math.max(0, ...pulled.map(({ isPulled, sinceMs }) => (isPulled ? 0 : sinceMs + clocksMs)));

async function buildOnce(needs: Needs, viewerId: bigint, options: CallOptions): Promise<Merged> {
  const { redis, truth, keeps = true } = needs;
  const seal = keeps ? await homeTimelines.build(redis, [viewerId]) : undefined;
  const { version, followeeIds } = await truth.followSet(viewerId, options);
  const merged = await mergeAuthors(needs, [viewerId, ...followeeIds], options);
  await seal?.([{ ownerId: viewerId, entries: merged.entries, seal: { lowWatermark: merged.lowWatermark, version } }]);
  return merged;
}

/** What the database has below a place: one index range an author. */
export async function olderThan(
  truth: Truth,
  viewerId: bigint,
  before: bigint,
  count: number,
  options: CallOptions,
): Promise<TimelineEntry[]> {
  const { followeeIds } = await truth.followSet(viewerId, options);
  const authorIds = [viewerId, ...followeeIds];
  const lists = await truth.activities(authorIds, before, count, options);
  return entriesOf(authorIds, lists).sort(newestFirst).slice(0, count);
}

/** What the database has just above a place of a home feed, nearest first. */
export async function newerThan(
  truth: Truth,
  viewerId: bigint,
  after: bigint,
  count: number,
  options: CallOptions,
): Promise<Candidates> {
  const { followeeIds } = await truth.followSet(viewerId, options);
  return nearestByTruth(truth, [viewerId, ...followeeIds], after, count, options);
}

/** The same of some authors: one index range each. */
export async function nearestByTruth(
  truth: Truth,
  authorIds: readonly bigint[],
  after: bigint,
  count: number,
  options: CallOptions,
): Promise<Candidates> {
  const lists = await truth.activitiesAbove(authorIds, after, count, options);
  const entries = entriesOf(authorIds, lists).sort(newestFirst).slice(-count).reverse();
  return { entries, ended: entries.length < count };
}

export const entriesOf = (authorIds: readonly bigint[], lists: readonly ActivityList[]): TimelineEntry[] =>
  lists.flatMap(({ ids }, nth) => ids.map((activityId) => ({ activityId, authorId: authorIds[nth] as bigint })));

/** Of what is not fanned out yet what a page may be of. */
const relevant = async (redis: Redis, viewerId: bigint, late: readonly TimelineEntry[]) =>
  late.length > lateMax ? await followedAmong(redis, viewerId, late) : late;

/** Entries of the viewer and of those whom they follow; all of them where Redis does not know. */
async function followedAmong(
  redis: Redis,
  viewerId: bigint,
  late: readonly TimelineEntry[],
): Promise<readonly TimelineEntry[]> {
  const authorIds = [...new Set(late.map(({ authorId }) => authorId))];
  const pipeline = redis.pipeline();
  followSets.ask(redis, pipeline, viewerId, authorIds);
  const members = membersIn((await redis.run(pipeline))[0], authorIds);
  if (members === undefined) return late;
  return late.filter(({ authorId }) => authorId === viewerId || members.ids.has(authorId));
}

/** Puts what is not in the timeline in its place. Whose it is, is decided with everything else's visibility. */
function withOthers(entries: readonly TimelineEntry[], others: readonly TimelineEntry[]): TimelineEntry[] {
  if (others.length === 0) return [...entries];
  const byId = new Map([...entries, ...others].map((entry) => [entry.activityId, entry]));
  return [...byId.values()].sort(newestFirst);
}
