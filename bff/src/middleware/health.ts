import type { Middleware } from "../door/state.ts";

/** What the edge asks: 200 while new requests are welcome. A dependency that is away makes us degraded, not unhealthy. */
export type Readiness = { serving: boolean };

export const health =
  (readiness: Readiness): Middleware =>
  async (ctx, next) => {
    // An answer on a connection that is about to close says so, and the client opens its next one elsewhere.
    if (!readiness.serving) ctx.set("Connection", "close");
    if (ctx.path !== "/healthz" || (ctx.method !== "GET" && ctx.method !== "HEAD")) return await next();
    const { status, body } = healthOf(readiness);
    ctx.status = status;
    ctx.set("Content-Type", "application/json");
    ctx.body = Buffer.from(body);
  };

/** The answer to the edge, the same at both ports. */
export const healthOf = ({ serving }: Readiness): { status: number; body: string } => ({
  status: serving ? 200 : 503,
  body: JSON.stringify({ status: serving ? "serving" : "draining" }),
});
