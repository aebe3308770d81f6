import type { ViewerId } from "#lib/readmodel/audience.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import { allowed, type Known, type Placed, placeOf } from "./decide.ts";

/** What is in the slot of a post that quotes: a post as its reader may see it at this moment, or nothing. */
export type Slot = Pick<Placed, "postId" | "authorId" | "postVersion" | "authorVersion"> | "empty";

const none: ReadonlyMap<bigint, Slot> = new Map();

/**
 * Decides what is in the slots of those posts of a page that quote, by the post. A quoted post is shown to whom its own address would
 * show it, also where they mute whose it is. `know` is asked once for all of them, and not at all where none quotes.
 */
export async function slotsOf(
  placed: readonly Placed[],
  viewerId: ViewerId,
  know: (entries: readonly TimelineEntry[]) => Promise<Known>,
): Promise<ReadonlyMap<bigint, Slot>> {
  const entries = new Map<bigint, TimelineEntry>();
  let quotes = 0;
  for (const { quoted } of placed) {
    if (quoted === undefined) continue;
    quotes++;
    const { postId, authorId } = quoted;
    if (postId !== 0n) entries.set(postId, { activityId: postId, authorId });
  }
  if (quotes === 0) return none;
  const seen = new Map<bigint, Slot>();
  if (entries.size > 0) {
    const known = await know([...entries.values()]);
    for (const nth of allowed(known, { viewerId, atHome: false })) {
      const place = placeOf(known, nth);
      seen.set(place.postId, place);
    }
  }
  return new Map(
    placed.flatMap(({ postId, quoted }) =>
      quoted === undefined ? [] : [[postId, seen.get(quoted.postId) ?? "empty"] as const],
    ),
  );
}
