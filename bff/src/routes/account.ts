import type { ServiceImpl } from "@connectrpc/connect";
import type { AccountService } from "#gen/skein/api/v1/account_pb.ts";
import type { AccountState as ShownState } from "#gen/skein/api/v1/resources_pb.ts";
import { type Account, AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";

const { ACTIVE, DEACTIVATED, GONE } = AccountState;

export function accountRoutes({ graph }: Pick<Clients, "graph">): ServiceImpl<typeof AccountService> {
  return {
    getAccount: async (_request, ctx) => shown(await graph.getAccount({}, within(ctx))),

    updateAccount: async (request, ctx) =>
      shown(
        request.private === undefined
          ? await graph.getAccount({}, within(ctx))
          : await graph.updateAccount({ private: request.private }, within(ctx)),
      ),

    deactivateAccount: async (_request, ctx) => shown(await graph.setOwnState({ state: DEACTIVATED }, within(ctx))),
    reactivateAccount: async (_request, ctx) => shown(await graph.setOwnState({ state: ACTIVE }, within(ctx))),

    async deleteAccount(_request, ctx) {
      await graph.setOwnState({ state: GONE }, within(ctx));
      return {};
    },
  };
}

function shown({ account }: { account?: Account | undefined }) {
  if (account === undefined) throw new Error("an account without itself");
  const { userId, state, private: isPrivate } = account;
  return { account: { userId, state: state as number as ShownState, private: isPrivate } };
}
