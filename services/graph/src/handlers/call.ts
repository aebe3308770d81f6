import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { AccountService } from "#gen/skein/graph/v1/account_pb.ts";
import type { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import type { ListService } from "#gen/skein/graph/v1/list_pb.ts";
import type { MuteService } from "#gen/skein/graph/v1/mute_pb.ts";
import type { RelationService } from "#gen/skein/graph/v1/relation_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { callOf, mustBeWanted, viewerOf } from "#lib/mesh/call.ts";
import type { Statements } from "#lib/storage/mysql.ts";
import type { PageTokens } from "#lib/storage/page.ts";
import type { GraphReadModel } from "../read-model.ts";
import type { Asked, Told } from "../store/change.ts";
import type { GraphStore } from "../store.ts";

export type Needs = {
  readonly db: Statements;
  readonly store: GraphStore;
  readonly readModel: GraphReadModel;
  readonly pageTokens: PageTokens;
  readonly nudge: () => void;
};

/** What answers every RPC of graph's contracts. */
export type GraphHandlers = ServiceImpl<typeof GraphService> &
  ServiceImpl<typeof RelationService> &
  ServiceImpl<typeof MuteService> &
  ServiceImpl<typeof ListService> &
  ServiceImpl<typeof AccountService>;

export const viewerIdOf = (ctx: HandlerContext): bigint => BigInt(viewerOf(ctx));

/**
 * The one way of every change that readers decide by: refused where they could not be told, committed, told; then it may
 * be answered.
 */
export async function changed<T extends Told>(
  { readModel, nudge }: Needs,
  ctx: HandlerContext,
  change: () => Promise<T>,
): Promise<T> {
  await readModel.mustReachReaders();
  const told = await change();
  nudge();
  await readModel.apply(told, callOf(ctx));
  return told;
}

/** What a signed-in person asks for. */
export const askedIn = (ctx: HandlerContext): Asked => ({ ...askedByOperator(ctx), viewerId: viewerIdOf(ctx) });

/** What nobody who is signed in asks for; viewer 0 is no account. */
export const askedByOperator = (ctx: HandlerContext): Asked => ({
  viewerId: 0n,
  origin: originOf(ctx),
  mustBeWanted: () => mustBeWanted(ctx),
});
