import { AsyncLocalStorage } from "node:async_hooks";
import { Code } from "@connectrpc/connect";
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { ids, newSpanId } from "./span-ids.ts";

/** Where a piece of work comes from: W3C Trace Context, https://www.w3.org/TR/trace-context/. */
export type Came = {
  readonly traceparent: string;
  readonly tracestate?: string | undefined;
  /** Sampled from here on, though it was not up to here: what is above is not there to be a parent. */
  readonly isForced?: boolean;
};

/** A piece of work inside a trace. */
export type Work = {
  /** What goes on to whoever works for it. */
  readonly traceparent: string;
  /** Only where the trace is not sampled: whose child a peer is, should both be kept for an error. */
  readonly tracestate: string | undefined;
  readonly isSampled: boolean;
  /** It is kept, also where its trace is not: it failed, or somebody who worked for it did. Its caller is told. */
  readonly isKept: boolean;
  /** What it turned out to be. */
  rename(name: string): void;
  note(attributes: Attributes): void;
  link(other: Work): void;
  /** Statements and commands made in there are its steps. */
  run<T>(work: () => T): T;
  keep(): void;
  /** What went wrong. Decides at once whether that is kept, because the caller must hear of it with the answer. */
  fail(code: Code): void;
  end(): void;
};

/** Errors kept though nobody asked, a second and process; in an outage more of the same tell nothing new. */
const errorsKeptPerSecond = 20;

/** Our fault, or that of what we need. What a client did wrong is an answer like any other. */
const faults: ReadonlySet<Code> = new Set([
  Code.Unknown,
  Code.Internal,
  Code.DataLoss,
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Unimplemented,
]);

const tracer = () => trace.getTracer("skein");
/** Sampled work: of several requests, where something is done for all of them at once. */
export type Going = readonly Context[];

/** The sampled work that is going on here; nothing is entered for the others, so they pay one look. */
const active = new AsyncLocalStorage<Going>();

/**
 * Begins a piece of work below `came`. Spans are made by hand: automatic instrumentation costs 1.7 times the CPU even where
 * nothing is sampled. What is sampled was decided at the edge. Work that is not sampled only remembers when it began, and
 * becomes a span if it fails: an error can be followed although nobody asked beforehand.
 */
export const begin = (name: string, kind: SpanKind, came: Came, attributes: Attributes = {}): Work =>
  came.isForced === true || came.traceparent.endsWith("1")
    ? sampled(name, kind, came, attributes)
    : new Unsampled(name, kind, came, attributes);

/** A step of the work that is going on, such as a statement; without sampled work it only runs. */
export async function step<T>(
  name: string,
  kind: SpanKind,
  attributes: Attributes,
  work: () => Promise<T>,
): Promise<T> {
  const spans = going().map((above) => tracer().startSpan(name, { kind, attributes }, above));
  try {
    return await work();
  } catch (reason) {
    for (const span of spans) span.setStatus({ code: SpanStatusCode.ERROR });
    throw reason;
  } finally {
    for (const span of spans) span.end();
  }
}

/** Whether a step would be seen: what is only said in its attributes need not be put together otherwise. */
export const isTraced = (): boolean => going().length > 0;

/** The sampled work that is going on here, for whoever goes on with it elsewhere. */
export const going = (): Going => active.getStore() ?? none;

const none: Going = [];

/** Does something for several requests at once: each one's trace has all of its steps. */
export const inTraces = <T>(all: readonly Going[], work: () => T): T => active.run(all.flat(), work);

function sampled(name: string, kind: SpanKind, { traceparent, isForced }: Came, attributes: Attributes): Work {
  const above = contextOf(traceparent);
  const isRoot = isForced === true && !traceparent.endsWith("1");
  const start = (under: Context) => tracer().startSpan(name, { kind, attributes }, under);
  const span = isRoot
    ? ids.within({ traceId: above.traceId, spanId: newSpanId() }, () => start(ROOT_CONTEXT))
    : start(below(above));
  const { traceId, spanId } = span.spanContext();
  return {
    traceparent: `00-${traceId}-${spanId}-01`,
    tracestate: undefined,
    isSampled: true,
    isKept: false,
    rename: (to) => span.updateName(to),
    note: (more) => span.setAttributes(more),
    link: (other) => span.addLink({ context: contextOf(other.traceparent) }),
    run: (work) => active.run([trace.setSpan(ROOT_CONTEXT, span)], work),
    keep: () => {},
    fail: (code) => blame(span, code),
    end: () => span.end(),
  };
}

/** A class, so that the many of which nothing comes cost a few fields. */
class Unsampled implements Work {
  readonly traceparent: string;
  readonly tracestate: string;
  readonly isSampled = false;
  isKept = false;
  #name: string;
  readonly #kind: SpanKind;
  #attributes: Attributes;
  readonly #above: string | undefined;
  readonly #startTime = Date.now();
  #failure: Code | undefined;

  constructor(name: string, kind: SpanKind, { traceparent, tracestate }: Came, attributes: Attributes) {
    const spanId = newSpanId();
    this.traceparent = `00-${traceparent.slice(3, 35)}-${spanId}-00`;
    this.tracestate = `skein=${spanId}`;
    this.#name = name;
    this.#kind = kind;
    this.#attributes = attributes;
    this.#above = tracestate;
  }

  rename(name: string): void {
    this.#name = name;
  }

  note(more: Attributes): void {
    this.#attributes = { ...this.#attributes, ...more };
  }

  link(): void {}

  run<T>(work: () => T): T {
    return work();
  }

  keep(): void {
    this.isKept = true;
  }

  fail(code: Code): void {
    this.#failure = code;
    if (faults.has(code)) this.isKept ||= mayKeep();
  }

  end(): void {
    if (!this.isKept) return;
    const { traceId, spanId } = contextOf(this.traceparent);
    const parent = parentIn(this.#above);
    const above =
      parent === undefined ? ROOT_CONTEXT : below({ traceId, spanId: parent, traceFlags: 1, isRemote: true });
    const asked = { kind: this.#kind, attributes: this.#attributes, startTime: this.#startTime };
    const span = ids.within({ traceId, spanId }, () => tracer().startSpan(this.#name, asked, above));
    if (this.#failure !== undefined) blame(span, this.#failure);
    span.end();
  }
}

function blame(span: Span, code: Code): void {
  span.setAttribute("rpc.response.status_code", Code[code]);
  if (faults.has(code)) span.setStatus({ code: SpanStatusCode.ERROR });
}

let second = 0;
let keptInSecond = 0;
function mayKeep(): boolean {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    keptInSecond = 0;
  }
  return ++keptInSecond <= errorsKeptPerSecond;
}

const below = (parent: SpanContext): Context => trace.setSpanContext(ROOT_CONTEXT, parent);

const contextOf = (traceparent: string): SpanContext => ({
  traceId: traceparent.slice(3, 35),
  spanId: traceparent.slice(36, 52),
  traceFlags: 1,
  isRemote: true,
});

const stateForm = /(?:^|,)\s*skein=([0-9a-f]{16})(?:,|$)/;

/** The proxies between two of us name themselves in traceparent, also where they keep nothing. Tracestate they leave alone. */
const parentIn = (tracestate: string | undefined): string | undefined =>
  tracestate === undefined ? undefined : stateForm.exec(tracestate)?.[1];
