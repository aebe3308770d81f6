import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { RelationService } from "#gen/skein/api/v1/relation_pb.ts";
import { within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import { usersById } from "../compose/users.ts";
import { relationView } from "../view/user.ts";
import { userIdOf } from "./ids.ts";
import { pageOf } from "./page.ts";
import { changing, listing } from "./people.ts";

export function relationRoutes(clients: Pick<Clients, "user" | "graph">): ServiceImpl<typeof RelationService> {
  const { graph } = clients;
  return {
    listFollowRequests: listing(clients, graph.listFollowRequests),
    listSentFollowRequests: listing(clients, graph.listSentFollowRequests),
    acceptFollowRequest: changing(clients, graph.acceptFollowRequest),
    declineFollowRequest: changing(clients, graph.declineFollowRequest),
    removeFollower: changing(clients, graph.removeFollower),
    blockUser: changing(clients, graph.blockUser),
    unblockUser: changing(clients, graph.unblockUser),
    listBlocks: listing(clients, graph.listBlocks),
    listMutuals: listing(clients, graph.listMutuals),

    async listFamiliarFollowers(request, ctx) {
      const page = pageOf(request);
      const userId = await userIdOf(request.user, clients, ctx);
      const { userIds, nextPageToken } = await graph.listFamiliarFollowers({ userId, ...page }, within(ctx));
      return { users: await usersById(userIds, clients, ctx), nextPageToken };
    },

    async batchGetRelationships({ userIds }, ctx: HandlerContext) {
      const { relationships } = await graph.batchGetRelationships({ userIds }, within(ctx));
      return { relationships: relationships.map(relationView) };
    },
  };
}
