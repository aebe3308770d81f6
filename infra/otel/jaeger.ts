//! Traces in the JSON of Jaeger's query API, the part of it that is used here:
//! https://www.jaegertracing.io/docs/2.13/architecture/apis/#query-json-over-http

import type { Span } from "./spans.ts";

export type JaegerTrace = {
  readonly traceID: string;
  readonly spans: readonly JaegerSpan[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string; readonly tags?: readonly JaegerTag[] }>>;
  readonly warnings: readonly string[] | null;
};

type JaegerSpan = {
  readonly traceID: string;
  readonly spanID: string;
  readonly operationName: string;
  readonly references?: readonly { readonly refType: string; readonly traceID: string; readonly spanID: string }[];
  /** Microseconds, since 1970 and long: what is shorter is 0. */
  readonly startTime: number;
  readonly duration: number;
  readonly tags?: readonly JaegerTag[];
  readonly processID: string;
};

type JaegerTag = { readonly key: string; readonly type?: string; readonly value: string | number | boolean };

/** One trace's spans as Jaeger shows them; `warnings` are for who reads it. */
export function toJaeger(traceId: string, spans: readonly Span[], warnings: readonly string[] = []): JaegerTrace {
  const processes: Record<string, JaegerTrace["processes"][string]> = {};
  const ids = new Map<string, string>();
  const processIdOf = ({ service, instance }: Span): string => {
    const key = `${service}\n${instance}`;
    const id = ids.get(key) ?? `p${ids.size + 1}`;
    ids.set(key, id);
    processes[id] ??= { serviceName: service, tags: [tagOf([instanceKey, instance])] };
    return id;
  };
  return {
    traceID: traceId,
    spans: spans.map((span) => spanToJaeger(span, processIdOf(span))),
    processes,
    warnings: warnings.length === 0 ? null : warnings,
  };
}

const instanceKey = "service.instance.id";

function spanToJaeger(span: Span, processID: string): JaegerSpan {
  const { traceId, spanId, parentId, links } = span;
  const parent = parentId === undefined ? [] : [{ refType: "CHILD_OF", traceID: traceId, spanID: parentId }];
  const linked = links.map((link) => ({ refType: "FOLLOWS_FROM", traceID: link.traceId, spanID: link.spanId }));
  return {
    traceID: traceId,
    spanID: spanId,
    operationName: span.name,
    references: [...parent, ...linked],
    startTime: Number(span.startNs / 1000n),
    duration: Number((span.endNs - span.startNs) / 1000n),
    tags: Object.entries(tagsOf(span)).map(tagOf),
    processID,
  };
}

/** A span's attributes as Jaeger's tags: its kind and its error are among them, and can be searched for like the others. */
export function tagsOf({ attributes, kind, error }: Span): Span["attributes"] {
  const failed = error === undefined ? {} : { error: true, [statusKey]: "ERROR", [descriptionKey]: error };
  return { ...attributes, ...(kind !== "internal" && { [kindKey]: kind }), ...failed };
}

const kindKey = "span.kind";
const statusKey = "otel.status_code";
const descriptionKey = "otel.status_description";

function tagOf([key, value]: readonly [string, string | number | boolean]): JaegerTag {
  const type = { string: "string", boolean: "bool", number: Number.isInteger(value) ? "int64" : "float64" };
  return { key, type: type[typeof value as keyof typeof type], value };
}

/** The spans of a trace that Jaeger, or the store here, answered; times are whole microseconds then. */
export function fromJaeger({ spans, processes }: JaegerTrace): Span[] {
  return spans.map((span) => {
    const process = processes[span.processID];
    const service = process?.serviceName ?? "unknown";
    const { [kindKey]: kind, error, [statusKey]: status, ...rest } = valuesOf(span.tags);
    const { [descriptionKey]: description, ...attributes } = rest;
    const isError = error === true || status === "ERROR";
    const parent = span.references?.find(({ refType, traceID }) => refType === "CHILD_OF" && traceID === span.traceID);
    const startNs = BigInt(span.startTime) * 1000n;
    return {
      traceId: span.traceID,
      spanId: span.spanID,
      parentId: parent?.spanID,
      name: span.operationName,
      kind: isKind(kind) ? kind : "internal",
      service,
      instance: String(valuesOf(process?.tags)[instanceKey] ?? service),
      startNs,
      endNs: startNs + BigInt(span.duration) * 1000n,
      error: isError ? String(description ?? "error") : undefined,
      attributes,
      links: (span.references ?? [])
        .filter((reference) => reference !== parent)
        .map(({ traceID, spanID }) => ({ traceId: traceID, spanId: spanID })),
    };
  });
}

const valuesOf = (tags: readonly JaegerTag[] = []): Record<string, string | number | boolean> =>
  Object.fromEntries(tags.map(({ key, value }) => [key, value]));

const isKind = (kind: unknown): kind is Span["kind"] =>
  ["server", "client", "producer", "consumer"].some((known) => known === kind);
