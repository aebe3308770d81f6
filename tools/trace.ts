import { setTimeout as sleep } from "node:timers/promises";
import { signDebugTrace } from "../bff/src/debug-trace.ts";
import { treesOf } from "../infra/otel/tree.ts";
import { exitCodeOf, instanceDir, parsed, usage } from "./cli.ts";
import { holderOf } from "./launcher/claim.ts";
import { readState } from "./launcher/state.ts";
import { exitCodes, LaunchFailure } from "./servers/failure.ts";
import { type FoundTrace, type TraceApi, traceApi } from "./trace/api.ts";
import { drawTrace, summaryOf } from "./trace/draw.ts";
import { traceTable } from "./trace/table.ts";

const help = `npm run trace -- [<trace id> | <post id>] [options]

Draws what a request did, as a tree in time: each process, the databases, and the consumers that acted on it. For a
post id it draws every trace that is kept of it. Without an id it lists the last traces.

  --sign MIN   instead: a header that has requests traced for so many minutes, a day at most, where not everybody's wish
               counts; the key is that of the instance, or of INTERNAL_KEY beside MESH_URL
  --wait S     how long an id that is not there yet, or not all of it, is waited for (default 6 s)
  --limit N    how many traces at most (default 20)
  --dir DIR    the instance (default .skein, or SKEIN_DIR)
  --url URL    another Jaeger's query address, such as http://127.0.0.1:16686
  --json       as JSON: traces with their spans, times in milliseconds since the start of the trace

A share of requests is kept, and every one that fails; in development also every one that is sent with the header
"Debug-Trace: 1". An answer names its trace in its header "Traceresponse". Spans arrive some seconds after the request.

Exit codes: 0 found, 1 nothing found or failed, 2 wrong usage, 3 not running.`;

/** Processes send their spans every second, and Envoy every five. */
const exportMs = 6_000;
const waitMaxSeconds = 600;
const pollMs = 250;
const limitMax = 200;

process.exitCode = await exitCodeOf("trace", main);

async function main(): Promise<number> {
  const { values, positionals } = parse();
  if (values.help) {
    console.log(help);
    return exitCodes.ok;
  }
  if (values.sign !== undefined) return sign(values.sign, values.dir);
  const [id, ...more] = positionals;
  if (more.length > 0) throw usage("npm run trace wants one id");
  const limit = Number(values.limit ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) throw usage(`--limit is a number up to ${limitMax}`);
  const waitSeconds = Number(values.wait ?? exportMs / 1000);
  if (!(waitSeconds >= 0 && waitSeconds <= waitMaxSeconds)) throw usage(`--wait is seconds, up to ${waitMaxSeconds}`);
  const api = traceApi(values.url ?? storeOf(instanceDir(values.dir, process.env)));
  const isJson = values.json ?? false;
  if (id === undefined) return list(api, { limit, isJson });
  const found = await untilWhole(() => lookUp(api, id, limit), waitSeconds * 1000);
  if (isJson) console.log(JSON.stringify({ traces: found.map(jsonOf) }));
  if (found.length === 0) {
    console.error(`trace: nothing is kept of ${id}; a share of requests is, and every one that fails`);
    return exitCodes.failed;
  }
  const screen = { isColoured: process.stdout.isTTY === true, columns: process.stdout.columns };
  if (!isJson) console.log(found.map((trace) => drawTrace(trace, screen)).join("\n\n"));
  return exitCodes.ok;
}

function parse() {
  const options = {
    sign: { type: "string" },
    wait: { type: "string" },
    limit: { type: "string" },
    dir: { type: "string" },
    url: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  } as const;
  return parsed({ options, allowPositionals: true });
}

async function sign(text: string, dir: string | undefined): Promise<number> {
  const minutes = Number(text);
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > 1_440)
    throw usage("--sign is a number of minutes up to 1440");
  // Only here: what speaks to services takes half a second to load.
  const { findSystem } = await import("./operator.ts");
  const { key } = findSystem({ dir, env: process.env });
  console.log(`Debug-Trace: ${signDebugTrace(key, Math.floor(Date.now() / 1000) + minutes * 60)}`);
  return exitCodes.ok;
}

/** The trace store of the instance that runs in a directory. */
function storeOf(dir: string): string {
  if (holderOf(dir) === undefined) {
    throw new LaunchFailure(`nothing runs in ${dir}; npm start starts it`, { exitCode: exitCodes.notRunning });
  }
  const url = readState(dir)?.traces;
  if (url !== undefined) return url;
  throw new LaunchFailure(`the instance in ${dir} keeps no traces itself; --url names the Jaeger that does`);
}

/** A trace id, as it is or within a `traceparent`; or the traces of a post. */
async function lookUp(api: TraceApi, id: string, limit: number): Promise<FoundTrace[]> {
  const [, traceId] = /^(?:00-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?$/i.exec(id) ?? [];
  if (traceId !== undefined) {
    const trace = await api.trace(traceId.toLowerCase());
    return trace === undefined ? [] : [trace];
  }
  const [, postId] = /^(?:post:)?(\d{1,20})$/.exec(id) ?? [];
  if (postId === undefined) throw usage(`"${id}" is neither a trace id (32 hex digits) nor a post id`);
  return (await api.search({ tags: { "skein.aggregate": `post:${postId}` }, limit })).reverse();
}

/** What is found, once it is there and stays the same: the parts of a trace come from each process when it exports. */
async function untilWhole(look: () => Promise<FoundTrace[]>, waitMs: number): Promise<FoundTrace[]> {
  const deadline = Date.now() + waitMs;
  for (let before = -1; ; await sleep(pollMs)) {
    const found = await look();
    const spans = found.flatMap((trace) => trace.spans);
    const isWhole = spans.length > 0 && treesOf(spans).orphans.length === 0;
    const isOld = spans.every(({ endNs }) => Number(endNs / 1_000_000n) < Date.now() - exportMs);
    if ((isWhole && (isOld || spans.length === before)) || Date.now() >= deadline) return found;
    before = spans.length;
  }
}

async function list(api: TraceApi, { limit, isJson }: { limit: number; isJson: boolean }): Promise<number> {
  const summaries = (await api.search({ limit })).map(summaryOf);
  if (isJson) console.log(JSON.stringify({ traces: summaries }));
  else if (summaries.length > 0) console.log(traceTable(summaries));
  if (summaries.length > 0) return exitCodes.ok;
  console.error("trace: no trace is kept yet; a share of requests is, and every one that fails");
  return exitCodes.failed;
}

function jsonOf(trace: FoundTrace): object {
  const { spans: _count, ...summary } = summaryOf(trace);
  const startNs = trace.spans.reduce((least, span) => (span.startNs < least ? span.startNs : least), 2n ** 63n);
  const ms = (ns: bigint) => Number(ns / 1000n) / 1000;
  const spans = trace.spans.map(({ startNs: from, endNs: to, traceId: _id, ...span }) => ({
    ...span,
    startMs: ms(from - startNs),
    durationMs: ms(to - from),
  }));
  return { ...summary, warnings: trace.warnings, spans };
}
