import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { CommentOrder, type CommentService, type Repliers as ShownRepliers } from "#gen/skein/api/v1/comment_pb.ts";
import type { Comment, CommentOrder as SentOrder } from "#gen/skein/comment/v1/comment_pb.ts";
import type { Repliers, Thread } from "#gen/skein/comment/v1/thread_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { commentView, noLikes, shownComments } from "../compose/comments.ts";
import type { Pieces } from "../compose/pieces.ts";
import { postsUnder } from "../compose/posts-by-id.ts";
import { idempotencyKeyOf } from "../door/idempotency.ts";
import { commentIdOf, isId, postIdOf, userNamed } from "./ids.ts";
import { pageOf } from "./page.ts";

export function commentRoutes(clients: Clients, pieces: Pieces): ServiceImpl<typeof CommentService> {
  const { comment: comments } = clients;

  async function shownOne(comment: Comment | undefined, ctx: HandlerContext) {
    const [shown] = await shownComments(comment === undefined ? [] : [comment], clients, ctx);
    if (shown === undefined) throw notFound("comment");
    return { comment: shown };
  }

  /** A page of what was said under a post and is no reply, or of the replies to one comment. */
  async function level(
    of: { readonly postId: string } | { readonly parentId: string },
    {
      order = CommentOrder.UNSPECIFIED,
      ...page
    }: Parameters<typeof pageOf>[0] & { readonly order?: CommentOrder | undefined },
    ctx: HandlerContext,
  ) {
    const asked = { ...of, ...pageOf(page), order: order as number as SentOrder };
    const { comments: found, nextPageToken } = await comments.listComments(asked, within(ctx));
    return { comments: await shownComments(found, clients, ctx), nextPageToken };
  }

  return {
    async createComment({ post, text, parent, mediaIds }, ctx) {
      const parentId = parent === undefined ? "" : commentIdOf(parent);
      const request = { postId: postIdOf(post), parentId, text, mediaIds, idempotencyKey: idempotencyKeyOf(ctx) };
      const { comment, replayed, authorVersion } = await comments.createComment(request, within(ctx));
      if (replayed) ctx.responseHeader.set("Idempotency-Replayed", "true");
      if (comment === undefined || replayed || authorVersion === 0n) return shownOne(comment, ctx);
      const [author] = await pieces.authors([{ id: comment.authorId, version: authorVersion }], ctx);
      if (author === undefined) throw notFound("comment");
      return { comment: commentView(comment, author.content, noLikes, callOf(ctx).viewerId) };
    },

    listComments: (request, ctx) => level({ postId: postIdOf(request.post) }, request, ctx),
    listReplies: (request, ctx) => level({ parentId: commentIdOf(request.comment) }, request, ctx),

    async listUserReplies({ user, ...asked }, ctx) {
      const page = pageOf(asked);
      const list = (userId: string) => comments.listUserComments({ userId, ...page }, within(ctx));
      const finding = clients.user.getUser({ user: userNamed(user) }, within(ctx));
      // An id is enough to begin with, as for somebody's posts.
      const early = isId(user) ? list(user) : undefined;
      early?.catch(() => {});
      const { user: author } = await finding;
      if (author === undefined) throw notFound("user");
      const answer = await (early ?? list(author.id));
      const [shown, posts] = await Promise.all([
        shownComments(answer.comments, clients, ctx),
        postsUnder(answer.comments, { clients, pieces }, ctx),
      ]);
      return { comments: shown, nextPageToken: answer.nextPageToken, posts };
    },

    async updateComment({ comment, text }, ctx) {
      const edited = await comments.updateComment({ commentId: commentIdOf(comment), text }, within(ctx));
      return shownOne(edited.comment, ctx);
    },

    async hideComment({ comment }, ctx) {
      await comments.setCommentHidden({ commentId: commentIdOf(comment), hidden: true }, within(ctx));
      return {};
    },

    async showComment({ comment }, ctx) {
      await comments.setCommentHidden({ commentId: commentIdOf(comment), hidden: false }, within(ctx));
      return {};
    },

    async getThread({ post }, ctx) {
      const { thread, mayReply } = await comments.getThread({ postId: postIdOf(post) }, within(ctx));
      return { thread: threadView(thread, mayReply) };
    },

    async updateThread({ post, locked, repliers }, ctx) {
      const { thread } = await comments.updateThread(
        {
          postId: postIdOf(post),
          ...(locked !== undefined && { locked }),
          ...(repliers !== undefined && { repliers: repliers as number as Repliers }),
        },
        within(ctx),
      );
      return { thread: threadView(thread, thread?.locked === false) };
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

const threadView = (thread: Thread | undefined, mayReply: boolean) => ({
  locked: thread?.locked ?? false,
  repliers: (thread?.repliers ?? 0) as number as ShownRepliers,
  mayReply,
});
