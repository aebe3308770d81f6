import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { CommentService } from "#gen/skein/api/v1/comment_pb.ts";
import type { Comment } from "#gen/skein/comment/v1/comment_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { commentView, noLikes, shownComments } from "../compose/comments.ts";
import type { Pieces } from "../compose/pieces.ts";
import { idempotencyKeyOf } from "../door/idempotency.ts";
import { commentIdOf, postIdOf } from "./ids.ts";
import { pageOf } from "./page.ts";

export function commentRoutes(
  clients: Pick<Clients, "comment" | "user" | "like">,
  pieces: Pieces,
): ServiceImpl<typeof CommentService> {
  const { comment: comments } = clients;

  async function shownOne(comment: Comment | undefined, ctx: HandlerContext) {
    const [shown] = await shownComments(comment === undefined ? [] : [comment], clients, ctx);
    if (shown === undefined) throw notFound("comment");
    return { comment: shown };
  }

  return {
    async createComment({ post, text }, ctx) {
      const request = { postId: postIdOf(post), text, idempotencyKey: idempotencyKeyOf(ctx) };
      const { comment, replayed, authorVersion } = await comments.createComment(request, within(ctx));
      if (replayed) ctx.responseHeader.set("Idempotency-Replayed", "true");
      if (comment === undefined || replayed || authorVersion === 0n) return shownOne(comment, ctx);
      const [author] = await pieces.authors([{ id: comment.authorId, version: authorVersion }], ctx);
      if (author === undefined) throw notFound("comment");
      return { comment: commentView(comment, author.content, noLikes, callOf(ctx).viewerId) };
    },

    async listComments(request, ctx) {
      const page = pageOf(request);
      const asked = { postId: postIdOf(request.post), ...page };
      const { comments: found, nextPageToken } = await comments.listComments(asked, within(ctx));
      return { comments: await shownComments(found, clients, ctx), nextPageToken };
    },

    async getComment({ comment }, ctx) {
      const found = await comments.getComment({ commentId: commentIdOf(comment) }, within(ctx));
      return shownOne(found.comment, ctx);
    },

    async deleteComment({ comment }, ctx) {
      await comments.deleteComment({ commentId: commentIdOf(comment) }, within(ctx));
      return {};
    },
  };
}
