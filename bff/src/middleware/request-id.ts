import { randomUUID } from "node:crypto";
import { traceparentFrom } from "#lib/mesh/call.ts";
import type { Middleware } from "../door/state.ts";

const requestIdForm = /^[A-Za-z0-9._-]{1,64}$/;

/** Names the request: by the edge's id and trace where it sent well-formed ones, by new ones otherwise. */
export const requestId: Middleware = async (ctx, next) => {
  const sent = ctx.get("X-Request-Id");
  ctx.state.requestId = requestIdForm.test(sent) ? sent : randomUUID();
  ctx.state.traceparent = traceparentFrom(ctx.get("traceparent"));
  ctx.set("X-Request-Id", ctx.state.requestId);
  await next();
};
