import type { CallOptions } from "@connectrpc/connect";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { isInHome, maySeePost, type ViewerId } from "#lib/readmodel/audience.ts";
import { authorVersions, decodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import { type Card, cards, decodeCard } from "#lib/readmodel/card.ts";
import { askStandings, mutedWordsIn, type Standings, standingCommands, standingsIn } from "#lib/readmodel/standing.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { type Asked, askReactions, type Reactions, reactionsOf } from "./reactions.ts";
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

/**
 * The second step of a feed read, one round trip: decides, entry by entry, whether the viewer may see it now. Whatever
 * a timeline holds, a deleted post has a tombstone, its card says for whom it is, and how its author stands to the viewer is
 * asked each time. Reactions are in the same round trip. The number of commands is the same for every viewer.
 */
export async function visibleOf(
  needs: Needs,
  entries: readonly TimelineEntry[],
  looker: Looker,
  options: CallOptions,
): Promise<Seen> {
  if (entries.length === 0) return nothing;
  const { redis } = needs;
  const { viewerId } = looker;
  const postIds = entries.map(({ activityId }) => activityId);
  const authorIds = [...new Set(entries.map(({ authorId }) => authorId))];
  const keys = [
    ...postIds.map((id) => cards.keyOf(redis, id)),
    ...authorIds.map((id) => authorVersions.keyOf(redis, id)),
  ];
  const pipeline = redis.pipeline().mgetBuffer(...keys);
  askStandings(redis, pipeline, viewerId, authorIds);
  askReactions(redis, pipeline, postIds, viewerId);
  const [values, ...rest] = (await redis.run(pipeline)) as [(Buffer | null)[], ...unknown[]];
  const asked = rest.splice(0, standingCommands(viewerId));

  const [known, versions, standings] = await Promise.all([
    cardsOf(needs, postIds, values, options),
    versionsOf(needs, authorIds, values.slice(postIds.length), options),
    standingsOf(needs, viewerId, authorIds, asked, options),
  ]);
  const visible = allowed(entries, { known, versions, standings }, looker);
  const shown = new Set(visible.map(({ activityId }) => activityId));
  const reactions = await reactionsOf(needs, postIds, shown, rest as unknown as Asked, viewerId, options);
  const items = visible.map((entry) => ({ ...entry, ...(reactions.get(entry.activityId) as Reactions) }));
  return { items, mutedWordsVersion: viewerId === undefined ? 0n : mutedWordsIn(asked) };
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
