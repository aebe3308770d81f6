import type { ServiceImpl } from "@connectrpc/connect";
import type { MuteService } from "#gen/skein/api/v1/mute_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { postIdOf } from "./ids.ts";
import { changing, listing } from "./people.ts";

export function muteRoutes(clients: Pick<Clients, "user" | "graph" | "post">): ServiceImpl<typeof MuteService> {
  const { graph, post: posts } = clients;
  return {
    muteUser: changing(clients, graph.muteUser),
    unmuteUser: changing(clients, graph.unmuteUser),
    listMutes: listing(clients, graph.listMutes),

    async muteThread({ post }, ctx) {
      const postId = postIdOf(post);
      const found = await posts.batchGetPosts({ postIds: [postId] }, within(ctx));
      if (found.posts[0]?.post === undefined) throw notFound("post");
      await graph.muteThread({ postId }, within(ctx));
      return {};
    },

    async unmuteThread({ post }, ctx) {
      await graph.unmuteThread({ postId: postIdOf(post) }, within(ctx));
      return {};
    },

    async muteWord({ word }, ctx) {
      await graph.muteWord({ word }, within(ctx));
      return {};
    },

    async unmuteWord({ word }, ctx) {
      await graph.unmuteWord({ word }, within(ctx));
      return {};
    },

    async listMutedWords(_request, ctx) {
      const { words } = await graph.listMutedWords({}, within(ctx));
      return { words };
    },
  };
}
