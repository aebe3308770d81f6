import type { HandlerContext } from "@connectrpc/connect";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { lateShards } from "#lib/events/pending.ts";
import { anyViewerIdOf } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { maySeeAccount } from "#lib/readmodel/audience.ts";
import { idOf } from "#lib/storage/id.ts";
import { marksOf } from "../read-model.ts";
import type { StoredAccount } from "../store/accounts.ts";
import { stranger } from "../store/relation.ts";
import { askedByOperator, askedIn, changed, type GraphHandlers, type Needs, viewerIdOf } from "./call.ts";
import { batchOf, decidedFor, type Known, knownTo, relationshipOf } from "./standing.ts";

const { ACTIVE, DEACTIVATED, SUSPENDED, GONE } = AccountState;

export function accountHandlers(needs: Needs) {
  const { store, readModel, nudge } = needs;

  const ownAccount = async (ctx: HandlerContext) => {
    const viewerId = viewerIdOf(ctx);
    const account = (await store.accounts([viewerId])).get(viewerId);
    if (account === undefined) throw notFound("user");
    return { account: accountView(account) };
  };

  return {
    async createAccount(req, ctx) {
      await store.createAccount(idOf(req.userId, "user_id"), originOf(ctx));
      nudge();
      return {};
    },

    async batchGetAccounts(req, ctx) {
      const ids = batchOf(req.userIds);
      const viewerId = anyViewerIdOf(ctx);
      const known = await knownTo(store, viewerId, ids, lateShards(ctx, "graph"));
      return {
        accounts: ids.map((id) => {
          const found = known.get(id);
          if (found === undefined || !maySeeAccount(viewerId, id, found.standing)) return {};
          const viewer = viewerId === undefined ? {} : { viewer: relationshipOf(found.relation) };
          return { ...accountView(found.account), ...viewer };
        }),
      };
    },

    async batchGetRelationships(req, ctx) {
      const ids = batchOf(req.userIds);
      const viewerId = viewerIdOf(ctx);
      const known = await knownTo(store, viewerId, ids);
      const isSeen = (id: bigint) => maySeeAccount(viewerId, id, known.get(id)?.standing);
      return { relationships: ids.map((id) => relationshipOf(isSeen(id) ? known.get(id)?.relation : stranger)) };
    },

    async batchGetStandings(req) {
      const ids = batchOf(req.userIds);
      const viewerId = req.viewerId === "" ? undefined : idOf(req.viewerId, "viewer_id");
      const read = async () => {
        const known = await decidedFor(store, viewerId, ids);
        const marks = marksOf(new Map([...known].map(([id, { account }]) => [id, account])));
        return { marks, answer: { standings: ids.map((id) => standingView(known.get(id))) } };
      };
      return readModel.loadStandings(
        viewerId,
        ids.filter((id) => id !== 0n),
        read,
      );
    },

    async getAccount(_req, ctx) {
      const own = await ownAccount(ctx);
      if (own.account.state === GONE) throw notFound("user");
      return own;
    },

    async updateAccount(req, ctx) {
      await changed(needs, ctx, () => store.setPrivate(askedIn(ctx), req.private));
      return ownAccount(ctx);
    },

    async setOwnState(req, ctx) {
      const { state } = req;
      if (state !== ACTIVE && state !== DEACTIVATED && state !== GONE) {
        throw invalid("state", "must be ACTIVE, DEACTIVATED or GONE");
      }
      await changed(needs, ctx, () => store.setOwnState(askedIn(ctx), state));
      return ownAccount(ctx);
    },

    async setAccountState(req, ctx) {
      const [userId, { state }] = [idOf(req.userId, "user_id"), req];
      if (state !== ACTIVE && state !== SUSPENDED) throw invalid("state", "must be ACTIVE or SUSPENDED");
      await changed(needs, ctx, () => store.setState(askedByOperator(ctx), userId, state));
      return {};
    },
  } satisfies Partial<GraphHandlers>;
}

const accountView = ({ userId, state, isPrivate, followerCount, followingCount }: StoredAccount) => ({
  userId: String(userId),
  state,
  private: isPrivate,
  followerCount,
  followingCount,
});

function standingView(known: Known | undefined) {
  if (known === undefined) return {};
  const { isPrivate, ...standing } = known.standing;
  return { ...standing, private: isPrivate };
}
