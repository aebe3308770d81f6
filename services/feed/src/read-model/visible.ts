import type { CallOptions } from "@connectrpc/connect";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { authorVersions, decodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import { type Card, cards, decodeCard } from "#lib/readmodel/card.ts";
import { followSets } from "#lib/readmodel/families.ts";
import { membersIn } from "#lib/readmodel/member-set.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { type Asked, askReactions, type Reactions, reactionsOf } from "./reactions.ts";
import type { Truth } from "./truth.ts";

/** An entry that its viewer may see at this moment. */
export type Visible = TimelineEntry & Reactions & { readonly postVersion: number; readonly authorVersion: number };

/** Who looks: `viewerId` where somebody is signed in; `byFollows` where only those whom the viewer follows are shown. */
export type Looker = { readonly viewerId: bigint | undefined; readonly byFollows: boolean };

type Needs = { readonly redis: Redis; readonly truth: Truth };

const cardCounts = cacheCounts("card");
const authorVersionCounts = cacheCounts("author_version");
const followSetCounts = cacheCounts("follow_set");

/**
 * The second step of a feed read, one round trip: decides, entry by entry, whether the viewer may see it now. Whatever
 * a timeline holds, a deleted post has a tombstone and an unfollowed author is not in the set. Reactions are in the same
 * round trip.
 */
export async function visibleOf(
  needs: Needs,
  entries: readonly TimelineEntry[],
  { viewerId, byFollows }: Looker,
  options: CallOptions,
): Promise<Visible[]> {
  if (entries.length === 0) return [];
  const { redis } = needs;
  const followsOf = byFollows ? viewerId : undefined;
  const postIds = entries.map(({ activityId }) => activityId);
  const authorIds = [...new Set(entries.map(({ authorId }) => authorId))];
  const keys = [
    ...postIds.map((id) => cards.keyOf(redis, id)),
    ...authorIds.map((id) => authorVersions.keyOf(redis, id)),
  ];
  const pipeline = redis.pipeline().mgetBuffer(...keys);
  askReactions(redis, pipeline, postIds, viewerId);
  if (followsOf !== undefined) followSets.ask(redis, pipeline, followsOf, authorIds);
  const [values, ...rest] = (await redis.run(pipeline)) as [(Buffer | null)[], ...unknown[]];
  const follows = followsOf === undefined ? undefined : rest.pop();

  const [known, versions, followed] = await Promise.all([
    cardsOf(needs, postIds, values, options),
    versionsOf(needs, authorIds, values.slice(postIds.length), options),
    followsOf === undefined ? undefined : followedOf(needs, followsOf, authorIds, follows, options),
  ]);
  const visible = allowed(entries, { known, versions, followed }, followsOf);
  const shown = new Set(visible.map(({ activityId }) => activityId));
  const reactions = await reactionsOf(needs, postIds, shown, rest as unknown as Asked, viewerId, options);
  return visible.map((entry) => ({ ...entry, ...(reactions.get(entry.activityId) as Reactions) }));
}

/** The same from truth alone, for a process that Redis does not answer: a call to each owner. */
export async function visibleByTruth(
  truth: Truth,
  entries: readonly TimelineEntry[],
  { viewerId, byFollows }: Looker,
  options: CallOptions,
): Promise<Visible[]> {
  if (entries.length === 0) return [];
  const followsOf = byFollows ? viewerId : undefined;
  const postIds = entries.map(({ activityId }) => activityId);
  const authorIds = [...new Set(entries.map(({ authorId }) => authorId))];
  const [known, versions, followed, likes, comments] = await Promise.all([
    truth.cards(postIds, options),
    truth.authorVersions(authorIds, options),
    followsOf === undefined ? undefined : truth.followSet(followsOf, options),
    truth.likes(postIds, options),
    truth.commentCounts(postIds, options),
  ]);
  const follows = followed && new Set(followed.followeeIds);
  return allowed(entries, { known, versions, followed: follows }, followsOf).map((entry) => ({
    ...entry,
    likeCount: likes.get(entry.activityId)?.count ?? 0,
    commentCount: comments.get(entry.activityId) ?? 0,
    liked: likes.get(entry.activityId)?.liked ?? false,
  }));
}

type Known = {
  readonly known: ReadonlyMap<bigint, Card>;
  readonly versions: ReadonlyMap<bigint, number>;
  /** Undefined where it does not matter. */
  readonly followed: ReadonlySet<bigint> | undefined;
};

/** The rule itself: standing posts of authors who are there and, in a home feed, followed. */
function allowed(
  entries: readonly TimelineEntry[],
  { known, versions, followed }: Known,
  followsOf: bigint | undefined,
): Omit<Visible, keyof Reactions>[] {
  return entries.flatMap((entry) => {
    const card = known.get(entry.activityId);
    const authorVersion = versions.get(entry.authorId);
    if (card === undefined || card.deleted || authorVersion === undefined) return [];
    if (followed !== undefined && entry.authorId !== followsOf && !followed.has(entry.authorId)) return [];
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

/** Which authors the viewer follows: by the set in Redis, or by truth where there is none. */
async function followedOf(
  { truth }: Needs,
  viewerId: bigint,
  authorIds: readonly bigint[],
  answer: unknown,
  options: CallOptions,
): Promise<ReadonlySet<bigint>> {
  const kept = membersIn(answer, authorIds);
  followSetCounts(kept === undefined ? 0 : 1, kept === undefined ? 1 : 0);
  return kept?.ids ?? new Set((await truth.followSet(viewerId, options)).followeeIds);
}
