import { fromBinary, fromJson, type JsonValue } from "@bufbuild/protobuf";
import {
  type ExportTraceServiceRequest,
  ExportTraceServiceRequestSchema,
} from "#gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import type { AnyValue, KeyValue } from "#gen/opentelemetry/proto/common/v1/common_pb.ts";
import { type Span as SentSpan, Status_StatusCode } from "#gen/opentelemetry/proto/trace/v1/trace_pb.ts";

/** One span, with what says where it was made. Ids are lower-case hex: 32 digits a trace's, 16 a span's. */
export type Span = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  /** `service.name`, and `service.instance.id` where the process says it, or else the same. */
  readonly service: string;
  readonly instance: string;
  /** Nanoseconds since 1970. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** What went wrong, or "error" where the status says no more. */
  readonly error: string | undefined;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
};

/** In the order of the numbers in the contract; what says nothing is internal, as OTLP has it. */
export const spanKinds = ["internal", "internal", "server", "client", "producer", "consumer"] as const;
type SpanKind = (typeof spanKinds)[number];

/** One export: exporters send some hundreds of spans of about 500 bytes at once. More is refused before it is read. */
export const bodyMaxBytes = 4 * 1024 * 1024;

/** A body that is no OTLP request, or no request that is taken: `status` is the HTTP status that says so. */
export class OtlpError extends Error {
  readonly status: 400 | 413 | 415;

  constructor(status: 400 | 413 | 415, message: string, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/**
 * The spans of an OTLP/HTTP request, protobuf or JSON: https://opentelemetry.io/docs/specs/otlp/#otlphttp. Throws
 * OtlpError for another content type, more than `bodyMaxBytes`, a body that does not decode, and a span without ids.
 */
export function decodeSpans(contentType: string | undefined, body: Uint8Array): Span[] {
  if (body.length > bodyMaxBytes) throw new OtlpError(413, `more than ${bodyMaxBytes} bytes`);
  const { spans, rejected } = readSpans(contentType, body);
  if (rejected > 0) throw new OtlpError(400, `${rejected} spans have no valid ids`);
  return spans;
}

/**
 * As `decodeSpans`, but leaves spans without valid ids out and counts them, as a receiver has to tell its sender; and of
 * any size: the caller has bounded what it read.
 */
export function readSpans(contentType: string | undefined, body: Uint8Array): { spans: Span[]; rejected: number } {
  const spans: Span[] = [];
  let rejected = 0;
  for (const { resource, scopeSpans } of decode(contentType, body).resourceSpans) {
    const { "service.name": name = "unknown", "service.instance.id": instance = name } = plain(resource?.attributes);
    const source = { service: String(name), instance: String(instance) };
    for (const sent of scopeSpans.flatMap((scope) => scope.spans)) {
      if (isId(sent.traceId, 16) && isId(sent.spanId, 8)) spans.push(spanOf(sent, source));
      else rejected++;
    }
  }
  return { spans, rejected };
}

function decode(contentType: string | undefined, body: Uint8Array): ExportTraceServiceRequest {
  const type = contentType?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/x-protobuf" && type !== "application/json") {
    throw new OtlpError(415, `${type ?? "no content type"} is neither application/x-protobuf nor application/json`);
  }
  try {
    if (type === "application/x-protobuf") return fromBinary(ExportTraceServiceRequestSchema, body);
    const json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body), unhex) as JsonValue;
    return fromJson(ExportTraceServiceRequestSchema, json, { ignoreUnknownFields: true });
  } catch (cause) {
    throw new OtlpError(400, `the body is not an OTLP trace request in ${type}`, cause);
  }
}

/** OTLP's JSON is protobuf's but for ids, which are hex: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. */
function unhex(key: string, value: unknown): unknown {
  if (!idFields.has(key) || typeof value !== "string") return value;
  if (!/^([0-9a-fA-F]{2})*$/.test(value)) throw new Error(`${key} is not hex`);
  return Buffer.from(value, "hex").toString("base64");
}

const idFields: ReadonlySet<string> = new Set(["traceId", "spanId", "parentSpanId"]);

function spanOf(sent: SentSpan, source: { service: string; instance: string }): Span {
  const isError = sent.status?.code === Status_StatusCode.ERROR;
  return {
    traceId: hex(sent.traceId),
    spanId: hex(sent.spanId),
    parentId: isId(sent.parentSpanId, 8) ? hex(sent.parentSpanId) : undefined,
    name: sent.name,
    kind: spanKinds[sent.kind] ?? "internal",
    ...source,
    startNs: sent.startTimeUnixNano,
    endNs: sent.endTimeUnixNano,
    error: isError ? sent.status?.message || "error" : undefined,
    attributes: plain(sent.attributes),
    links: sent.links.map(({ traceId, spanId }) => ({ traceId: hex(traceId), spanId: hex(spanId) })),
  };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");

/** All zeros is no id: https://www.w3.org/TR/trace-context/#trace-id. */
const isId = (bytes: Uint8Array, length: number): boolean =>
  bytes.length === length && bytes.some((byte) => byte !== 0);

function plain(attributes: readonly KeyValue[] = []): Record<string, string | number | boolean> {
  const out: Record<string, string | number | boolean> = {};
  for (const { key, value } of attributes) {
    const of = plainValue(value);
    if (of !== undefined) out[key] = of;
  }
  return out;
}

/** Lists, maps and bytes are shown as text: nobody computes with them. */
function plainValue(value: AnyValue | undefined): string | number | boolean | undefined {
  const of = value?.value;
  if (of?.case === "intValue") return Number(of.value);
  if (of?.case === "bytesValue") return Buffer.from(of.value).toString("base64");
  if (of?.case === "arrayValue") return JSON.stringify(of.value.values.map(plainValue));
  if (of?.case === "kvlistValue") return JSON.stringify(plain(of.value.values));
  return of?.value;
}
