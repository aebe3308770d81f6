import type { HandlerContext } from "@connectrpc/connect";
import type { ReactionKind, User } from "#gen/skein/api/v1/resources_pb.ts";
import type { Reactor } from "#gen/skein/like/v1/like_pb.ts";
import type { Clients } from "../clients.ts";
import { usersById } from "./users.ts";

/** People with how they react, in the order given; who is gone is left out. */
export async function shownReactors(
  reactors: readonly Reactor[],
  clients: Pick<Clients, "user" | "graph">,
  ctx: HandlerContext,
): Promise<{ user: User; reaction: ReactionKind }[]> {
  const users = await usersById(
    reactors.map(({ userId }) => userId),
    clients,
    ctx,
  );
  const known = new Map(users.map((user) => [user.id, user]));
  return reactors.flatMap(({ userId, reaction }) => {
    const user = known.get(userId);
    return user === undefined ? [] : [{ user, reaction: reaction as number as ReactionKind }];
  });
}
