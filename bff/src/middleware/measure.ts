import { Code } from "@connectrpc/connect";
import { answered, codeOf } from "../door/door-metrics.ts";
import type { Middleware } from "../door/state.ts";

/** Counts what the JSON door answers and refuses; pages and health checks are not the door's. */
export const measure: Middleware = async (ctx, next) => {
  const sinceMs = performance.now();
  try {
    await next();
    if (ctx.state.binding !== undefined) answered(ctx.state.binding, "json", undefined, sinceMs);
  } catch (thrown) {
    answered(ctx.state.binding, "json", codeOf(thrown, Code.Internal), sinceMs);
    throw thrown;
  }
};
