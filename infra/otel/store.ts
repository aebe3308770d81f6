import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type Generation, openGeneration, type TraceEntry } from "./generation.ts";
import { tagsOf } from "./jaeger.ts";
import type { Span } from "./spans.ts";

/** Two files of this size are kept: about 50,000 spans each, which is days of development at the default sampling. */
const generationMaxBytes = 32 * 1024 * 1024;
/** The index of a trace takes some 500 bytes of memory, whatever is in it; the older file goes earlier for this. */
const generationMaxTraces = 25_000;
/** What one answer holds at most: 20 MB of JSON. Beyond it a trace is cut, which is told, and further ones are left out. */
const answerMaxSpans = 20_000;

export type Query = {
  readonly service?: string | undefined;
  readonly operation?: string | undefined;
  /** All of them on one span, which is of the service and the operation that are named. */
  readonly tags: Readonly<Record<string, string>>;
  /** Microseconds since 1970 between which a trace begins. */
  readonly startMinUs: number;
  readonly startMaxUs: number;
  readonly durationMinUs: number;
  readonly durationMaxUs: number;
  readonly limit: number;
};

/** A trace as far as it is kept: `missing` spans of it are not shown. */
export type KeptTrace = { readonly traceId: string; readonly spans: readonly Span[]; readonly missing: number };

export type TraceStore = ReturnType<typeof openStore>;

/**
 * Spans in two files of a directory, found by trace and by attribute. When the newer file is full it becomes the older
 * one, and what was in that is dropped, and counted. Reads and writes block: one process, on one machine, for its people.
 */
export function openStore({
  dir,
  maxBytes = generationMaxBytes,
  maxTraces = generationMaxTraces,
  onDrop = () => {},
}: {
  dir: string;
  maxBytes?: number;
  maxTraces?: number;
  /** Told how many traces went with a file. */
  onDrop?: (traces: number) => void;
}) {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const [newerFile, olderFile] = [join(dir, "spans.jsonl"), join(dir, "spans.1.jsonl")];
  let older: Generation = openGeneration(olderFile);
  let newer: Generation = openGeneration(newerFile);
  let dropped = 0;

  function roll(): void {
    const { size } = older.traces;
    dropped += size;
    if (size > 0) onDrop(size);
    older.close();
    newer.close();
    renameSync(newerFile, olderFile);
    older = openGeneration(olderFile);
    newer = openGeneration(newerFile);
  }

  function trace(traceId: string, spansMax = answerMaxSpans): KeptTrace {
    const spans = [older, newer].flatMap((generation) => generation.spansOf(traceId));
    const unlisted = [older, newer].reduce((sum, { traces }) => sum + (traces.get(traceId)?.unlisted ?? 0), 0);
    return { traceId, spans: spans.slice(0, spansMax), missing: unlisted + Math.max(0, spans.length - spansMax) };
  }

  /** Newest first. A trace may have begun in the older file and gone on in the newer one. */
  function candidates({ service, startMinUs, startMaxUs }: Query): TraceEntry[] {
    const entries = [...newer.traces.values(), ...older.traces.values()];
    return entries
      .filter(({ services }) => service === undefined || services.has(service))
      .filter(({ startUs }) => startUs >= startMinUs && startUs <= startMaxUs)
      .sort((left, right) => right.startUs - left.startUs);
  }

  function tagged(query: Query): ReadonlySet<string> | undefined {
    if (query.operation === undefined && Object.keys(query.tags).length === 0) return undefined;
    const found = new Set<string>();
    for (const generation of [newer, older]) {
      for (const spans of generation.search(needleOf(query))) {
        if (spans.some((span) => matches(span, query))) found.add(spans[0]?.traceId ?? "");
      }
    }
    return found;
  }

  return {
    trace,

    append(spans: readonly Span[]): void {
      if (spans.length === 0) return;
      if (newer.sizeBytes() >= maxBytes || newer.traces.size >= maxTraces) roll();
      newer.append([...Map.groupBy(spans, ({ traceId }) => traceId).values()]);
    },

    services(): string[] {
      const names = [older, newer].flatMap(({ traces }) => [...traces.values()].flatMap((each) => [...each.services]));
      return [...new Set(names)].sort();
    },

    find(query: Query): KeptTrace[] {
      const wanted = tagged(query);
      const found = new Map<string, KeptTrace>();
      let room = answerMaxSpans;
      for (const { traceId } of candidates(query)) {
        if (found.size >= query.limit || room <= 0) break;
        if (found.has(traceId) || wanted?.has(traceId) === false) continue;
        const kept = trace(traceId, room);
        const us = durationUs(kept.spans);
        if (us < query.durationMinUs || us > query.durationMaxUs) continue;
        found.set(traceId, kept);
        room -= kept.spans.length;
      }
      return [...found.values()];
    },

    /** How many traces are kept, and how many were dropped since the start. */
    counts: () => ({
      kept: older.traces.size + newer.traces.size,
      dropped,
      bytes: older.sizeBytes() + newer.sizeBytes(),
    }),

    close(): void {
      older.close();
      newer.close();
    },
  };
}

/** From the first start to the last end. */
function durationUs(spans: readonly Span[]): number {
  if (spans.length === 0) return 0;
  const starts = spans.map(({ startNs }) => startNs).reduce((left, right) => (left < right ? left : right));
  const ends = spans.map(({ endNs }) => endNs).reduce((left, right) => (left > right ? left : right));
  return Number((ends - starts) / 1000n);
}

/** Bytes that every line with a matching span holds; finding them is a hundred times quicker than reading the line. */
function needleOf({ operation, tags }: Query): Buffer {
  const own = Object.entries(tags).find(([key]) => !/^(error|span\.kind|otel\.)/.test(key));
  return Buffer.from(JSON.stringify(own?.[1] ?? operation ?? "").slice(1, -1));
}

function matches(span: Span, { service, operation, tags }: Query): boolean {
  if (service !== undefined && span.service !== service) return false;
  if (operation !== undefined && span.name !== operation) return false;
  const own = tagsOf(span);
  return Object.entries(tags).every(([key, value]) => String(own[key]) === value);
}
