import { type FeedItem, FeedItemSchema, Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import type { Reaction } from "#gen/skein/like/v1/like_pb.ts";
import type { QuotedRef } from "#gen/skein/post/v1/quote_pb.ts";
import { written } from "#lib/mesh/encode.ts";
import type { Page } from "../read-model/pages.ts";
import type { Slot } from "../read-model/slots.ts";
import type { Visible } from "../read-model/visible.ts";

/** A page as thin items. */
export function answerOf(
  { items, next, fromTruth }: Page,
  reasonOf: (authorId: bigint) => Reason,
  tokenOf: (next: bigint) => string,
) {
  return {
    items: items.map((item) => answered(item, item.repostedBy === undefined ? reasonOf(item.authorId) : Reason.REPOST)),
    nextPageToken: next === undefined ? "" : tokenOf(next),
    fromTruth,
  };
}

/** Answers kept of a post, some 550 bytes each: its readers differ little. Beyond them all of it begin anew. */
const answersMax = 4;

/** An item as it is sent: written once for all readers to whom the same is said of it. */
function answered(item: Visible, reason: Reason): FeedItem {
  const { facts, slot, repostedBy } = item;
  if (facts === undefined || slot !== undefined || repostedBy !== undefined) return thin(item, reason);
  const { answers } = facts;
  const name = readerOf(item, reason);
  const known = answers.get(name);
  if (known !== undefined) return known;
  if (answers.size >= answersMax) answers.clear();
  const made = written(FeedItemSchema, thin(item, reason));
  answers.set(name, made);
  return made;
}

/** What of an item differs between the readers of a post, and the version of its author, in one number: 32 bits of version, 8 of the reason, 4, 4 and 2. */
export function readerOf(
  { authorVersion, viewerReaction, saved, reposted, replyRefusal }: Visible,
  reason: Reason,
): number {
  const marks = (saved ? 1 : 0) + (reposted ? 2 : 0);
  return (((authorVersion * 256 + reason) * 16 + viewerReaction) * 16 + replyRefusal) * 4 + marks;
}

/**
 * An item as the message itself, with every field: what is made field by field of something like it takes six times the memory, and a
 * page has twenty.
 */
const thin = (item: Visible, reason: Reason): FeedItem => ({
  $typeName: "skein.feed.v1.FeedItem",
  activityId: String(item.activityId),
  postId: String(item.postId),
  postVersion: BigInt(item.postVersion),
  authorId: String(item.authorId),
  authorVersion: BigInt(item.authorVersion),
  reason,
  likeCount: BigInt(item.likeCount),
  commentCount: BigInt(item.commentCount),
  liked: item.liked,
  otherReactions: item.otherReactions.map(([reaction, n]) => ({
    $typeName: "skein.like.v1.ReactionCount",
    reaction: reaction as Reaction,
    count: BigInt(n),
  })),
  viewerReaction: item.viewerReaction,
  saved: item.saved,
  reposted: item.reposted,
  replyRefusal: item.replyRefusal,
  repostCount: BigInt(item.repostCount),
  quoteCount: BigInt(item.quoteCount),
  saveCount: BigInt(item.saveCount),
  repostedById: item.repostedBy === undefined ? "" : String(item.repostedBy.id),
  repostedByVersion: BigInt(item.repostedBy?.version ?? 0),
  ...(item.slot !== undefined && { quoted: inSlot(item.slot) }),
});

const inSlot = (slot: Slot): QuotedRef => ({
  $typeName: "skein.post.v1.QuotedRef",
  ...(slot === "empty"
    ? { postId: "", postVersion: 0n, authorId: "", authorVersion: 0n }
    : {
        postId: String(slot.postId),
        postVersion: BigInt(slot.postVersion),
        authorId: String(slot.authorId),
        authorVersion: BigInt(slot.authorVersion),
      }),
});
