import type { HandlerContext } from "@connectrpc/connect";
import type { ActivityService } from "#gen/skein/api/v1/activity_pb.ts";
import { Reaction } from "#gen/skein/like/v1/like_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import { shownComments } from "../compose/comments.ts";
import { postsById } from "../compose/posts.ts";
import type { Routes } from "../door/rpc.ts";
import { postsPage } from "../view/post.ts";
import { reactionOf } from "./like.ts";
import { pageOf } from "./page.ts";

/** What the viewer did: ids from whoever owns it, then posts by one call a noun. */
export function activityRoutes(clients: Clients): Routes<typeof ActivityService> {
  const page = async (
    { postIds, nextPageToken }: { readonly postIds: readonly string[]; readonly nextPageToken: string },
    ctx: HandlerContext,
  ) => postsPage(await postsById(postIds, clients, ctx), nextPageToken, callOf(ctx).viewerId);

  return {
    async listReactedPosts({ kind, ...asked }, ctx) {
      const reaction = kind === undefined ? Reaction.UNSPECIFIED : reactionOf(kind);
      return page(await clients.like.listReactedPosts({ reaction, ...pageOf(asked) }, within(ctx)), ctx);
    },

    async listOwnComments(request, ctx) {
      const { comments, nextPageToken } = await clients.comment.listOwnComments(pageOf(request), within(ctx));
      return { comments: await shownComments(comments, clients, ctx), nextPageToken };
    },

    listMentions: async (request, ctx) => page(await clients.post.listMentions(pageOf(request), within(ctx)), ctx),
  };
}
