import type { HandlerContext } from "@connectrpc/connect";
import type { PostService } from "#gen/skein/api/v1/post_pb.ts";
import type { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import type { MutedWords } from "../compose/muted-words.ts";
import type { Pieces } from "../compose/pieces.ts";
import { noReactions, postNow, reactionsBeside, withKnownAuthor } from "../compose/posts.ts";
import { shownAlone } from "../compose/slots.ts";
import { idempotencyKeyOf } from "../door/idempotency.ts";
import type { Routes } from "../door/rpc.ts";
import { pollSent } from "../view/poll.ts";
import type { ShownPost } from "../view/post.ts";
import { postIdOf } from "./ids.ts";
import { postLists } from "./post-lists.ts";

export function postRoutes(clients: Clients, pieces: Pieces, muted: MutedWords): Routes<typeof PostService> {
  const needs = { clients, pieces };
  const shown = (post: ShownPost, ctx: HandlerContext) => shownAlone(post, callOf(ctx).viewerId, needs, ctx);
  return {
    ...postLists(clients, pieces, muted),

    async createPost(request, ctx) {
      const { text, audience, mentionedUserIds, contentWarning = "", language = "", replySetting = 0 } = request;
      const { quotedPostId, poll } = request;
      const made = await clients.post.createPost(
        {
          text,
          audience: audience as number as Audience,
          mentionedUserIds,
          contentWarning,
          language,
          replySetting: replySetting as number as ReplySetting,
          mediaIds: request.mediaIds,
          ...(poll && { poll: pollSent(poll) }),
          ...(quotedPostId !== undefined && { quotedPostId: BigInt(postIdOf(quotedPostId)) }),
          idempotencyKey: idempotencyKeyOf(ctx),
        },
        within(ctx),
      );
      const { post, replayed, authorVersion } = made;
      if (post === undefined) throw new Error("created no post");
      if (replayed) ctx.responseHeader.set("Idempotency-Replayed", "true");
      const reactions = replayed ? await reactionsBeside(made, post.id, clients, ctx) : noReactions;
      return shown(await withKnownAuthor(post, authorVersion, reactions, needs, ctx), ctx);
    },

    async getPost({ post }, ctx) {
      return shown(await postNow(postIdOf(post), clients, ctx), ctx);
    },

    async editPost({ post: id, text, contentWarning, language, ifVersion }, ctx) {
      const edited = await clients.post.editPost(
        {
          postId: postIdOf(id),
          ...(text !== undefined && { text }),
          ...(contentWarning !== undefined && { contentWarning }),
          ...(language !== undefined && { language }),
          ...(ifVersion !== undefined && { ifVersion: BigInt(ifVersion) }),
        },
        within(ctx),
      );
      const { post } = edited;
      if (post === undefined) throw new Error("edited no post");
      const reactions = await reactionsBeside(edited, post.id, clients, ctx);
      return shown(await withKnownAuthor(post, 0n, reactions, needs, ctx), ctx);
    },

    async deletePost({ post }, ctx) {
      await clients.post.deletePost({ postId: postIdOf(post) }, within(ctx));
      return {};
    },

    async pinPost({ post }, ctx) {
      await clients.post.pinPost({ postId: postIdOf(post) }, within(ctx));
      return {};
    },

    async detachQuote({ post, quote }, ctx) {
      await clients.post.detachQuote({ postId: postIdOf(post), quoteId: postIdOf(quote) }, within(ctx));
      return {};
    },

    async unpinPost({ post }, ctx) {
      await clients.post.unpinPost({ postId: postIdOf(post) }, within(ctx));
      return {};
    },
  };
}
