import type { ActivityService } from "#gen/skein/api/v1/activity_pb.ts";
import { Reaction } from "#gen/skein/like/v1/like_pb.ts";
import { within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import { shownComments } from "../compose/comments.ts";
import type { Pieces } from "../compose/pieces.ts";
import { postsByIdPage } from "../compose/posts-by-id.ts";
import type { Routes } from "../door/rpc.ts";
import { reactionOf } from "./like.ts";
import { pageOf } from "./page.ts";

/** What the viewer did: ids from whoever owns it, then posts by one call a noun. */
export function activityRoutes(clients: Clients, pieces: Pieces): Routes<typeof ActivityService> {
  const needs = { clients, pieces };
  return {
    async listReactedPosts({ kind, ...asked }, ctx) {
      const reaction = kind === undefined ? Reaction.UNSPECIFIED : reactionOf(kind);
      return postsByIdPage(
        await clients.like.listReactedPosts({ reaction, ...pageOf(asked) }, within(ctx)),
        needs,
        ctx,
      );
    },

    async listOwnComments(request, ctx) {
      const { comments, nextPageToken } = await clients.comment.listOwnComments(pageOf(request), within(ctx));
      return { comments: await shownComments(comments, clients, ctx), nextPageToken };
    },

    async listCommentMentions(request, ctx) {
      const { comments, nextPageToken } = await clients.comment.listCommentMentions(pageOf(request), within(ctx));
      return { comments: await shownComments(comments, clients, ctx), nextPageToken };
    },

    listRepostedPosts: async (request, ctx) =>
      postsByIdPage(await clients.post.listRepostedPosts(pageOf(request), within(ctx)), needs, ctx),

    listMentions: async (request, ctx) =>
      postsByIdPage(await clients.post.listMentions(pageOf(request), within(ctx)), needs, ctx),
  };
}
