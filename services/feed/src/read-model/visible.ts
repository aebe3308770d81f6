import type { CallOptions } from "@connectrpc/connect";
import type { ReplyRefusal } from "#gen/skein/comment/v1/comment_pb.ts";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { replyRefusal, type ViewerId } from "#lib/readmodel/audience.ts";
import { type Standings, standingsBy } from "#lib/readmodel/standing.ts";
import { type ThreadRule, threadBeside } from "#lib/readmodel/thread.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import { type Decided, decide, type Known, type Looker, type Placed } from "./decide.ts";
import type { Look, Looked } from "./look.ts";
import type { PostFacts } from "./near.ts";
import { none, type Reactions, reactionOf, reactionsOf } from "./reactions.ts";
import { type Slot, slotsOf } from "./slots.ts";
import type { Truth } from "./truth.ts";

/** An entry that its viewer may see at this moment, with the post in its place. */
export type Visible = Placed &
  Reactions & {
    readonly slot?: Slot | undefined;
    /** What all of it that is not the viewer's is made of, where that is what Redis said. */
    readonly facts?: PostFacts | undefined;
  };

/** What a viewer may see, and the version of their muted words: 0 for none, undefined where graph is to be asked. */
export type Seen = { readonly items: readonly Visible[]; readonly mutedWordsVersion: bigint | undefined };

const nothing: Seen = { items: [], mutedWordsVersion: 0n };

type Needs = { readonly look: Look["look"]; readonly truth: Truth };

/** What Redis says of entries, with what truth had to add. */
type Read = Known & { readonly found: Looked };

const cardCounts = cacheCounts("card");
const authorVersionCounts = cacheCounts("author_version");

/**
 * The second step of a feed read, one round trip: decides, entry by entry, whether the viewer may see it now. Whatever
 * a timeline holds, a deleted post has a tombstone, its card says for whom it is, and how its author stands to the viewer is
 * asked each time. Reactions are in the same round trip. The number of commands is the same for every viewer. Where a repost is among
 * them there is one round trip more, the same for the posts that are passed on; where a quote is, one for what is in the slots.
 */
export function visibleBy({ look, truth }: Needs) {
  async function read(
    entries: readonly TimelineEntry[],
    viewerId: ViewerId,
    options: CallOptions,
    { sinceMs, depth = "whole" }: { readonly sinceMs: number; readonly depth?: "card" | "whole" },
  ): Promise<Read> {
    const { postIds, authorIds, authorAt } = idsIn(entries);
    const found = await look({ postIds, authorIds, viewerId, depth, sinceMs });
    const [keptCards, keptVersions] = [
      found.posts.map(({ card }) => card),
      found.authors.map(({ version }) => version),
    ];
    const [cards, versions, standings] = await Promise.all([
      orTruth(postIds, keptCards, cardCounts, (missing) => truth.cards(missing, options)),
      orTruth(authorIds, keptVersions, authorVersionCounts, (missing) => truth.authorVersions(missing, options)),
      standingsOf(truth, viewerId, authorIds, found, options),
    ]);
    return { entries, cards, versions: authorAt.map((at) => versions[at]), standings, found };
  }

  return async (
    entries: readonly TimelineEntry[],
    looker: Looker,
    options: CallOptions,
    sinceMs: number,
  ): Promise<Seen> => {
    if (entries.length === 0) return nothing;
    const { viewerId } = looker;
    const decided = await decide(entries, looker, (some) => read(some, viewerId, options, { sinceMs }));
    const reactionsIn = async (of: Read, shown: readonly number[]) => {
      const postIds = of.entries.map(({ activityId }) => activityId);
      const refusalOf = refusing(of, viewerId);
      return reactionsOf(truth, { found: of.found, postIds, shown, viewerId, refusalOf }, options);
    };
    const { own, ownShown, passedOn, passedOnShown, placed } = decided;
    const [ofOwn, ofPassedOn, slots] = await Promise.all([
      reactionsIn(own, ownShown),
      passedOn === undefined ? [] : reactionsIn(passedOn, passedOnShown),
      slotsOf(placed, viewerId, (some) => read(some, viewerId, options, { sinceMs, depth: "card" })),
    ]);
    const { wordsVersion: mutedWordsVersion } = own.found.viewer;
    return { items: withSlots(withReactions(decided, ofOwn, ofPassedOn), slots), mutedWordsVersion };
  };
}

/** Why a viewer may not reply to a post, by its place among those that are known. */
const refusing =
  ({ entries, cards, standings }: Known, viewerId: ViewerId) =>
  (nth: number, thread: ThreadRule): ReplyRefusal =>
    replyRefusal(viewerId, cards[nth], standings.get(entries[nth]?.authorId ?? 0n), thread);

/** Each place with what stands beside its post. */
function withReactions(
  { own, ownShown, passedOn, passedOnShown, placed }: Decided<Read>,
  ofOwn: readonly Reactions[],
  ofPassedOn: readonly Reactions[],
): Visible[] {
  if (passedOn === undefined)
    return placed.map((one, nth) => {
      const reactions = ofOwn[nth] as Reactions;
      return { ...one, ...reactions, facts: reactions.isAsKept ? factsOf(own, ownShown[nth] ?? -1) : undefined };
    });
  const byPost = new Map<bigint | undefined, Reactions>();
  for (const [at, nth] of ownShown.entries()) byPost.set(own.entries[nth]?.activityId, ofOwn[at] as Reactions);
  for (const [at, nth] of passedOnShown.entries())
    byPost.set(passedOn.entries[nth]?.activityId, ofPassedOn[at] as Reactions);
  return placed.map((one) => ({ ...one, ...(byPost.get(one.postId) as Reactions) }));
}

/** What Redis said of a post, where its card is of that, too. */
function factsOf({ found, cards }: Read, nth: number): PostFacts | undefined {
  const facts = found.posts[nth];
  return facts?.card !== undefined && facts.card === cards[nth] ? facts : undefined;
}

/** The same with what is in their slots. */
const withSlots = (items: readonly Visible[], slots: ReadonlyMap<bigint, Slot>): readonly Visible[] =>
  slots.size === 0 ? items : items.map((one) => ({ ...one, slot: slots.get(one.postId) }));

/** Decides by truth alone: a call to each owner, and one more where a repost is among the entries. */
export const decideByTruth = (
  truth: Truth,
  entries: readonly TimelineEntry[],
  looker: Looker,
  options: CallOptions,
): Promise<Decided<Known>> => decide(entries, looker, knowing(truth, looker.viewerId, options));

/** What truth knows of entries. */
const knowing =
  (truth: Truth, viewerId: ViewerId, options: CallOptions) =>
  async (entries: readonly TimelineEntry[]): Promise<Known> => {
    const { postIds, authorIds, authorAt } = idsIn(entries);
    const [cards, versions, standings] = await Promise.all([
      truth.cards(postIds, options),
      truth.authorVersions(authorIds, options),
      truth.standings(viewerId, authorIds, options),
    ]);
    const kept = authorIds.map((id) => versions.get(id));
    return {
      entries,
      cards: postIds.map((id) => cards.get(id)),
      versions: authorAt.map((at) => kept[at]),
      standings,
    };
  };

/** The same of a page from truth alone, for a process that Redis does not answer. */
export async function visibleByTruth(
  truth: Truth,
  entries: readonly TimelineEntry[],
  looker: Looker,
  options: CallOptions,
): Promise<Seen> {
  if (entries.length === 0) return nothing;
  const { own, passedOn, placed } = await decideByTruth(truth, entries, looker, options);
  const refusalOf = (postId: bigint, thread: ThreadRule): ReplyRefusal => {
    const group = passedOn?.entries.some(({ activityId }) => activityId === postId) ? passedOn : own;
    const nth = group.entries.findIndex(({ activityId }) => activityId === postId);
    return refusing(group, looker.viewerId)(nth, thread);
  };
  const postIds = [...new Set(placed.map(({ postId }) => postId))];
  const [likes, comments, marks, slots] = await Promise.all([
    truth.likes(postIds, options),
    truth.commentCounts(postIds, options),
    looker.viewerId === undefined ? new Map<bigint, number>() : truth.ownMarks(postIds, options),
    slotsOf(placed, looker.viewerId, knowing(truth, looker.viewerId, options)),
  ]);
  const items = placed.map((one) => {
    const { postId } = one;
    const counted = comments.get(postId) ?? none;
    const refusal = refusalOf(postId, threadBeside(counted));
    return { ...one, ...reactionOf(likes.get(postId) ?? { count: none }, counted, refusal, marks.get(postId)) };
  });
  return { items: withSlots(items, slots), mutedWordsVersion: undefined };
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
  { authors, viewer }: Looked,
  options: CallOptions,
): Promise<Standings> {
  const marks = authors.map(({ mark }) => mark);
  const kept = standingsBy(viewerId, authorIds, { marks, following: viewer.follows?.ids, ties: viewer.ties });
  const missing = authorIds.filter((id) => !kept.has(id));
  if (missing.length === 0) return kept;
  return new Map([...kept, ...(await truth.standings(viewerId, missing, options))]);
}
