import type { ServiceImpl } from "@connectrpc/connect";
import type { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { accountHandlers } from "./handlers/account.ts";
import type { Needs } from "./handlers/call.ts";
import { followHandlers } from "./handlers/follow.ts";
import { listHandlers } from "./handlers/list.ts";
import { tieHandlers } from "./handlers/tie.ts";

export const graphHandlers = (needs: Needs): ServiceImpl<typeof GraphService> => ({
  ...accountHandlers(needs),
  ...followHandlers(needs),
  ...tieHandlers(needs),
  ...listHandlers(needs),
});
