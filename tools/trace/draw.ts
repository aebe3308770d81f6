import { styleText } from "node:util";
import type { Span } from "../../infra/otel/spans.ts";
import { type TreeNode, treesOf, walk } from "../../infra/otel/tree.ts";
import type { FoundTrace } from "./api.ts";

const barChars = 24;
/** More is no picture any more. */
const linesMax = 1_000;
/** A tree deeper than this is drawn no further to the right. */
const depthMax = 24;

type Style = Parameters<typeof styleText>[0];
type Paint = (style: Style, text: string) => string;

/** What a terminal is told of: colours where there is one, and lines no wider than it. */
export type Screen = { readonly isColoured: boolean; readonly columns: number | undefined };

/** What a line of a list tells, and the head of a drawing. */
export type TraceSummary = {
  readonly traceId: string;
  readonly name: string;
  readonly startTime: string;
  readonly durationMs: number;
  readonly spans: number;
  readonly errors: number;
  readonly orphans: number;
  /** In the order in which they first appear. */
  readonly services: readonly string[];
};

export function summaryOf({ traceId, spans }: FoundTrace): TraceSummary {
  const { roots, orphans } = treesOf(spans);
  const { startNs, endNs } = rangeOf(spans);
  const sorted = [...spans].sort((left, right) => Number(left.startNs - right.startNs));
  return {
    traceId,
    name: labelOf((roots[0] ?? orphans[0])?.span),
    startTime: new Date(Number(startNs / 1_000_000n)).toISOString(),
    durationMs: msOf(endNs - startNs),
    spans: spans.length,
    errors: spans.filter(({ error }) => error !== undefined).length,
    orphans: orphans.length,
    services: [...new Set(sorted.map(({ service }) => service))],
  };
}

/** The tree of a trace, a line a span: offset from its start, time taken, when in the whole, who, what. */
export function drawTrace(trace: FoundTrace, screen: Screen): string {
  const paint: Paint = screen.isColoured
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_, text) => text;
  const { roots, orphans } = treesOf(trace.spans);
  const range = rangeOf(trace.spans);
  const lines: string[] = [];
  const ends = new Map(trace.spans.map(({ spanId, endNs }) => [spanId, endNs]));
  for (const [nodes, isOrphan] of [
    [roots, false],
    [orphans, true],
  ] as const) {
    for (const root of nodes) {
      if (isOrphan) lines.push(paint("yellow", `${" ".repeat(24)}  its parent ${root.span.parentId} is not here:`));
      for (const { node, depth } of walk(root)) {
        lines.push(...spanLines(node, { depth, range, waitedNs: waitOf(node, ends), paint, screen }));
      }
    }
  }
  const shown = lines.slice(0, linesMax);
  if (lines.length > linesMax) shown.push(`  … ${lines.length - linesMax} more lines; --json has all`);
  const told = trace.warnings.map((warning) => paint("yellow", `  ${warning}`));
  return [headOf(summaryOf(trace), paint), paint("dim", "       start        took"), ...shown, ...told].join("\n");
}

function headOf(
  { traceId, startTime, durationMs, spans, errors, orphans, services }: TraceSummary,
  paint: Paint,
): string {
  const parts = [startTime.replace("T", " ").replace("Z", ""), `${durationMs.toFixed(1)} ms`, `${spans} spans`];
  parts.push(`${services.length} processes`);
  const wrong = [
    ...(errors > 0 ? [`${errors} failed`] : []),
    ...(orphans > 0 ? [`${orphans} without their parent`] : []),
  ];
  return [paint("bold", `trace ${traceId}`), ...parts, ...wrong.map((part) => paint("red", part))].join(" · ");
}

function spanLines(
  { span }: TreeNode,
  {
    depth,
    range,
    waitedNs,
    paint,
    screen,
  }: { depth: number; range: Range; waitedNs: bigint; paint: Paint; screen: Screen },
): string[] {
  const indent = "  ".repeat(Math.min(depth, depthMax));
  const times = `${ms(span.startNs - range.startNs)} ${ms(span.endNs - span.startNs)}`;
  const failed = span.error === undefined ? "" : ` ✖ ${span.error}`;
  const room = screen.columns === undefined ? undefined : Math.max(20, screen.columns - times.length - barChars - 4);
  const cut = (text: string) => (room !== undefined && text.length > room ? `${text.slice(0, room - 1)}…` : text);
  const what = cut(`${indent}${span.instance}  ${labelOf(span)}${failed}`);
  const [who, name] = [
    what.slice(0, indent.length + span.instance.length),
    what.slice(indent.length + span.instance.length),
  ];
  const isWrong = span.error !== undefined;
  const bar = paint(isWrong ? "red" : "cyan", barOf(span, range));
  const lines = [`${times}  ${bar}  ${paint("bold", who)}${isWrong ? paint("red", name) : name}`];
  const below = `${" ".repeat(times.length + barChars + 4)}${indent}  `;
  if (waitedNs > 0n) lines.unshift(paint("dim", `${below}⋯ ${ms(waitedNs).trim()} after its parent ended`));
  for (const link of span.links) {
    lines.push(paint("dim", `${below}↪ linked to span ${link.spanId} of trace ${link.traceId}`));
  }
  return lines;
}

/** The time between a parent's end and its child's start: what a message waited in a queue. */
function waitOf({ span }: TreeNode, ends: ReadonlyMap<string, bigint>): bigint {
  const end = span.parentId === undefined ? undefined : ends.get(span.parentId);
  return end === undefined || span.startNs <= end ? 0n : span.startNs - end;
}

/** A proxy calls every request "ingress"; what was asked for is in its attributes. */
function labelOf(span: Span | undefined): string {
  const { "http.method": method, "http.url": url, "http.status_code": status = "" } = span?.attributes ?? {};
  if (span?.name !== "ingress" || method === undefined || typeof url !== "string" || !URL.canParse(url)) {
    return span?.name ?? "";
  }
  const path = new URL(url).pathname;
  const [, rpc] = /^\/(?:[a-z0-9]+\.)+([A-Za-z]+\/[A-Za-z]+)$/.exec(path) ?? [];
  return rpc ?? `${method} ${path} ${status}`.trim();
}

type Range = { readonly startNs: bigint; readonly endNs: bigint };

function rangeOf(spans: readonly Span[]): Range {
  let [startNs, endNs] = [spans[0]?.startNs ?? 0n, spans[0]?.endNs ?? 0n];
  for (const span of spans) {
    if (span.startNs < startNs) startNs = span.startNs;
    if (span.endNs > endNs) endNs = span.endNs;
  }
  return { startNs, endNs };
}

/** When a span was under way, as a part of the whole; never invisible. */
function barOf({ startNs, endNs }: Span, range: Range): string {
  const whole = Number(range.endNs - range.startNs) || 1;
  const from = Math.min(barChars - 1, Math.floor((Number(startNs - range.startNs) / whole) * barChars));
  const to = Math.min(barChars, Math.max(from + 1, Math.round((Number(endNs - range.startNs) / whole) * barChars)));
  return `${"·".repeat(from)}${"█".repeat(to - from)}${"·".repeat(barChars - to)}`;
}

const msOf = (ns: bigint): number => Number(ns / 1000n) / 1000;
const ms = (ns: bigint): string => `${msOf(ns).toFixed(1).padStart(9)} ms`;
