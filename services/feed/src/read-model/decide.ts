import { isInHome, maySeePost, type ViewerId } from "#lib/readmodel/audience.ts";
import type { Card, Quoted } from "#lib/readmodel/card.ts";
import type { Standings } from "#lib/readmodel/standing.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";

/** Who looks: `viewerId` where somebody is signed in; `atHome` where only those whom the viewer follows are shown; `muted` where whom
 * the viewer mutes is not. */
export type Looker =
  | { readonly viewerId: bigint; readonly atHome: true }
  | { readonly viewerId: ViewerId; readonly atHome: false; readonly muted?: "hidden" };

/** What deciding about some entries takes, in their order. */
export type Known = {
  readonly entries: readonly TimelineEntry[];
  readonly cards: readonly (Card | undefined)[];
  /** Of their authors' profiles. */
  readonly versions: readonly (number | undefined)[];
  readonly standings: Standings;
};

/** An entry that its viewer may see at this moment, and the post in its place. */
export type Placed = {
  readonly activityId: bigint;
  readonly postId: bigint;
  readonly authorId: bigint;
  readonly postVersion: number;
  readonly authorVersion: number;
  /** How often the post is passed on and kept. */
  readonly repostCount: number;
  readonly quoteCount: number;
  readonly saveCount: number;
  /** What it quotes, where its card says so. */
  readonly quoted: Quoted | undefined;
  /** Who passed the post on, where that is why it is here. */
  readonly repostedBy?: { readonly id: bigint; readonly version: number };
};

/** What is shown, by what is known: of the entries themselves, and of the posts that reposts among them pass on. */
export type Decided<K extends Known> = {
  readonly own: K;
  readonly ownShown: readonly number[];
  /** Undefined where there is no repost. */
  readonly passedOn: K | undefined;
  readonly passedOnShown: readonly number[];
  readonly placed: readonly Placed[];
};

/** Of a post that is passed on: nobody whom the viewer mutes is shown to them by somebody else. */
const toPassOn = (viewerId: ViewerId): Looker => ({ viewerId, atHome: false, muted: "hidden" });

/**
 * Decides about entries by what `know` knows of them; where reposts are among those that are shown, it is asked once more, for the posts
 * that they pass on, and what the viewer may not see of those is left out with its reposts.
 */
export async function decide<K extends Known>(
  entries: readonly TimelineEntry[],
  looker: Looker,
  know: (entries: readonly TimelineEntry[]) => Promise<K>,
): Promise<Decided<K>> {
  const own = await know(entries);
  const shown = allowed(own, looker);
  const originals = originalsOf(shown, own);
  if (originals === undefined) {
    const placed = shown.map((nth) => placeOf(own, nth));
    return { own, ownShown: shown, passedOn: undefined, passedOnShown: [], placed };
  }
  const passedOn = await know(originals);
  const passedOnShown = allowed(passedOn, toPassOn(looker.viewerId));
  const originalAt = new Map(passedOnShown.map((nth) => [passedOn.entries[nth]?.activityId, nth]));
  const placed = shown.flatMap((nth): Placed[] => {
    const place = placeOf(own, nth);
    const reposted = own.cards[nth]?.reposted;
    if (reposted === undefined) return [place];
    const at = originalAt.get(reposted.postId);
    if (at === undefined) return [];
    const { activityId, authorId: id, authorVersion: version } = place;
    return [{ ...placeOf(passedOn, at), activityId, repostedBy: { id, version } }];
  });
  const ownShown = shown.filter((nth) => own.cards[nth]?.reposted === undefined);
  return { own, ownShown, passedOn, passedOnShown, placed };
}

/** Each post that reposts pass on, once; undefined where there is no repost, as on most pages. */
function originalsOf(shown: readonly number[], { cards }: Known): readonly TimelineEntry[] | undefined {
  if (!shown.some((nth) => cards[nth]?.reposted !== undefined)) return undefined;
  const found = new Map<bigint, TimelineEntry>();
  for (const nth of shown) {
    const reposted = cards[nth]?.reposted;
    if (reposted !== undefined)
      found.set(reposted.postId, { activityId: reposted.postId, authorId: reposted.authorId });
  }
  return [...found.values()];
}

/** A post by itself. */
export function placeOf({ entries, cards, versions }: Known, nth: number): Placed {
  const { activityId, authorId } = entries[nth] as TimelineEntry;
  const card = cards[nth];
  return {
    activityId,
    postId: activityId,
    authorId,
    postVersion: card?.version ?? 0,
    authorVersion: versions[nth] ?? 0,
    repostCount: card?.shares?.reposts ?? 0,
    quoteCount: card?.shares?.quotes ?? 0,
    saveCount: card?.shares?.saves ?? 0,
    quoted: card?.quoted,
  };
}

/** Which entries their viewer may see: posts of authors who have a profile and, in a home feed, belong there. */
export function allowed({ entries, cards, versions, standings }: Known, looker: Looker): number[] {
  const { viewerId, atHome } = looker;
  const hidesMuted = !atHome && looker.muted === "hidden";
  const shown: number[] = [];
  for (const [nth, { authorId }] of entries.entries()) {
    const standing = standings.get(authorId);
    if (versions[nth] === undefined || !maySeePost(viewerId, cards[nth], standing)) continue;
    if (hidesMuted && standing?.muting) continue;
    if (!atHome || isInHome(viewerId, authorId, standing)) shown.push(nth);
  }
  return shown;
}
