import {
  CommentCountsChangedSchema,
  CommentCreatedSchema,
  CommentDeletedSchema,
} from "#gen/skein/comment/v1/events_pb.ts";
import { type Event, type Fact, fact, type Origin, ofNobody } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";

/** What happened to a comment: it was created, or removed for good. */
export type CommentChange = {
  readonly commentId: bigint;
  readonly postId: bigint;
  readonly authorId: bigint;
  readonly version: bigint;
  readonly deleted: boolean;
};

export const commentName = (commentId: bigint): string => `comment:${commentId}`;

/** Travels in the post's partition: what counts comments sees one post's changes in order. */
export const commentChanged = (change: CommentChange, origin: Origin): Fact => {
  const { commentId, postId, authorId, version, deleted } = change;
  return fact({
    ...origin,
    desc: deleted ? CommentDeletedSchema : CommentCreatedSchema,
    aggregate: commentName(commentId),
    version,
    partition: postId,
    value: { commentId: String(commentId), postId: String(postId), authorId: String(authorId), version },
  });
};

export const commentCountsChanged = (postId: bigint, count: bigint, version: bigint): Fact =>
  fact({
    ...ofNobody,
    desc: CommentCountsChangedSchema,
    aggregate: `comments:${postId}`,
    version,
    partition: postId,
    value: { postId: String(postId), count, version },
  });

const changeKinds = [
  { desc: CommentCreatedSchema, deleted: false },
  { desc: CommentDeletedSchema, deleted: true },
] as const;

/** The changes some facts tell of; facts of other kinds say nothing here. */
export function changesIn(events: readonly Pick<Event, "type" | "payload">[]): CommentChange[] {
  return events.flatMap(({ type, payload }) => {
    const kind = changeKinds.find(({ desc }) => desc.name === type);
    if (kind === undefined) return [];
    const { commentId, postId, authorId, version } = decode(kind.desc, { payload });
    return [
      {
        commentId: BigInt(commentId),
        postId: BigInt(postId),
        authorId: BigInt(authorId),
        version,
        deleted: kind.deleted,
      },
    ];
  });
}

/** By how much each post's comments change. */
export function deltasOf(changes: readonly CommentChange[]): Map<bigint, number> {
  const deltas = new Map<bigint, number>();
  for (const { postId, deleted } of changes) deltas.set(postId, (deltas.get(postId) ?? 0) + (deleted ? -1 : 1));
  return deltas;
}
