import type { HandlerContext } from "@connectrpc/connect";
import type { User as ShownUser } from "#gen/skein/api/v1/resources_pb.ts";
import type { User } from "#gen/skein/user/v1/user_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import { userView } from "../view/user.ts";

/** Users by id in the order asked, with their counts and how the viewer stands to them; who is gone is left out. */
export async function usersById(
  userIds: string[],
  clients: Pick<Clients, "user" | "graph">,
  ctx: HandlerContext,
): Promise<ShownUser[]> {
  if (userIds.length === 0) return [];
  const [{ users }, { accounts }] = await Promise.all([
    clients.user.batchGetUsers({ userIds }, within(ctx)),
    clients.graph.batchGetAccounts({ userIds }, within(ctx)),
  ]);
  const { viewerId } = callOf(ctx);
  return users.flatMap(({ user }, at) => (user ? [userView(user, accounts[at], viewerId)] : []));
}

/** A user who is known already, with counts and relation. */
export async function withAccount(
  user: User,
  { graph }: Pick<Clients, "graph">,
  ctx: HandlerContext,
): Promise<ShownUser> {
  const { accounts } = await graph.batchGetAccounts({ userIds: [user.id] }, within(ctx));
  return userView(user, accounts[0], callOf(ctx).viewerId);
}
