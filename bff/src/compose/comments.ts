import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { CommentSchema, type Comment as ShownComment } from "#gen/skein/api/v1/resources_pb.ts";
import type { Comment } from "#gen/skein/comment/v1/comment_pb.ts";
import type { User } from "#gen/skein/user/v1/user_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import { authorView } from "../view/user.ts";

/** Comments with their authors, in the order given: one call for all. One whose author is gone is left out. */
export async function shownComments(
  comments: readonly Comment[],
  { user }: Pick<Clients, "user">,
  ctx: HandlerContext,
): Promise<ShownComment[]> {
  if (comments.length === 0) return [];
  const userIds = [...new Set(comments.map(({ authorId }) => authorId))];
  const { users } = await user.batchGetUsers({ userIds }, within(ctx));
  const authors = new Map(users.flatMap(({ user: one }) => (one ? [[one.id, one] as const] : [])));
  return comments.flatMap((comment) => {
    const author = authors.get(comment.authorId);
    return author === undefined ? [] : [commentView(comment, author, callOf(ctx).viewerId)];
  });
}

/** A comment as shown to a viewer. */
export const commentView = (
  { id, version, postId, authorId, text, createTime }: Comment,
  author: User,
  viewerId: string | undefined,
): ShownComment =>
  create(CommentSchema, {
    id,
    version: Number(version),
    postId,
    author: authorView(author),
    text,
    ...(createTime && { createTime }),
    ...(viewerId !== undefined && { viewer: { own: authorId === viewerId } }),
  });
