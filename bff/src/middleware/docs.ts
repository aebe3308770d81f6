import { readFile } from "node:fs/promises";
import { RateClass } from "#gen/skein/options/v1/options_pb.ts";
import type { Gate } from "../door/policy.ts";
import type { Middleware } from "../door/state.ts";

type Page = { readonly type: string; readonly url: string | URL; readonly cache?: string };

/** The package's files change with its version only. */
const cache = "public, max-age=86400";
const text = "text/html; charset=utf-8";
const script = "text/javascript; charset=utf-8";
const here = (path: string): URL => new URL(path, import.meta.url);

/** The contract of the JSON door, and a page to try it. Everything comes from this process: nothing is asked of others. */
const pages: Readonly<Record<string, Page>> = {
  "/openapi.yaml": { type: "application/yaml", url: here("../../../gen/openapi.yaml") },
  "/docs": { type: text, url: here("../docs/index.html") },
  "/docs/start.js": { type: script, url: here("../docs/start.js") },
  "/docs/swagger-ui.js": { type: script, url: import.meta.resolve("swagger-ui-dist/swagger-ui-bundle.js"), cache },
  "/docs/swagger-ui.css": {
    type: "text/css; charset=utf-8",
    url: import.meta.resolve("swagger-ui-dist/swagger-ui.css"),
    cache,
  },
};

/** The page may run our scripts, ask us, and nothing else. */
const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Answers GET of these pages; each is read once, when it is first asked for (the largest has 1.7 MB). */
export function docs({ limits }: Pick<Gate, "limits">): Middleware {
  const read = new Map<string, Promise<Buffer>>();
  return async (ctx, next) => {
    const page = ctx.method === "GET" || ctx.method === "HEAD" ? pages[ctx.path] : undefined;
    if (page === undefined) return await next();
    await limits.draw(RateClass.READ, undefined, ctx.req);
    const reading = read.get(ctx.path) ?? readFile(new URL(page.url));
    read.set(ctx.path, reading);
    ctx.body = await reading.catch((reason) => {
      read.delete(ctx.path);
      throw reason;
    });
    ctx.set("Content-Type", page.type);
    ctx.set("Content-Security-Policy", contentPolicy);
    ctx.set("Referrer-Policy", "no-referrer");
    if (page.cache !== undefined) ctx.set("Cache-Control", page.cache);
  };
}
