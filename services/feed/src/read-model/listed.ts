import type { CallOptions } from "@connectrpc/connect";
import { afterOf } from "#lib/mesh/call.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { authorsCandidates } from "./author.ts";
import type { Looker } from "./decide.ts";
import { aboveAll, type Candidates, entriesOf } from "./home.ts";
import { newestFirst } from "./merge.ts";
import { fill, type Page, type Paging, proposed } from "./pages.ts";
import type { Truth } from "./truth.ts";

/** A list by its name: what is in it below an activity (0: from the newest). Whom the viewer mutes is in it where it says so. */
export type Listing = {
  readonly name: string;
  readonly propose: (before: bigint, count: number) => Promise<Candidates>;
  /** Without Redis; the same where it does not need any. */
  readonly proposeByTruth?: (before: bigint, count: number) => Promise<Candidates>;
  readonly showsMuted?: boolean;
};

type Needs = Paging & { readonly redis: Redis; readonly truth: Truth };

/** Pages of lists that no timeline is kept for. */
export const listPages = ({ redis, truth, either, deciding }: Needs) => ({
  /** What some people made public together, from their timelines: as many entries of each as a page needs. */
  listing: (name: string, authorIds: readonly bigint[], options: CallOptions): Listing => ({
    name,
    propose: async (before, count) => {
      const from = before === 0n ? undefined : before;
      const lists = await authorsCandidates({ redis, truth }, authorIds, from, count, options);
      return newest(
        lists.flatMap(({ entries }) => entries),
        count,
      );
    },
    proposeByTruth: async (before, count) =>
      newest(entriesOf(authorIds, await truth.activities(authorIds, before || aboveAll, count, options)), count),
  }),

  /** A page of a list that no timeline is kept for. */
  listed(
    { name, propose, proposeByTruth = propose, showsMuted = false }: Listing,
    viewerId: bigint | undefined,
    before: bigint | undefined,
    size: number,
    options: CallOptions,
  ): Promise<Page> {
    const looker: Looker = { viewerId, atHome: false, ...(showsMuted ? {} : { muted: "hidden" }) };
    const { usual, byTruth } = deciding(looker, options);
    return either(
      { what: "listed", page: `${name} ${viewerId} ${before} ${size}`, after: afterOf(options) },
      () => fill({ propose: (from = 0n, count) => propose(from, count), decide: usual }, before, size),
      () => fill({ propose: (from = 0n, count) => proposeByTruth(from, count), decide: byTruth }, before, size),
    );
  },
});

/** The newest of some entries. */
function newest(entries: readonly TimelineEntry[], count: number): Candidates {
  return proposed(entries.toSorted(newestFirst).slice(0, count), count);
}
