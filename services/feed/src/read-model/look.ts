import { accountMarks } from "#lib/readmodel/account.ts";
import type { ViewerId } from "#lib/readmodel/audience.ts";
import { authorVersions, decodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import { type Card, cards, decodeCard } from "#lib/readmodel/card.ts";
import { type Count, commentCounts, decodeCount, likeCounts } from "#lib/readmodel/count.ts";
import { followSets, reactedSets, savedSets, tieSets } from "#lib/readmodel/families.ts";
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
  readonly comments: readonly (number | undefined)[];
  readonly versions: readonly (number | undefined)[];
  /** Marks, and what is the viewer's: `standingsIn` reads them. */
  readonly standings: readonly [marks: readonly (Buffer | null)[], ...own: unknown[]];
  /** `marksIn` reads it. */
  readonly reacted: unknown;
  /** `membersIn` reads it. */
  readonly saved: unknown;
};

/** Reads of one turn that share a round trip: of a hundred values each, so that no command holds Redis for long. */
const readsMax = 32;
/** In the order in which `askViewer` takes them. */
const viewersSets = [followSets, tieSets, reactedSets, savedSets];
const nobodys: ViewerLook = [undefined, undefined, undefined, undefined];

/** Looks at posts and authors for a viewer, in one round trip with everybody who looks in the same turn. */
export const looking = (redis: Redis) => perTurn(readsMax, (asks: readonly Asked[]) => lookTogether(redis, asks));

/** The values of all by one command, each key once and read once, and what is a viewer's own by one each. */
async function lookTogether(redis: Redis, asks: readonly Asked[]): Promise<(Looked | Error)[]> {
  const posts = numbered(asks.map(({ postIds }) => postIds));
  const authors = numbered(asks.map(({ authorIds }) => authorIds));
  const keys = [
    ...posts.ids.map((id) => cards.keyOf(redis, id)),
    ...posts.ids.map((id) => likeCounts.keyOf(redis, id)),
    ...posts.ids.map((id) => commentCounts.keyOf(redis, id)),
    ...authors.ids.map((id) => authorVersions.keyOf(redis, id)),
    ...authors.ids.map((id) => accountMarks.keyOf(redis, id)),
  ];
  const pipeline = redis.pipeline().mgetBuffer(keys);
  for (const { viewerId, postIds, authorIds } of asks) {
    if (viewerId === undefined) continue;
    const own = viewersSets.flatMap((sets) => sets.readKeys(redis, viewerId));
    askViewer(redis, pipeline, own, { userIds: authorIds, postIds });
  }
  const [answer, ...viewers] = await redis.runEach(pipeline);
  if (answer instanceof Error) throw answer;
  const values = answer as (Buffer | null)[];
  let at = 0;
  const next = <T>(count: number, decode: (bytes: Buffer) => T): (T | undefined)[] => {
    at += count;
    return values.slice(at - count, at).map((bytes) => (bytes === null ? undefined : decode(bytes)));
  };
  const known = next(posts.ids.length, decodeCard);
  const likes = next(posts.ids.length, decodeCount);
  const comments = next(posts.ids.length, countOf);
  const versions = next(authors.ids.length, decodeAuthorVersion);
  const marks = values.slice(at);
  let nth = 0;
  return asks.map(({ viewerId, postIds, authorIds }): Looked | Error => {
    const own = viewerId === undefined ? nobodys : viewers[nth++];
    if (own instanceof Error) return own;
    const [follows, ties, reacted, saved] = own as ViewerLook;
    const [ofPosts, ofAuthors] = [posts.placesOf(postIds), authors.placesOf(authorIds)];
    return {
      cards: ofPosts.map((place) => known[place]),
      likes: ofPosts.map((place) => likes[place]),
      comments: ofPosts.map((place) => comments[place]),
      versions: ofAuthors.map((place) => versions[place]),
      standings: [ofAuthors.map((place) => marks[place] ?? null), follows, ties],
      reacted,
      saved,
    };
  });
}

const countOf = (bytes: Buffer): number => decodeCount(bytes).value;

/** Ids of several lists, each once, and where those of one list are among them. */
function numbered(lists: readonly (readonly bigint[])[]) {
  const places = new Map<bigint, number>();
  for (const ids of lists) for (const id of ids) if (!places.has(id)) places.set(id, places.size);
  return {
    ids: [...places.keys()],
    placesOf: (ids: readonly bigint[]): number[] => ids.map((id) => places.get(id) ?? -1),
  };
}
