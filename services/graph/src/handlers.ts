import { AccountService } from "#gen/skein/graph/v1/account_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { ListService } from "#gen/skein/graph/v1/list_pb.ts";
import { MuteService } from "#gen/skein/graph/v1/mute_pb.ts";
import { RelationService } from "#gen/skein/graph/v1/relation_pb.ts";
import { type Hosted, host } from "#lib/mesh/serve.ts";
import { accountHandlers } from "./handlers/account.ts";
import type { GraphHandlers, Needs } from "./handlers/call.ts";
import { followHandlers } from "./handlers/follow.ts";
import { listHandlers } from "./handlers/list.ts";
import { scanHandlers } from "./handlers/scan.ts";
import { tieHandlers } from "./handlers/tie.ts";

/** The contracts of graph with what answers them. */
export function graphHandlers(needs: Needs): Hosted[] {
  const handlers: GraphHandlers = {
    ...accountHandlers(needs),
    ...followHandlers(needs),
    ...scanHandlers(needs),
    ...tieHandlers(needs),
    ...listHandlers(needs),
  };
  return [
    host(GraphService, handlers),
    host(RelationService, handlers),
    host(MuteService, handlers),
    host(ListService, handlers),
    host(AccountService, handlers),
  ];
}
