import type { ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "#gen/skein/api/v1/user_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { usersById, withAccount } from "../compose/users.ts";
import { isId, userIdOf, userNamed } from "./ids.ts";
import { pageOf } from "./page.ts";
import { changing } from "./people.ts";

export function userRoutes(clients: Pick<Clients, "user" | "graph">): ServiceImpl<typeof UserService> {
  const { user: users, graph } = clients;
  return {
    async getUser({ user }, ctx) {
      if (isId(user)) {
        const [shown] = await usersById([user], clients, ctx);
        if (shown === undefined) throw notFound("user");
        return { user: shown };
      }
      const found = await users.getUser({ user: userNamed(user) }, within(ctx));
      if (found.user === undefined) throw notFound("user");
      return { user: await withAccount(found.user, clients, ctx) };
    },

    async updateProfile({ displayName, bio, avatarMediaId }, ctx) {
      const { user } = await users.updateProfile(
        {
          ...(displayName !== undefined && { displayName }),
          ...(bio !== undefined && { bio }),
          ...(avatarMediaId !== undefined && { avatarMediaId }),
        },
        within(ctx),
      );
      if (user === undefined) throw new Error("updated nobody");
      return { user: await withAccount(user, clients, ctx) };
    },

    followUser: changing(clients, graph.followUser),
    unfollowUser: changing(clients, graph.unfollowUser),

    async listFollowers(request, ctx) {
      const page = pageOf(request);
      const userId = await userIdOf(request.user, clients, ctx);
      const { userIds, nextPageToken } = await graph.listFollowers({ userId, ...page }, within(ctx));
      return { users: await usersById(userIds, clients, ctx), nextPageToken };
    },

    async listFollowing(request, ctx) {
      const page = pageOf(request);
      const userId = await userIdOf(request.user, clients, ctx);
      const { userIds, nextPageToken } = await graph.listFollowing({ userId, ...page }, within(ctx));
      return { users: await usersById(userIds, clients, ctx), nextPageToken };
    },
  };
}
