import type { CallOptions } from "@connectrpc/connect";
import type { Redis } from "#lib/storage/redis.ts";
import { authorCandidates } from "./read-model/author.ts";
import { type Candidates, homeCandidates } from "./read-model/home.ts";
import type { Truth } from "./read-model/truth.ts";
import { type Looker, type Visible, visibleOf } from "./read-model/visible.ts";

/** A page: what the viewer may see, and the place to go on below; undefined at the end. */
export type Page = { readonly items: readonly Visible[]; readonly next: bigint | undefined };

/** Read beyond the page, so that a few hidden entries do not cost another round. */
const slack = 8;
/** Rounds that refill a page from which much was hidden; then it is answered short, and goes on. */
const roundsMax = 5;

type Candidate = (
  ownerId: bigint,
  before: bigint | undefined,
  count: number,
  options: CallOptions,
) => Promise<Candidates>;

/** Pages of timelines, as their viewer may see them now. */
export type Timelines = ReturnType<typeof feedReadModel>;

export function feedReadModel({ redis, truth }: { redis: Redis; truth: Truth }) {
  const home = homeCandidates({ redis, truth });
  const author = authorCandidates({ redis, truth });

  async function page(
    candidates: Candidate,
    ownerId: bigint,
    looker: Looker,
    before: bigint | undefined,
    size: number,
    options: CallOptions,
  ): Promise<Page> {
    const items: Visible[] = [];
    let from = before;
    for (let round = 0; round < roundsMax; round++) {
      const { entries, ended } = await candidates(ownerId, from, size - items.length + slack, options);
      items.push(...(await visibleOf({ redis, truth }, entries, looker, options)));
      if (items.length > size) return { items: items.slice(0, size), next: items[size - 1]?.activityId };
      if (ended) return { items, next: undefined };
      from = entries.at(-1)?.activityId ?? from;
    }
    return { items, next: from };
  }

  return {
    home: (viewerId: bigint, before: bigint | undefined, size: number, options: CallOptions): Promise<Page> =>
      page(home, viewerId, { viewerId, byFollows: true }, before, size, options),
    author: (
      authorId: bigint,
      viewerId: bigint | undefined,
      before: bigint | undefined,
      size: number,
      options: CallOptions,
    ): Promise<Page> => page(author, authorId, { viewerId, byFollows: false }, before, size, options),
  };
}
