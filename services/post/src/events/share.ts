import {
  SaveChangedSchema,
  ShareChangedSchema,
  ShareCountsChangedSchema,
  ShareKind,
} from "#gen/skein/post/v1/events_pb.ts";
import { type Event, type Fact, fact, type Origin, ofNobody } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";
import type { ShareCounts } from "#lib/readmodel/card.ts";
import type { Written } from "../store/content.ts";

/** A post is passed on from now on, or no longer. */
export type ShareChange = {
  /** The post that is passed on. */
  readonly postId: bigint;
  /** The repost, or the post that quotes it. */
  readonly shareId: bigint;
  readonly kind: ShareKind;
  readonly userId: bigint;
  readonly shared: boolean;
};

/** A share is made once and ends once. */
const versionOf = (shared: boolean): bigint => (shared ? 1n : 2n);

export const shareName = (shareId: bigint): string => `share:${shareId}`;

/** Travels in the partition of the post that is passed on: what counts its shares sees them in order, and alone. */
export const shareChanged = ({ postId, shareId, userId, kind, shared }: ShareChange, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: ShareChangedSchema,
    aggregate: shareName(shareId),
    version: versionOf(shared),
    partition: postId,
    value: {
      postId: String(postId),
      shareId: String(shareId),
      userId: String(userId),
      kind,
      shared,
      version: versionOf(shared),
    },
  });

export const shareCountsChanged = (postId: bigint, { reposts, quotes, saves, version }: ShareCounts): Fact =>
  fact({
    ...ofNobody,
    desc: ShareCountsChangedSchema,
    aggregate: `shares:${postId}`,
    version: BigInt(version),
    partition: postId,
    value: {
      postId: String(postId),
      repostCount: BigInt(Math.max(0, reposts)),
      quoteCount: BigInt(Math.max(0, quotes)),
      saveCount: BigInt(Math.max(0, saves)),
      version: BigInt(version),
    },
  });

type Sharing = Pick<Written, "content"> & { readonly id: bigint; readonly authorId: bigint };

/** What a post passes on by being there, or no longer; none for most. */
export function shareOf({ id, authorId, content }: Sharing, shared: boolean): ShareChange[] {
  const { repostedPostId = 0n, quotedPostId = 0n } = content ?? {};
  const of = { shareId: id, userId: authorId, shared };
  return [
    ...(repostedPostId === 0n ? [] : [{ ...of, postId: repostedPostId, kind: ShareKind.REPOST }]),
    ...(quotedPostId === 0n ? [] : [{ ...of, postId: quotedPostId, kind: ShareKind.QUOTE }]),
  ];
}

/** The changes some facts tell of; facts of other kinds say nothing here. */
export const sharesIn = (events: readonly Pick<Event, "type" | "payload">[]): ShareChange[] =>
  events.flatMap((event) => {
    if (event.type !== ShareChangedSchema.name) return [];
    const { postId, shareId, userId, kind, shared } = decode(ShareChangedSchema, event);
    return [{ postId: BigInt(postId), shareId: BigInt(shareId), userId: BigInt(userId), kind, shared }];
  });

/** The posts that quote nothing any more, detached or gone. */
export const detachedIn = (shares: readonly ShareChange[]): bigint[] =>
  shares.filter(({ kind, shared }) => kind === ShareKind.QUOTE && !shared).map(({ shareId }) => shareId);

/** By how much a post's counts change. */
export type ShareDelta = { readonly postId: bigint; reposts: number; quotes: number; saves: number };

/** By how much facts change the counts of each post, by ascending id. */
export function deltasOf(events: readonly Pick<Event, "type" | "payload">[]): ShareDelta[] {
  const found = new Map<bigint, ShareDelta>();
  const of = (postId: bigint): ShareDelta => {
    const delta = found.get(postId) ?? { postId, reposts: 0, quotes: 0, saves: 0 };
    found.set(postId, delta);
    return delta;
  };
  for (const { postId, kind, shared } of sharesIn(events)) {
    const by = shared ? 1 : -1;
    if (kind === ShareKind.REPOST) of(postId).reposts += by;
    else of(postId).quotes += by;
  }
  for (const event of events) {
    if (event.type !== SaveChangedSchema.name) continue;
    const { postId, by } = decode(SaveChangedSchema, event);
    if (by !== 0) of(BigInt(postId)).saves += by;
  }
  return [...found.values()].sort((a, b) => (a.postId < b.postId ? -1 : 1));
}
