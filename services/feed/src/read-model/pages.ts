import type { CallOptions } from "@connectrpc/connect";
import { untilApplied } from "#lib/readmodel/applied.ts";
import { trusting } from "#lib/readmodel/trust.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { Looker } from "./decide.ts";
import { degradedReads } from "./degraded.ts";
import type { Candidates } from "./home.ts";
import type { Look } from "./look.ts";
import type { Truth } from "./truth.ts";
import { type Seen, type Visible, visibleBy, visibleByTruth } from "./visible.ts";

/** Part of a feed: what the viewer may see, newest first, and the place to go on from, the same way; undefined at the end. */
export type Part = Seen & { readonly next: bigint | undefined };

/** A page; `fromTruth` where Redis was away, or behind what the reader has seen. */
export type Page = Part & { readonly fromTruth: boolean };

/** Proposed beyond the page, so that a few hidden entries do not cost another round. */
const slack = 8;
/** Rounds that refill a page from which much was hidden; then it is answered short, and goes on. */
const roundsMax = 5;

/** Where entries come from, the nearest to a place first, and who says which of them are shown. */
export type Way = {
  readonly propose: (from: bigint | undefined, count: number) => Promise<Candidates>;
  /** What was written before `sinceMs`, of `performance.now`, is to be seen. */
  readonly decide: (entries: Candidates["entries"], sinceMs: number) => Promise<Seen>;
  /** What comes later is newer. */
  readonly upwards?: boolean;
};

/** What every page stands on: who decides what is shown, and which of the two ways a page is read. */
export type Paging = ReturnType<typeof paging>;

export function paging({ redis, truth, look }: { redis: Redis; truth: Truth; look: Look }) {
  const visibleOf = visibleBy({ look: look.look, truth });
  const { either } = degradedReads({
    trusted: trusting(redis, ["graph", "post", "like", "comment"]),
    applied: (after) => untilApplied(redis, after),
  });

  return {
    either,

    deciding: (looker: Looker, options: CallOptions) => ({
      usual: (entries: Candidates["entries"], sinceMs: number) => visibleOf(entries, looker, options, sinceMs),
      byTruth: (entries: Candidates["entries"]) => visibleByTruth(truth, entries, looker, options),
    }),
  };
}

export const proposed = (entries: Candidates["entries"], count: number): Candidates => ({
  entries,
  ended: entries.length < count,
});

/** A page: what is proposed and shown, refilled within a budget. A post is on a page once, where it is newest. */
export async function fill(way: Way, start: bigint | undefined, size: number): Promise<Part> {
  const part = await nearestFirst(way, start, size);
  return way.upwards ? { ...part, items: part.items.toReversed() } : part;
}

async function nearestFirst(
  { propose, decide, upwards = false }: Way,
  start: bigint | undefined,
  size: number,
): Promise<Part> {
  const items: Visible[] = [];
  let mutedWordsVersion: bigint | undefined = 0n;
  let from = start;
  const sinceMs = performance.now();
  for (let round = 0; round < roundsMax; round++) {
    const { entries, ended } = await propose(from, size - items.length + slack);
    // One beyond the page says that there is a next one. What is beyond that is decided only where something is hidden.
    const first = size + 1 - items.length;
    for (const part of [entries.slice(0, first), entries.slice(first)]) {
      if (part.length === 0 || items.length > size) break;
      const seen = await decide(part, sinceMs);
      for (const item of seen.items) place(items, item, upwards);
      mutedWordsVersion = later(mutedWordsVersion, seen.mutedWordsVersion);
    }
    if (items.length > size)
      return { items: items.slice(0, size), next: items[size - 1]?.activityId, mutedWordsVersion };
    if (ended) return { items, next: undefined, mutedWordsVersion };
    from = entries.at(-1)?.activityId ?? from;
  }
  return { items, next: from, mutedWordsVersion };
}

/** Puts an item on a page, where its post is newest. */
function place(items: Visible[], item: Visible, upwards: boolean): void {
  const at = items.findIndex(({ postId }) => postId === item.postId);
  if (at >= 0 && !upwards) return;
  if (at >= 0) items.splice(at, 1);
  items.push(item);
}

/** Rounds of one page may see two versions; one that is not known leaves all of them so. */
const later = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined || b === undefined ? undefined : a > b ? a : b;
