import type { CallOptions } from "@connectrpc/connect";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { accountMarks } from "#lib/readmodel/account.ts";
import { isInHome, maySeePost, type ViewerId } from "#lib/readmodel/audience.ts";
import { authorVersions, decodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import { type Card, cards, decodeCard } from "#lib/readmodel/card.ts";
import { commentCounts, likeCounts } from "#lib/readmodel/count.ts";
import { followSets, likedSets, tieSets } from "#lib/readmodel/families.ts";
import { mutedWordsIn, type Standings, standingsIn } from "#lib/readmodel/standing.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import { askViewer, type ViewerLook } from "#lib/readmodel/viewer-look.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { perTurn } from "#lib/storage/turn.ts";
import { type ReactionCounts, type Reactions, reactionsOf } from "./reactions.ts";
import type { Truth } from "./truth.ts";

/** An entry that its viewer may see at this moment. */
export type Visible = TimelineEntry & Reactions & { readonly postVersion: number; readonly authorVersion: number };

/** Who looks: `viewerId` where somebody is signed in; `atHome` where only those whom the viewer follows are shown. */
export type Looker =
  | { readonly viewerId: bigint; readonly atHome: true }
  | { readonly viewerId: ViewerId; readonly atHome: false };

/** What a viewer may see, and the version of their muted words: 0 for none, undefined where graph is to be asked. */
export type Seen = { readonly items: readonly Visible[]; readonly mutedWordsVersion: bigint | undefined };

const nothing: Seen = { items: [], mutedWordsVersion: 0n };

type Needs = { readonly redis: Redis; readonly truth: Truth };

const cardCounts = cacheCounts("card");
const authorVersionCounts = cacheCounts("author_version");

/** What one read asks Redis: distinct ids, one or more of each. */
type Asked = {
  readonly postIds: readonly bigint[];
  readonly authorIds: readonly bigint[];
  readonly viewerId: ViewerId;
};
type Values = readonly (Buffer | null)[];
/** Values in the order of the ids; what is the viewer's is undefined for nobody. */
type Found = {
  readonly cards: Values;
  readonly counts: ReactionCounts;
  readonly versions: Values;
  readonly marks: Values;
  readonly follows: unknown;
  readonly ties: unknown;
  readonly liked: unknown;
};

/** Reads of one turn that share a round trip: of a hundred values each, so that no command holds Redis for long. */
const readsMax = 32;

/**
 * The second step of a feed read, one round trip: decides, entry by entry, whether the viewer may see it now. Whatever
 * a timeline holds, a deleted post has a tombstone, its card says for whom it is, and how its author stands to the viewer is
 * asked each time. Reactions are in the same round trip. The number of commands is the same for every viewer.
 */
export function visibleBy(needs: Needs) {
  const read = perTurn(readsMax, (asks: readonly Asked[]) => readTogether(needs.redis, asks));
  return async (entries: readonly TimelineEntry[], looker: Looker, options: CallOptions): Promise<Seen> => {
    if (entries.length === 0) return nothing;
    const { viewerId } = looker;
    const postIds = entries.map(({ activityId }) => activityId);
    const authorIds = [...new Set(entries.map(({ authorId }) => authorId))];
    const {
      cards: found,
      counts,
      versions: kept,
      marks,
      follows,
      ties,
      liked,
    } = await read({ postIds, authorIds, viewerId });
    const [known, versions, standings] = await Promise.all([
      cardsOf(needs, postIds, found, options),
      versionsOf(needs, authorIds, kept, options),
      standingsOf(needs, viewerId, authorIds, [marks, follows, ties], options),
    ]);
    const visible = allowed(entries, { known, versions, standings }, looker);
    const shown = new Set(visible.map(({ activityId }) => activityId));
    const reactions = await reactionsOf(needs, { postIds, shown, counts, liked, viewerId }, options);
    const items = visible.map((entry) => ({ ...entry, ...(reactions.get(entry.activityId) as Reactions) }));
    return { items, mutedWordsVersion: viewerId === undefined ? 0n : mutedWordsIn([marks, follows, ties]) };
  };
}

/** In the order in which `askViewer` takes them. */
const viewersSets = [followSets, tieSets, likedSets];
const nobodys: ViewerLook = [undefined, undefined, undefined];

/** The values of all reads by one command, each key once, and what is the viewers' by one each. */
async function readTogether(redis: Redis, asks: readonly Asked[]): Promise<(Found | Error)[]> {
  const posts = numbered(asks.map(({ postIds }) => postIds));
  const authors = numbered(asks.map(({ authorIds }) => authorIds));
  const pipeline = redis
    .pipeline()
    .mgetBuffer([
      ...posts.keys((id) => cards.keyOf(redis, id)),
      ...posts.keys((id) => likeCounts.keyOf(redis, id)),
      ...posts.keys((id) => commentCounts.keyOf(redis, id)),
      ...authors.keys((id) => authorVersions.keyOf(redis, id)),
      ...authors.keys((id) => accountMarks.keyOf(redis, id)),
    ]);
  for (const { viewerId, postIds, authorIds } of asks) {
    if (viewerId === undefined) continue;
    const keys = viewersSets.flatMap((sets) => sets.readKeys(redis, viewerId));
    askViewer(redis, pipeline, keys, { userIds: authorIds, postIds });
  }
  const [values, ...viewers] = await redis.runEach(pipeline);
  if (values instanceof Error) throw values;
  const all = values as Values;
  let next = 0;
  const [ofPosts, ofAuthors] = [posts.count, authors.count];
  return asks.map(({ viewerId, postIds, authorIds }): Found | Error => {
    const own = viewerId === undefined ? nobodys : viewers[next++];
    if (own instanceof Error) return own;
    const [follows, ties, liked] = own as ViewerLook;
    return {
      cards: posts.pick(all, 0, postIds),
      counts: { likes: posts.pick(all, ofPosts, postIds), comments: posts.pick(all, 2 * ofPosts, postIds) },
      versions: authors.pick(all, 3 * ofPosts, authorIds),
      marks: authors.pick(all, 3 * ofPosts + ofAuthors, authorIds),
      follows,
      ties,
      liked,
    };
  });
}

/** Ids of several reads, each once and numbered. */
function numbered(lists: readonly (readonly bigint[])[]) {
  const places = new Map<bigint, number>();
  for (const ids of lists) for (const id of ids) if (!places.has(id)) places.set(id, places.size);
  return {
    count: places.size,
    keys: (keyOf: (id: bigint) => string): string[] => Array.from(places.keys(), keyOf),
    /** Of some values those of some ids; the first id's value is at `from`. */
    pick: (values: Values, from: number, ids: readonly bigint[]): Values =>
      ids.map((id) => values[from + (places.get(id) ?? 0)] ?? null),
  };
}

/** The same from truth alone, for a process that Redis does not answer: a call to each owner. */
export async function visibleByTruth(
  truth: Truth,
  entries: readonly TimelineEntry[],
  looker: Looker,
  options: CallOptions,
): Promise<Seen> {
  if (entries.length === 0) return nothing;
  const postIds = entries.map(({ activityId }) => activityId);
  const authorIds = [...new Set(entries.map(({ authorId }) => authorId))];
  const [known, versions, standings, likes, comments] = await Promise.all([
    truth.cards(postIds, options),
    truth.authorVersions(authorIds, options),
    truth.standings(looker.viewerId, authorIds, options),
    truth.likes(postIds, options),
    truth.commentCounts(postIds, options),
  ]);
  const items = allowed(entries, { known, versions, standings }, looker).map((entry) => ({
    ...entry,
    likeCount: likes.get(entry.activityId)?.count ?? 0,
    commentCount: comments.get(entry.activityId) ?? 0,
    liked: likes.get(entry.activityId)?.liked ?? false,
  }));
  return { items, mutedWordsVersion: undefined };
}

type Known = {
  readonly known: ReadonlyMap<bigint, Card>;
  readonly versions: ReadonlyMap<bigint, number>;
  readonly standings: Standings;
};

/** Posts that their viewer may see, of authors who have a profile and, in a home feed, belong there. */
function allowed(
  entries: readonly TimelineEntry[],
  { known, versions, standings }: Known,
  { viewerId, atHome }: Looker,
): Omit<Visible, keyof Reactions>[] {
  return entries.flatMap((entry) => {
    const card = known.get(entry.activityId);
    const authorVersion = versions.get(entry.authorId);
    const standing = standings.get(entry.authorId);
    if (card === undefined || authorVersion === undefined || !maySeePost(viewerId, card, standing)) return [];
    if (atHome && !isInHome(viewerId, entry.authorId, standing)) return [];
    return [{ ...entry, postVersion: card.version, authorVersion }];
  });
}

async function cardsOf(
  { truth }: Needs,
  postIds: readonly bigint[],
  values: readonly (Buffer | null)[],
  options: CallOptions,
): Promise<Map<bigint, Card>> {
  const found = new Map<bigint, Card>();
  const missing: bigint[] = [];
  for (const [nth, id] of postIds.entries()) {
    const bytes = values[nth];
    if (bytes) found.set(id, decodeCard(bytes));
    else missing.push(id);
  }
  cardCounts(found.size, missing.length);
  if (missing.length > 0) for (const [id, card] of await truth.cards(missing, options)) found.set(id, card);
  return found;
}

async function versionsOf(
  { truth }: Needs,
  authorIds: readonly bigint[],
  values: readonly (Buffer | null)[],
  options: CallOptions,
): Promise<Map<bigint, number>> {
  const found = new Map<bigint, number>();
  const missing: bigint[] = [];
  for (const [nth, id] of authorIds.entries()) {
    const bytes = values[nth];
    if (bytes) found.set(id, decodeAuthorVersion(bytes));
    else missing.push(id);
  }
  authorVersionCounts(found.size, missing.length);
  if (missing.length > 0)
    for (const [id, version] of await truth.authorVersions(missing, options)) found.set(id, version);
  return found;
}

/** How authors stand to the viewer: by the read models, or by truth where they lack one. */
async function standingsOf(
  { truth }: Needs,
  viewerId: ViewerId,
  authorIds: readonly bigint[],
  asked: readonly unknown[],
  options: CallOptions,
): Promise<Standings> {
  const kept = standingsIn(asked, viewerId, authorIds);
  const missing = authorIds.filter((id) => !kept.has(id));
  if (missing.length === 0) return kept;
  return new Map([...kept, ...(await truth.standings(viewerId, missing, options))]);
}
