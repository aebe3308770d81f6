import { LRUCache } from "lru-cache";
import type { FeedItem } from "#gen/skein/feed/v1/feed_pb.ts";
import { type AccountMark, accountMarks } from "#lib/readmodel/account.ts";
import { authorVersions } from "#lib/readmodel/author-version.ts";
import { type Card, cards } from "#lib/readmodel/card.ts";
import { type Count, commentCounts, likeCounts } from "#lib/readmodel/count.ts";
import { followSets, ownSets, reactedSets, tieSets } from "#lib/readmodel/families.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { sizeOf, type ViewerFacts } from "./viewer-facts.ts";

/** What Redis says of a post and of an author, whoever asks; undefined where it has nothing. */
export type PostFacts = {
  readonly card: Card | undefined;
  readonly likes: Count | undefined;
  readonly comments: Count | undefined;
  /** What was answered of it, by what differs between readers: it goes with what it was made of. */
  readonly answers: Map<number, FeedItem>;
};
export type AuthorFacts = { readonly version: number | undefined; readonly mark: AccountMark | undefined };

/** Where a value is kept: none until it was read; not current once it may have changed. */
export type Slot<V> = { readonly id: bigint; value: V | undefined; isCurrent: boolean };

/** A place for values. */
export type Shelf<V> = {
  /** The slot of an id, maybe without a value. */
  take(id: bigint): Slot<V>;
  /** Puts in what was read; it stays, unless it may have changed since its slot was taken. */
  put(slot: Slot<V>, value: V): void;
};

export type Shelves = {
  readonly posts: Shelf<PostFacts>;
  readonly authors: Shelf<AuthorFacts>;
  readonly viewers: Shelf<ViewerFacts>;
  /** False where nothing is kept beyond this read: then nothing needs to be followed, or settled. */
  readonly areKept: boolean;
};

/** How much is kept: so many posts and authors, and of viewers as many as have so many ids. Beyond, the least used go. */
export type Limits = { readonly posts: number; readonly authors: number; readonly viewerIds: number };
/** Measured: posts 34 MB with one answer each, 83 with as many as there may be; authors 4, viewers 31. A process has 256. */
const standard: Limits = { posts: 30_000, authors: 20_000, viewerIds: 400_000 };

/** The sets of a viewer, in the order in which `askViewer` takes them; each change of one writes its state. */
export const viewersSets = [followSets, tieSets, reactedSets, ownSets];

/**
 * A near cache of what deciding takes, in this process: what Redis holds of posts, authors and viewers, decoded, for as long as the
 * server told of no change. Who uses it settles it first, from when on they may see: so it is as new as a read made then; see `createTracking`.
 */
export function nearCache(redis: Redis, limits = standard) {
  const posts = keptShelf(new LRUCache<bigint, Slot<PostFacts>>({ max: limits.posts, dispose: letGo }));
  const authors = keptShelf(new LRUCache<bigint, Slot<AuthorFacts>>({ max: limits.authors, dispose: letGo }));
  const viewers = keptShelf(
    new LRUCache<bigint, Slot<ViewerFacts>>({
      maxSize: limits.viewerIds,
      sizeCalculation: ({ value }) => sizeOf(value),
      dispose: letGo,
    }),
  );
  const shelfOf = new Map<string, { drop(id: bigint): void }>([
    ...[cards, likeCounts, commentCounts].map(({ family }) => [family, posts] as const),
    ...[authorVersions, accountMarks].map(({ family }) => [family, authors] as const),
    ...viewersSets.map(({ stateFamily }) => [stateFamily, viewers] as const),
  ]);
  const tracking = redis.track({
    changed(key) {
      const at = key.lastIndexOf(":");
      shelfOf.get(key.slice(key.lastIndexOf(":", at - 1) + 1, at))?.drop(BigInt(key.slice(at + 1)));
    },
    lost() {
      for (const shelf of [posts, authors, viewers]) shelf.clear();
    },
  });
  const kept: Shelves = { posts, authors, viewers, areKept: true };
  /** When the latest of the questions began that were answered: changes made before it are known. */
  let settledMs = Number.NEGATIVE_INFINITY;

  return {
    /** The shelves, or others for one read alone while changes are not told. */
    open: (): Shelves => (tracking.isOn() ? kept : apart()),
    follow: tracking.follow,

    /**
     * Until every change is known that was made before this call; where nobody tells, nothing is near. False where there was no answer:
     * what is near may be old for who asked. It stays, for it is followed still, unless the ear is lost.
     */
    async settle(): Promise<boolean> {
      if (!tracking.isOn()) return true;
      const begunMs = performance.now();
      try {
        await tracking.settled();
      } catch {
        return false;
      }
      settledMs = Math.max(settledMs, begunMs);
      return true;
    },

    /** Whether every change is known that was made before a moment (ms of `performance.now`). */
    isSettled: (sinceMs: number): boolean => settledMs >= sinceMs && tracking.isOn(),
  };
}

/** Shelves of one read. */
export const apart = (): Shelves => ({ posts: ownShelf(), authors: ownShelf(), viewers: ownShelf(), areKept: false });

export type NearCache = ReturnType<typeof nearCache>;

/** Nobody is told of a change of what has made way for others. */
function letGo(slot: { isCurrent: boolean }, _id: bigint, reason: string): void {
  if (reason === "evict") slot.isCurrent = false;
}

/** A slot leaves its shelf when its value may have changed: what is still being read for it then serves who asked, and no one else. */
function keptShelf<V>(slots: LRUCache<bigint, Slot<V>>): Shelf<V> & { drop(id: bigint): void; clear(): void } {
  return {
    take(id) {
      const known = slots.get(id);
      if (known !== undefined) return known;
      const slot = { id, value: undefined, isCurrent: true };
      slots.set(id, slot);
      return slot;
    },
    put(slot, value) {
      slot.value = value;
      if (!slot.isCurrent) return;
      // Anew, for it has another size now.
      slots.delete(slot.id);
      slots.set(slot.id, slot);
    },
    drop(id) {
      const slot = slots.peek(id);
      if (slot === undefined) return;
      slot.isCurrent = false;
      slots.delete(id);
    },
    clear() {
      for (const slot of slots.values()) slot.isCurrent = false;
      slots.clear();
    },
  };
}

function ownShelf<V>(): Shelf<V> {
  const slots = new Map<bigint, Slot<V>>();
  return {
    take(id) {
      const slot = slots.get(id) ?? { id, value: undefined, isCurrent: true };
      slots.set(id, slot);
      return slot;
    },
    put(slot, value) {
      slot.value = value;
    },
  };
}
