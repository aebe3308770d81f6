import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { decodeLine, encodeSpans } from "./line.ts";
import type { Span } from "./spans.ts";

/** What is known of a trace without reading it. */
export type TraceEntry = {
  readonly traceId: string;
  /** Microseconds since 1970 at which the first of its spans begins. */
  startUs: number;
  readonly services: Set<string>;
  /** Where its lines are: offset and length, one after the other. */
  readonly lines: number[];
  /** Spans that are in the file and not in `lines`. */
  unlisted: number;
};

/** A trace that never ends must not own the index; what a page can show is less. */
const linesPerTraceMax = 2_048;
const readBytes = 1024 * 1024;
const newline = 0x0a;

/** One file of spans with the index of its traces. A line is an OTLP request with spans of one trace. */
export type Generation = ReturnType<typeof openGeneration>;

/** Opens a file for reading and appending, and indexes what it holds. A line that a death cut short is cut off. */
export function openGeneration(file: string) {
  const descriptor = openSync(file, "a+", 0o600);
  const traces = new Map<string, TraceEntry>();
  let sizeBytes = 0;

  function list(spans: readonly Span[], length: number): void {
    const [first] = spans;
    if (first === undefined) return;
    const { traceId } = first;
    const entry = traces.get(traceId) ?? { traceId, startUs: Infinity, services: new Set(), lines: [], unlisted: 0 };
    traces.set(traceId, entry);
    for (const { service, startNs } of spans) {
      entry.services.add(service);
      entry.startUs = Math.min(entry.startUs, Number(startNs / 1000n));
    }
    if (entry.lines.length < 2 * linesPerTraceMax) entry.lines.push(sizeBytes, length);
    else entry.unlisted += spans.length;
  }

  for (const line of linesOf(descriptor)) {
    list(parse(line), line.length);
    sizeBytes += line.length + 1;
  }
  if (fstatSync(descriptor).size > sizeBytes) ftruncateSync(descriptor, sizeBytes);

  return {
    file,
    traces: traces as ReadonlyMap<string, TraceEntry>,
    sizeBytes: () => sizeBytes,

    /** Each group is of one trace. All or nothing: a disk that is full keeps no half of a line. */
    append(groups: readonly (readonly Span[])[]): void {
      const lines = groups.map((spans) => Buffer.from(`${encodeSpans(spans)}\n`));
      try {
        writeAll(descriptor, Buffer.concat(lines));
      } catch (error) {
        ftruncateSync(descriptor, sizeBytes);
        throw error;
      }
      for (const [index, line] of lines.entries()) {
        list(groups[index] ?? [], line.length - 1);
        sizeBytes += line.length;
      }
    },

    spansOf(traceId: string): Span[] {
      const { lines = [] } = traces.get(traceId) ?? {};
      const spans: Span[] = [];
      for (let at = 0; at < lines.length; at += 2) {
        const line = Buffer.alloc(lines[at + 1] ?? 0);
        readSync(descriptor, line, 0, line.length, lines[at] ?? 0);
        spans.push(...parse(line));
      }
      return spans;
    },

    /** The spans of each line that holds these bytes. */
    *search(needle: Buffer): Generator<readonly Span[]> {
      for (const line of linesOf(descriptor)) if (line.includes(needle)) yield parse(line);
    },

    close: () => closeSync(descriptor),
  };
}

/** Every whole line of a file. */
function* linesOf(descriptor: number): Generator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for (let at = 0; ; ) {
    const piece = Buffer.allocUnsafe(readBytes);
    const count = readSync(descriptor, piece, 0, readBytes, at);
    if (count === 0) return;
    at += count;
    const bytes = Buffer.concat([rest, piece.subarray(0, count)]);
    let from = 0;
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, from)) {
      yield bytes.subarray(from, end);
      from = end + 1;
    }
    rest = bytes.subarray(from);
  }
}

/** A line that somebody else wrote is none. */
function parse(line: Buffer): Span[] {
  try {
    return decodeLine(line.toString());
  } catch {
    return [];
  }
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}
