import type { Middleware } from "../door/state.ts";

/** On every answer: nothing is to be guessed from its bytes, and nobody between us and the viewer keeps it. */
export const headers: Middleware = async (ctx, next) => {
  ctx.set("X-Content-Type-Options", "nosniff");
  ctx.set("Cache-Control", "no-store");
  await next();
};
