import { accountMarks } from "#lib/readmodel/account.ts";
import type { ViewerId } from "#lib/readmodel/audience.ts";
import { authorVersions, decodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import { type Card, cards, decodeShownCard } from "#lib/readmodel/card.ts";
import { type Count, commentCounts, decodeCount, likeCounts } from "#lib/readmodel/count.ts";
import { followSets, ownSets, reactedSets, tieSets } from "#lib/readmodel/families.ts";
import { askViewer, type ViewerLook } from "#lib/readmodel/viewer-look.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { perTurn } from "#lib/storage/turn.ts";

/** What a page asks Redis about: distinct ids, one or more of each. */
export type Asked = {
  readonly postIds: readonly bigint[];
  readonly authorIds: readonly bigint[];
  readonly viewerId: ViewerId;
};

/** What Redis says, in the order of the ids; undefined where it has nothing. */
export type Looked = {
  readonly cards: readonly (Card | undefined)[];
  readonly likes: readonly (Count | undefined)[];
  readonly comments: readonly (Count | undefined)[];
  readonly versions: readonly (number | undefined)[];
  /** Marks, and what is the viewer's: `standingsIn` reads them. */
  readonly standings: readonly [marks: readonly (Buffer | null)[], ...own: unknown[]];
  /** `marksIn` reads it. */
  readonly reacted: unknown;
  /** `marksIn` reads it, and `ownMark` says what it tells. */
  readonly own: unknown;
};

/** Reads of one turn that share a round trip: of a hundred values each, so that no command holds Redis for long. */
const readsMax = 32;
/** In the order in which `askViewer` takes them. */
const viewersSets = [followSets, tieSets, reactedSets, ownSets];
const nobodys: ViewerLook = [undefined, undefined, undefined, undefined];

/** What of a post is asked for: what deciding takes, or that and what stands beside it, counts and how the viewer reacts. */
type Depth = "card" | "whole";

/** Looks at posts and authors for a viewer, in one round trip with everybody who looks in the same way in the same turn. */
export const looking = (redis: Redis, depth: Depth = "whole") =>
  perTurn(readsMax, (asks: readonly Asked[]) => lookTogether(redis, asks, depth));

/** The values of all by one command, each key once and read once, and what is a viewer's own by one each. */
async function lookTogether(redis: Redis, asks: readonly Asked[], depth: Depth): Promise<(Looked | Error)[]> {
  const posts = numbered(asks.map(({ postIds }) => postIds));
  const authors = numbered(asks.map(({ authorIds }) => authorIds));
  const counted = depth === "whole" ? posts.ids : [];
  const keys = [
    ...posts.ids.map((id) => cards.keyOf(redis, id)),
    ...counted.map((id) => likeCounts.keyOf(redis, id)),
    ...counted.map((id) => commentCounts.keyOf(redis, id)),
    ...authors.ids.map((id) => authorVersions.keyOf(redis, id)),
    ...authors.ids.map((id) => accountMarks.keyOf(redis, id)),
  ];
  const pipeline = redis.pipeline();
  redis.values(pipeline, keys);
  for (const { viewerId, postIds, authorIds } of asks) {
    if (viewerId === undefined) continue;
    const sets = viewersSets.flatMap((family) => family.readKeys(redis, viewerId));
    askViewer(redis, pipeline, sets, { userIds: authorIds, postIds: depth === "whole" ? postIds : [] });
  }
  const [answer, ...viewers] = await redis.runEach(pipeline);
  if (answer instanceof Error) throw answer;
  const values = answer as (Buffer | null)[];
  let at = 0;
  const next = <T>(count: number, decode: (bytes: Buffer) => T | undefined): (T | undefined)[] => {
    at += count;
    return values.slice(at - count, at).map((bytes) => (bytes === null ? undefined : decode(bytes)));
  };
  const known = next(posts.ids.length, decodeShownCard);
  const likes = next(counted.length, decodeCount);
  const comments = next(counted.length, decodeCount);
  const versions = next(authors.ids.length, decodeAuthorVersion);
  const marks = values.slice(at);
  let nth = 0;
  return asks.map(({ viewerId, postIds, authorIds }): Looked | Error => {
    const theirs = viewerId === undefined ? nobodys : viewers[nth++];
    if (theirs instanceof Error) return theirs;
    const [follows, ties, reacted, own] = theirs as ViewerLook;
    const [ofPosts, ofAuthors] = [posts.placesOf(postIds), authors.placesOf(authorIds)];
    return {
      cards: ofPosts.map((place) => known[place]),
      likes: ofPosts.map((place) => likes[place]),
      comments: ofPosts.map((place) => comments[place]),
      versions: ofAuthors.map((place) => versions[place]),
      standings: [ofAuthors.map((place) => marks[place] ?? null), follows, ties],
      reacted,
      own,
    };
  });
}

/** Ids of several lists, each once, and where those of one list are among them. */
function numbered(lists: readonly (readonly bigint[])[]) {
  const places = new Map<bigint, number>();
  for (const ids of lists) for (const id of ids) if (!places.has(id)) places.set(id, places.size);
  return {
    ids: [...places.keys()],
    placesOf: (ids: readonly bigint[]): number[] => ids.map((id) => places.get(id) ?? -1),
  };
}
