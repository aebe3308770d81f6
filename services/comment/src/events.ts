import {
  CommentCountsChangedSchema,
  CommentCreatedSchema,
  CommentDeletedSchema,
  CommentEditedSchema,
  CommentHiddenSchema,
  ThreadChangedSchema,
} from "#gen/skein/comment/v1/events_pb.ts";
import type { Media } from "#gen/skein/media/v1/media_pb.ts";
import type { Facets } from "#gen/skein/text/v1/text_pb.ts";
import { type Event, type Fact, fact, type Origin, ofNobody } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";
import type { Thread } from "./store/thread.ts";

/** A comment as its facts name it; `parentId` 0 is no parent. */
type Named = {
  readonly commentId: bigint;
  readonly postId: bigint;
  readonly authorId: bigint;
  readonly parentId: bigint;
  readonly version: bigint;
};

/** The same where there is a text. */
type Written = Named & { readonly facets: Facets | undefined; readonly media: readonly Pick<Media, "id">[] };

const naming = ({ facets }: Pick<Written, "facets">) => ({
  mentionedUserIds: [...new Set(facets?.mentions.map(({ userId }) => userId) ?? [])],
});

/** What happened to a comment. `by`: how many more of its post, and of its parent's replies, are counted since. */
export type CommentChange = Named & { readonly isNew: boolean; readonly by: -1 | 0 | 1 };

export const commentName = (commentId: bigint): string => `comment:${commentId}`;
const threadName = (postId: bigint): string => `thread:${postId}`;

/** All travel in the post's partition: what counts comments sees one post's changes in order. */
export const commentCreated = (of: Written, origin: Origin): Fact => {
  const mediaIds = of.media.map(({ id }) => BigInt(id));
  return fact({
    ...origin,
    desc: CommentCreatedSchema,
    ...placed(of),
    value: { ...sent(of), ...naming(of), mediaIds },
  });
};

export const commentEdited = (of: Written, origin: Origin): Fact =>
  fact({ ...origin, desc: CommentEditedSchema, ...placed(of), value: { ...sent(of), ...naming(of) } });

export const commentHidden = (of: Named & { readonly hidden: boolean }, origin: Origin): Fact =>
  fact({ ...origin, desc: CommentHiddenSchema, ...placed(of), value: { ...sent(of), hidden: of.hidden } });

/** `hidden`: whether it was hidden before. */
export const commentDeleted = (of: Named & { readonly hidden: boolean }, origin: Origin): Fact =>
  fact({ ...origin, desc: CommentDeletedSchema, ...placed(of), value: { ...sent(of), hidden: of.hidden } });

export const threadChanged = (postId: bigint, { locked, repliers, version }: Thread, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: ThreadChangedSchema,
    aggregate: threadName(postId),
    version,
    partition: postId,
    value: { postId: String(postId), version, locked, repliers },
  });

export const commentCountsChanged = (postId: bigint, count: bigint, version: bigint): Fact =>
  fact({
    ...ofNobody,
    desc: CommentCountsChangedSchema,
    aggregate: `comments:${postId}`,
    version,
    partition: postId,
    value: { postId: String(postId), count, version },
  });

const placed = ({ commentId, postId, version }: Named) => ({
  aggregate: commentName(commentId),
  version,
  partition: postId,
});

const sent = ({ commentId, postId, authorId, parentId, version }: Named) => ({
  commentId: String(commentId),
  postId: String(postId),
  authorId: String(authorId),
  parentId: parentId === 0n ? "" : String(parentId),
  version,
});

/** The changes some facts tell of; facts of other kinds say nothing here. */
export function changesIn(events: readonly Pick<Event, "type" | "payload">[]): CommentChange[] {
  return events.flatMap((event): CommentChange[] => {
    switch (event.type) {
      case CommentCreatedSchema.name:
        return [{ ...named(decode(CommentCreatedSchema, event)), isNew: true, by: 1 }];
      case CommentHiddenSchema.name: {
        const told = decode(CommentHiddenSchema, event);
        return [{ ...named(told), isNew: false, by: told.hidden ? -1 : 1 }];
      }
      case CommentDeletedSchema.name: {
        const told = decode(CommentDeletedSchema, event);
        return [{ ...named(told), isNew: false, by: told.hidden ? 0 : -1 }];
      }
      default:
        return [];
    }
  });
}

type Told = { commentId: string; postId: string; authorId: string; parentId: string; version: bigint };
const named = ({ commentId, postId, authorId, parentId, version }: Told): Named => ({
  commentId: BigInt(commentId),
  postId: BigInt(postId),
  authorId: BigInt(authorId),
  parentId: BigInt(parentId),
  version,
});

/** By how much each post's comments change. */
export const postDeltas = (changes: readonly CommentChange[]): Map<bigint, number> =>
  summed(changes.map(({ postId, by }) => [postId, by]));

/** By how much each comment's replies change. */
export const replyDeltas = (changes: readonly CommentChange[]): Map<bigint, number> =>
  summed(changes.filter(({ parentId }) => parentId !== 0n).map(({ parentId, by }) => [parentId, by]));

function summed(changes: readonly (readonly [id: bigint, by: number])[]): Map<bigint, number> {
  const deltas = new Map<bigint, number>();
  for (const [id, by] of changes) deltas.set(id, (deltas.get(id) ?? 0) + by);
  return deltas;
}

/** The posts whose threads some facts tell of. */
export const threadsIn = (events: readonly Pick<Event, "type" | "payload">[]): bigint[] =>
  events.flatMap((event) =>
    event.type === ThreadChangedSchema.name ? [BigInt(decode(ThreadChangedSchema, event).postId)] : [],
  );
