import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  CommentSchema,
  ReactionCountsSchema,
  type ReactionKind,
  type Comment as ShownComment,
} from "#gen/skein/api/v1/resources_pb.ts";
import type { Comment } from "#gen/skein/comment/v1/comment_pb.ts";
import { type Likes, Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import type { User } from "#gen/skein/user/v1/user_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { isAway } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { facetsView, mediaListView } from "../view/beside.ts";
import { countsByKind } from "../view/post.ts";
import { authorView } from "../view/user.ts";

/** How people and the viewer react to a comment. */
type Reacted = Pick<Likes, "count" | "own" | "others">;

/** Nobody could react to what did not exist a moment ago. */
export const noLikes: Reacted = { count: 0n, own: Reaction.UNSPECIFIED, others: [] };

/** Comments with their authors and reactions, in the order given: one call a noun for all. One whose author is gone is left out. */
export async function shownComments(
  comments: readonly Comment[],
  { user, like }: Pick<Clients, "user" | "like">,
  ctx: HandlerContext,
): Promise<ShownComment[]> {
  if (comments.length === 0) return [];
  const userIds = [...new Set(comments.flatMap(({ authorId }) => authorId || []))];
  const subjects = comments.map(({ id }) => ({ kind: SubjectKind.COMMENT, id }));
  const [{ users }, { likes }] = await Promise.all([
    user.batchGetUsers({ userIds }, within(ctx)),
    like.batchGetLikes({ subjects }, within(ctx)).catch(withoutLikes),
  ]);
  const authors = new Map(users.flatMap(({ user: one }) => (one ? [[one.id, one] as const] : [])));
  return comments.flatMap((comment, nth) => {
    const author = authors.get(comment.authorId);
    return author === undefined && !comment.removed
      ? []
      : [commentView(comment, author, likes[nth] ?? noLikes, callOf(ctx).viewerId)];
  });
}

/** A page is worth more than its counts: while the like service is away there are none. */
function withoutLikes(reason: unknown): { likes: Reacted[] } {
  if (isAway(reason)) return { likes: [] };
  throw reason;
}

/** A comment as shown to a viewer; one that was removed has no author and no text. */
export const commentView = (
  comment: Comment,
  author: User | undefined,
  { count, own, others }: Reacted,
  viewerId: string | undefined,
): ShownComment => {
  const { id, version, postId, parentId, authorId, createTime, editTime } = comment;
  const { text, facets, depth, replyCount, removed, hidden } = comment;
  return create(CommentSchema, {
    id,
    version: Number(version),
    postId,
    ...(author && { author: authorView(author) }),
    text,
    ...(createTime && { createTime }),
    ...(viewerId !== undefined && {
      viewer: { own: authorId === viewerId, ...(own !== Reaction.UNSPECIFIED && { reaction: kindOf(own) }) },
    }),
    likeCount: Number(count),
    ...(others.length > 0 && { reactions: countsView(count, others) }),
    ...(parentId !== "" && { parentId }),
    depth,
    replyCount: Number(replyCount),
    ...(editTime && { editTime }),
    removed,
    hidden,
    ...(facets && { facets: facetsView(facets) }),
    ...(comment.media.length > 0 && { media: mediaListView(comment.media) }),
  });
};

const kindOf = (reaction: Reaction): ReactionKind => reaction as number as ReactionKind;

/** Counts by kind: the numbers of the fields are those of the kinds. */
function countsView(likeCount: bigint, otherReactions: Reacted["others"]) {
  const counts = countsByKind({ likeCount, otherReactions });
  return create(
    ReactionCountsSchema,
    Object.fromEntries(ReactionCountsSchema.fields.map(({ localName }, nth) => [localName, counts[nth]])),
  );
}
