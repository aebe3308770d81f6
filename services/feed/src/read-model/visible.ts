import type { CallOptions } from "@connectrpc/connect";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { isInHome, maySeePost, type ViewerId } from "#lib/readmodel/audience.ts";
import type { Card } from "#lib/readmodel/card.ts";
import { mutedWordsIn, type Standings, standingsIn } from "#lib/readmodel/standing.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { looking } from "./look.ts";
import { type Reactions, reactionOf, reactionsOf } from "./reactions.ts";
import type { Truth } from "./truth.ts";

/** An entry that its viewer may see at this moment. */
export type Visible = TimelineEntry & Reactions & { readonly postVersion: number; readonly authorVersion: number };

/** Who looks: `viewerId` where somebody is signed in; `atHome` where only those whom the viewer follows are shown; `muted` where whom
 * the viewer mutes is not. */
export type Looker =
  | { readonly viewerId: bigint; readonly atHome: true }
  | { readonly viewerId: ViewerId; readonly atHome: false; readonly muted?: "hidden" };

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
export function visibleBy({ redis, truth }: Needs) {
  const look = looking(redis);
  return async (entries: readonly TimelineEntry[], looker: Looker, options: CallOptions): Promise<Seen> => {
    if (entries.length === 0) return nothing;
    const { viewerId } = looker;
    const { postIds, authorIds, authorAt } = idsIn(entries);
    const found = await look({ postIds, authorIds, viewerId });
    const [cards, versions, standings] = await Promise.all([
      orTruth(postIds, found.cards, cardCounts, (missing) => truth.cards(missing, options)),
      orTruth(authorIds, found.versions, authorVersionCounts, (missing) => truth.authorVersions(missing, options)),
      standingsOf(truth, viewerId, authorIds, found.standings, options),
    ]);
    const shown = allowed(entries, { cards, versions, standings, authorAt }, looker);
    const reactions = await reactionsOf(truth, { ...found, postIds, shown, viewerId }, options);
    const items = shown.map((nth, at) => ({
      ...itemOf(entries[nth] as TimelineEntry, cards[nth], versions[authorAt[nth] ?? -1]),
      ...(reactions[at] as Reactions),
    }));
    return { items, mutedWordsVersion: viewerId === undefined ? 0n : mutedWordsIn(found.standings) };
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
  const { postIds, authorIds, authorAt } = idsIn(entries);
  const [known, kept, standings, likes, comments, saves] = await Promise.all([
    truth.cards(postIds, options),
    truth.authorVersions(authorIds, options),
    truth.standings(looker.viewerId, authorIds, options),
    truth.likes(postIds, options),
    truth.commentCounts(postIds, options),
    looker.viewerId === undefined ? new Set<bigint>() : truth.saves(postIds, options),
  ]);
  const cards = postIds.map((id) => known.get(id));
  const versions = authorIds.map((id) => kept.get(id));
  const items = allowed(entries, { cards, versions, standings, authorAt }, looker).map((nth) => {
    const entry = entries[nth] as TimelineEntry;
    return {
      ...itemOf(entry, cards[nth], versions[authorAt[nth] ?? -1]),
      ...reactionOf(likes.get(entry.activityId), comments.get(entry.activityId), saves.has(entry.activityId)),
    };
  });
  return { items, mutedWordsVersion: undefined };
}

/** The posts of entries in their order, their authors once each, and which of those each entry is of. */
function idsIn(entries: readonly TimelineEntry[]) {
  const places = new Map<bigint, number>();
  for (const { authorId } of entries) if (!places.has(authorId)) places.set(authorId, places.size);
  return {
    postIds: entries.map(({ activityId }) => activityId),
    authorIds: [...places.keys()],
    authorAt: entries.map(({ authorId }) => places.get(authorId) ?? -1),
  };
}

const itemOf = ({ activityId, authorId }: TimelineEntry, card: Card | undefined, version: number | undefined) => ({
  activityId,
  authorId,
  postVersion: card?.version ?? 0,
  authorVersion: version ?? 0,
});

type Known = {
  readonly cards: readonly (Card | undefined)[];
  readonly versions: readonly (number | undefined)[];
  readonly standings: Standings;
  readonly authorAt: readonly number[];
};

/** Which entries their viewer may see: posts of authors who have a profile and, in a home feed, belong there. */
function allowed(
  entries: readonly TimelineEntry[],
  { cards, versions, standings, authorAt }: Known,
  looker: Looker,
): number[] {
  const { viewerId, atHome } = looker;
  const hidesMuted = !atHome && looker.muted === "hidden";
  const shown: number[] = [];
  for (const [nth, { authorId }] of entries.entries()) {
    const standing = standings.get(authorId);
    const hasProfile = versions[authorAt[nth] ?? -1] !== undefined;
    if (!hasProfile || !maySeePost(viewerId, cards[nth], standing)) continue;
    if (hidesMuted && standing?.muting) continue;
    if (!atHome || isInHome(viewerId, authorId, standing)) shown.push(nth);
  }
  return shown;
}

/** Values in the order of their ids, from truth where Redis has none; undefined for what never was. */
async function orTruth<T>(
  ids: readonly bigint[],
  values: readonly (T | undefined)[],
  counts: ReturnType<typeof cacheCounts>,
  truth: (missing: readonly bigint[]) => Promise<ReadonlyMap<bigint, T>>,
): Promise<readonly (T | undefined)[]> {
  const missing = ids.filter((_, nth) => values[nth] === undefined);
  counts(ids.length - missing.length, missing.length);
  if (missing.length === 0) return values;
  const found = await truth(missing);
  return values.map((value, nth) => value ?? found.get(ids[nth] as bigint));
}

/** How authors stand to the viewer: by the read models, or by truth where they lack one. */
async function standingsOf(
  truth: Truth,
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
