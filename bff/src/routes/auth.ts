import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "#gen/skein/api/v1/auth_pb.ts";
import type { Session } from "#gen/skein/user/v1/user_pb.ts";
import { callOf, valuesOf, within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import type { Limits } from "../limits.ts";
import { userView } from "../view/user.ts";

export function authRoutes(clients: Pick<Clients, "user" | "graph">, limits: Limits): ServiceImpl<typeof AuthService> {
  return {
    async register({ username, password, displayName }, ctx) {
      // The same registration again answers the same account, so it is a guess like any other.
      await limits.drawPassword(username, ctx.requestHeader.get("x-forwarded-for"));
      const { user, session } = await clients.user.register({ username, password, displayName }, within(ctx));
      // Nobody can follow an account that is this young.
      if (user === undefined) throw new Error("registered nobody");
      return { ...tokenOf(session), user: userView(user, undefined, undefined) };
    },

    async logIn({ username, password }, ctx) {
      await limits.drawPassword(username, ctx.requestHeader.get("x-forwarded-for"));
      const { user, session } = await clients.user.logIn({ username, password }, within(ctx));
      if (user === undefined) throw new Error("logged nobody in");
      // A closed account is there for its owner alone.
      const asOwner = { contextValues: valuesOf({ ...callOf(ctx), viewerId: user.id }) };
      const { accounts } = await clients.graph.batchGetAccounts({ userIds: [user.id] }, asOwner);
      return { ...tokenOf(session), user: userView(user, accounts[0], undefined) };
    },
  };
}

function tokenOf(session: Session | undefined) {
  if (session === undefined) throw new Error("no session");
  const { accessToken, expireTime } = session;
  return { accessToken, ...(expireTime && { expireTime }) };
}
