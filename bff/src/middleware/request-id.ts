import { randomUUID } from "node:crypto";
import { traceparentFrom } from "#lib/mesh/call.ts";
import type { Middleware } from "../door/state.ts";
import type { Head } from "../session.ts";

const requestIdForm = /^[A-Za-z0-9._-]{1,64}$/;

/** Names a request: by the edge's id and trace where it sent well-formed ones, by new ones otherwise. */
export function nameOf({ headers }: Pick<Head, "headers">): { requestId: string; traceparent: string } {
  const { "x-request-id": sent, traceparent } = headers;
  return {
    requestId: typeof sent === "string" && requestIdForm.test(sent) ? sent : randomUUID(),
    traceparent: traceparentFrom(typeof traceparent === "string" ? traceparent : undefined),
  };
}

export const requestId: Middleware = async (ctx, next) => {
  Object.assign(ctx.state, nameOf(ctx.req));
  ctx.set("X-Request-Id", ctx.state.requestId);
  await next();
};
