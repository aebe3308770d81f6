import type { Client } from "@connectrpc/connect";
import type { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { pause } from "#lib/events/lease.ts";
import { callOf, namesOf, onBehalfOfNobody } from "#lib/mesh/call.ts";
import type { Log } from "#lib/mesh/log.ts";
import type { Loop } from "#lib/mesh/run.ts";
import { finishRegistration } from "./handlers.ts";
import type { UserStore } from "./store.ts";

const everyMs = 5_000;
/** A registration still unfinished after this was left by its caller. */
const leftAfterMs = 10_000;
const batchMax = 100;
const stepMs = 2_000;

type Needs = { store: UserStore; graph: Client<typeof GraphService>; nudge: () => void; log: Log };

/** Finishes registrations that were cut in the middle. Every replica may run it: each step may run again. */
export function sweepRegistrations({ store, graph, nudge, log }: Needs): Loop {
  return async (signal) => {
    while (!signal.aborted) {
      const left = await store.unfinished(Date.now() - leftAfterMs, batchMax).catch(() => []);
      for (const id of left) {
        const { contextValues: values } = onBehalfOfNobody("user", stepMs);
        if (values === undefined) break;
        log.info("finishing a registration", namesOf(callOf({ values })));
        await finishRegistration({ store, graph, nudge }, id, { values }).catch((reason) =>
          log.warn("registration not finished", { error: reason }),
        );
      }
      await pause(everyMs, signal);
    }
  };
}
