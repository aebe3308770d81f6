import type { CallOptions } from "@connectrpc/connect";
import { afterOf } from "#lib/mesh/call.ts";
import { untilApplied } from "#lib/readmodel/applied.ts";
import { trusting } from "#lib/readmodel/trust.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { authorCandidates } from "./read-model/author.ts";
import { aboveAll, degradedReads } from "./read-model/degraded.ts";
import { type Candidates, homeCandidates, olderThan } from "./read-model/home.ts";
import type { Truth } from "./read-model/truth.ts";
import { type Looker, type Seen, type Visible, visibleBy, visibleByTruth } from "./read-model/visible.ts";

/** Part of a feed: what the viewer may see, and the place to go on below; undefined at the end. */
type Part = Seen & { readonly next: bigint | undefined };

/** A page; `fromTruth` where Redis was away, or behind what the reader has seen. */
export type Page = Part & { readonly fromTruth: boolean };

/** Read beyond the page, so that a few hidden entries do not cost another round. */
const slack = 8;
/** Rounds that refill a page from which much was hidden; then it is answered short, and goes on. */
const roundsMax = 5;

/** Where entries come from, and who says which of them are shown. */
type Way = {
  readonly propose: (before: bigint | undefined, count: number) => Promise<Candidates>;
  readonly decide: (entries: Candidates["entries"]) => Promise<Seen>;
};

/** Pages of timelines, as their viewer may see them now. */
export type Timelines = ReturnType<typeof feedReadModel>;

export function feedReadModel({ redis, truth }: { redis: Redis; truth: Truth }) {
  const homeOf = homeCandidates({ redis, truth });
  const authorOf = authorCandidates({ redis, truth });
  const visibleOf = visibleBy({ redis, truth });
  const { either } = degradedReads({
    trusted: trusting(redis, ["graph", "post", "like", "comment"]),
    applied: (after) => untilApplied(redis, after),
  });

  const deciding = (looker: Looker, options: CallOptions) => ({
    usual: (entries: Candidates["entries"]) => visibleOf(entries, looker, options),
    byTruth: (entries: Candidates["entries"]) => visibleByTruth(truth, entries, looker, options),
  });

  return {
    home(viewerId: bigint, before: bigint | undefined, size: number, options: CallOptions): Promise<Page> {
      const { usual, byTruth } = deciding({ viewerId, atHome: true }, options);
      const propose: Way["propose"] = (from, count) => homeOf(viewerId, from, count, options);
      const older: Way["propose"] = async (from = aboveAll, count) =>
        proposed(await olderThan(truth, viewerId, from, count, options), count);
      return either(
        { what: "home", page: `${viewerId} ${before} ${size}`, after: afterOf(options) },
        () => fill({ propose, decide: usual }, before, size),
        () => fill({ propose: older, decide: byTruth }, before, size),
      );
    },

    author(
      authorId: bigint,
      viewerId: bigint | undefined,
      before: bigint | undefined,
      size: number,
      options: CallOptions,
    ): Promise<Page> {
      const { usual, byTruth } = deciding({ viewerId, atHome: false }, options);
      const propose: Way["propose"] = (from, count) => authorOf(authorId, from, count, options);
      const older: Way["propose"] = async (from = aboveAll, count) => {
        const [list] = await truth.activities([authorId], from, count, options);
        return proposed(
          (list?.ids ?? []).map((activityId) => ({ activityId, authorId })),
          count,
        );
      };
      return either(
        { what: "author", page: `${authorId} ${viewerId} ${before} ${size}`, after: afterOf(options) },
        () => fill({ propose, decide: usual }, before, size),
        () => fill({ propose: older, decide: byTruth }, before, size),
      );
    },

    /** The post an author pinned, alone on its page, where the viewer may see it. */
    async pinned(authorId: bigint, viewerId: bigint | undefined, options: CallOptions): Promise<Page> {
      const entries = await truth.pinned(authorId, options);
      const { usual, byTruth } = deciding({ viewerId, atHome: false }, options);
      const pageBy = async (decide: Way["decide"]): Promise<Part> => ({ ...(await decide(entries)), next: undefined });
      return either(
        { what: "pinned", page: `${authorId} ${viewerId}`, after: afterOf(options) },
        () => pageBy(usual),
        () => pageBy(byTruth),
      );
    },

    /** A list that truth keeps, by its name: what is under a tag, what quotes a post. Whom the viewer mutes is not in it. */
    listed(
      name: string,
      activities: (before: bigint, count: number) => Promise<Candidates>,
      viewerId: bigint | undefined,
      before: bigint | undefined,
      size: number,
      options: CallOptions,
    ): Promise<Page> {
      const { usual, byTruth } = deciding({ viewerId, atHome: false, muted: "hidden" }, options);
      const propose: Way["propose"] = (from, count) => activities(from ?? 0n, count);
      return either(
        { what: "listed", page: `${name} ${viewerId} ${before} ${size}`, after: afterOf(options) },
        () => fill({ propose, decide: usual }, before, size),
        () => fill({ propose, decide: byTruth }, before, size),
      );
    },
  };
}

const proposed = (entries: Candidates["entries"], count: number): Candidates => ({
  entries,
  ended: entries.length < count,
});

async function fill({ propose, decide }: Way, before: bigint | undefined, size: number): Promise<Part> {
  const items: Visible[] = [];
  let mutedWordsVersion: bigint | undefined = 0n;
  let from = before;
  for (let round = 0; round < roundsMax; round++) {
    const { entries, ended } = await propose(from, size - items.length + slack);
    const seen = await decide(entries);
    items.push(...seen.items);
    mutedWordsVersion = later(mutedWordsVersion, seen.mutedWordsVersion);
    if (items.length > size)
      return { items: items.slice(0, size), next: items[size - 1]?.activityId, mutedWordsVersion };
    if (ended) return { items, next: undefined, mutedWordsVersion };
    from = entries.at(-1)?.activityId ?? from;
  }
  return { items, next: from, mutedWordsVersion };
}

/** Rounds of one page may see two versions; one that is not known leaves all of them so. */
const later = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined || b === undefined ? undefined : a > b ? a : b;
