import type { CallOptions } from "@connectrpc/connect";
import { valuesOf } from "#lib/mesh/call.ts";
import type { State } from "../door/state.ts";

/** All that one try of a request may take; a read pages down to its offset in it. */
const timeoutMs = 5_000;

/** A request, as the calls made for it say. The scripts sign nobody in: whoever they name is who asks. */
export type Asking = {
  readonly requestId: string;
  as(viewerId: string | undefined): CallOptions;
};

export function askingOf({ requestId, work }: State): Asking {
  const deadline = Date.now() + timeoutMs;
  const { traceparent } = work;
  return {
    requestId,
    as: (viewerId) => ({
      contextValues: valuesOf({ viewerId, caller: "bff", deadline, traceparent, requestId, work }),
    }),
  };
}
