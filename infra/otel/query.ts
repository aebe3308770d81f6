import { readFile } from "node:fs/promises";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { extname, join } from "node:path";
import { toJaeger } from "./jaeger.ts";
import type { KeptTrace, Query, TraceStore } from "./store.ts";

const limitDefault = 20;
const limitMax = 200;
const lookbackDefaultMs = 2 * 24 * 3600 * 1000;
const unitMs: Readonly<Record<string, number>> = { us: 1e-3, ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 24 * 3600e3 };

/** The page and the files beside it; nothing else of the disk is served. */
const pageDir = join(import.meta.dirname, "page");
const pageFiles: Readonly<Record<string, string>> = {
  "/static/page.css": "static/page.css",
  ...Object.fromEntries(
    ["api", "clock", "element", "main", "recent", "tree", "waterfall"].map((name) => [
      `/static/${name}.mjs`,
      `static/${name}.mjs`,
    ]),
  ),
};
const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
};
/** The page says the same of itself, for where Jaeger serves it. */
const pageHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

/**
 * Answers as Jaeger's query service does, the part of it that the trace page and the commands use: /api/services,
 * /api/traces/{traceId}, /api/traces?service=&operation=&tags=&start=&end=&lookback=&minDuration=&maxDuration=&limit=.
 * Unlike Jaeger it needs no service. `/` and `/trace/{traceId}` are the page.
 */
export function queryApi({ store, failed }: { store: TraceStore; failed: (error: unknown) => void }): RequestListener {
  return async (req, res) => {
    const url = new URL(req.url ?? "/", "http://traces");
    try {
      if (req.method !== "GET" && req.method !== "HEAD") problem(res, 405, "only GET");
      else if (url.pathname === "/api/services") listed(res, store.services());
      else if (url.pathname === "/api/traces") listed(res, store.find(queryOf(url)).map(shown));
      else if (url.pathname.startsWith("/api/traces/")) one(res, store, url.pathname.slice("/api/traces/".length));
      else if (url.pathname === "/healthz") listed(res, store.counts());
      else await page(req, res, url.pathname);
    } catch (error) {
      if (error instanceof QueryError) return problem(res, 400, error.message);
      failed(error);
      problem(res, 500, "internal");
    }
  };
}

class QueryError extends Error {}

function one(res: ServerResponse, store: TraceStore, sent: string): void {
  // Jaeger takes ids without their leading zeros.
  if (!/^[0-9a-fA-F]{1,32}$/.test(sent)) throw new QueryError("a trace id is up to 32 hex digits");
  const found = store.trace(sent.toLowerCase().padStart(32, "0"));
  if (found.spans.length === 0) problem(res, 404, "trace not found");
  else listed(res, [shown(found)]);
}

const shown = ({ traceId, spans, missing }: KeptTrace) =>
  toJaeger(traceId, spans, missing === 0 ? [] : [`${missing} more spans are not shown`]);

function queryOf({ searchParams }: URL): Query {
  const text = (name: string) => searchParams.get(name) || undefined;
  const number = (name: string, fallback: number) => {
    const value = Number(text(name) ?? fallback);
    if (!Number.isFinite(value) || value < 0) throw new QueryError(`${name} is not a number`);
    return value;
  };
  const durationUs = (name: string, fallbackMs: number) => {
    const sent = text(name);
    const [, count, unit = ""] = /^([0-9.]+)(us|ms|s|m|h|d)$/.exec(sent ?? "") ?? [];
    if (sent !== undefined && count === undefined) throw new QueryError(`${name} is not a duration such as 10ms`);
    return (count === undefined ? fallbackMs : Number(count) * (unitMs[unit] ?? 1)) * 1000;
  };
  const endUs = number("end", Date.now() * 1000);
  return {
    service: text("service"),
    operation: text("operation"),
    tags: tagsOf(text("tags")),
    startMinUs: number("start", endUs - durationUs("lookback", lookbackDefaultMs)),
    startMaxUs: endUs,
    durationMinUs: durationUs("minDuration", 0),
    durationMaxUs: durationUs("maxDuration", Number.POSITIVE_INFINITY),
    limit: Math.min(number("limit", limitDefault), limitMax),
  };
}

function tagsOf(text = "{}"): Record<string, string> {
  try {
    const tags: unknown = JSON.parse(text);
    if (typeof tags !== "object" || tags === null || Array.isArray(tags)) throw new QueryError();
    return Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, String(value)]));
  } catch {
    throw new QueryError('tags is not a JSON object such as {"skein.aggregate":"post:1"}');
  }
}

async function page(req: IncomingMessage, res: ServerResponse, path: string): Promise<void> {
  const isPage = path === "/" || /^\/trace\/[0-9a-fA-F]{1,32}$/.test(path);
  const file = isPage ? "index.html" : pageFiles[path];
  if (file === undefined) return problem(res, 404, "not found");
  const body = await readFile(join(pageDir, file));
  res.writeHead(200, { ...pageHeaders, "content-type": contentTypes[extname(file)] });
  res.end(req.method === "HEAD" ? undefined : body);
}

const listed = (res: ServerResponse, data: object): void =>
  json(res, 200, { data, total: Array.isArray(data) ? data.length : 0, limit: 0, offset: 0, errors: null });

const problem = (res: ServerResponse, code: number, msg: string): void =>
  json(res, code, { data: null, total: 0, limit: 0, offset: 0, errors: [{ code, msg }] });

function json(res: ServerResponse, status: number, body: object): void {
  res.writeHead(status, { "content-type": "application/json", "x-content-type-options": "nosniff" });
  res.end(JSON.stringify(body));
}
