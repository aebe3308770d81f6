import type { ServiceImpl } from "@connectrpc/connect";
import type { ListService } from "#gen/skein/api/v1/list_pb.ts";
import type { UserList } from "#gen/skein/graph/v1/list_pb.ts";
import { within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import { usersById } from "../compose/users.ts";
import { idempotencyKeyOf } from "../door/idempotency.ts";
import { listIdOf, userIdOf } from "./ids.ts";
import { pageOf } from "./page.ts";

export function listRoutes(clients: Pick<Clients, "user" | "graph">): ServiceImpl<typeof ListService> {
  const { graph } = clients;
  return {
    async createList({ name }, ctx) {
      const request = { name, idempotencyKey: idempotencyKeyOf(ctx) };
      const { list, replayed } = await graph.createList(request, within(ctx));
      if (replayed) ctx.responseHeader.set("Idempotency-Replayed", "true");
      return { list: shown(list) };
    },

    async renameList({ list, name }, ctx) {
      const renamed = await graph.renameList({ listId: listIdOf(list), name }, within(ctx));
      return { list: shown(renamed.list) };
    },

    async deleteList({ list }, ctx) {
      await graph.deleteList({ listId: listIdOf(list) }, within(ctx));
      return {};
    },

    async listLists(_request, ctx) {
      const { lists } = await graph.listLists({}, within(ctx));
      return { lists: lists.map(shown) };
    },

    async addListMember({ list, user }, ctx) {
      const userId = await userIdOf(user, clients, ctx);
      await graph.addListMember({ listId: listIdOf(list), userId }, within(ctx));
      return {};
    },

    async removeListMember({ list, user }, ctx) {
      const userId = await userIdOf(user, clients, ctx);
      await graph.removeListMember({ listId: listIdOf(list), userId }, within(ctx));
      return {};
    },

    async listListMembers(request, ctx) {
      const page = pageOf(request);
      const found = await graph.listListMembers({ listId: listIdOf(request.list), ...page }, within(ctx));
      return { users: await usersById(found.userIds, clients, ctx), nextPageToken: found.nextPageToken };
    },
  };
}

function shown(list: UserList | undefined) {
  if (list === undefined) throw new Error("a list without itself");
  const { listId, name, memberCount } = list;
  return { id: listId, name, memberCount };
}
