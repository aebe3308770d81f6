import type { ServiceImpl } from "@connectrpc/connect";
import type { RepostService } from "#gen/skein/api/v1/repost_pb.ts";
import { within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import { usersById } from "../compose/users.ts";
import { postIdOf } from "./ids.ts";
import { pageOf } from "./page.ts";

export function repostRoutes(clients: Pick<Clients, "graph" | "post" | "user">): ServiceImpl<typeof RepostService> {
  return {
    async repostPost({ post }, ctx) {
      const { activityId } = await clients.post.repost({ postId: postIdOf(post) }, within(ctx));
      return { activityId };
    },

    async undoRepost({ post }, ctx) {
      await clients.post.undoRepost({ postId: postIdOf(post) }, within(ctx));
      return {};
    },

    async listPostReposts({ post, ...page }, ctx) {
      const asked = { postId: postIdOf(post), ...pageOf(page) };
      const { userIds, nextPageToken } = await clients.post.listReposters(asked, within(ctx));
      return { users: await usersById(userIds, clients, ctx), nextPageToken };
    },
  };
}
