import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ExportTraceServiceRequestSchema } from "#gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { decodeLine, encodeSpans } from "../line.ts";
import { bodyMaxBytes, decodeSpans, OtlpError, readSpans, type Span } from "../spans.ts";

const span: Span = {
  traceId: "5b8efff798038103d269b633813fc60c",
  spanId: "eee19b7ec3c1b174",
  parentId: "eee19b7ec3c1b173",
  name: "PostService.CreatePost",
  kind: "server",
  service: "post",
  instance: "post-1",
  startNs: 1_790_000_000_123_456_789n,
  endNs: 1_790_000_000_223_456_790n,
  error: "Unavailable",
  attributes: { "skein.aggregate": "post:7", tries: 2, share: 0.5, isRepeated: false },
  links: [{ traceId: "5b8efff798038103d269b633813fc60d", spanId: "eee19b7ec3c1b175" }],
};
const json = (text: string) => Buffer.from(text);
const withIds = (traceId: string, spanId: string) =>
  json(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ traceId, spanId, name: "x" }] }] }] }));

test("a span comes out of OTLP as it went in, by JSON and by protobuf", () => {
  assert.deepEqual(decodeSpans("application/json; charset=utf-8", json(encodeSpans([span]))), [span]);
  assert.deepEqual(decodeLine(encodeSpans([span])), [span]);
  const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
  const text = (key: string, value: string) => ({ key, value: { value: { case: "stringValue" as const, value } } });
  const request = create(ExportTraceServiceRequestSchema, {
    resourceSpans: [
      {
        resource: { attributes: [text("service.name", "post"), text("service.instance.id", "post-1")] },
        scopeSpans: [
          {
            spans: [
              {
                traceId: bytes(span.traceId),
                spanId: bytes(span.spanId),
                parentSpanId: bytes(span.parentId ?? ""),
                name: span.name,
                kind: 2,
                startTimeUnixNano: span.startNs,
                endTimeUnixNano: span.endNs,
                attributes: [
                  text("skein.aggregate", "post:7"),
                  { key: "tries", value: { value: { case: "intValue", value: 2n } } },
                  { key: "share", value: { value: { case: "doubleValue", value: 0.5 } } },
                  { key: "isRepeated", value: { value: { case: "boolValue", value: false } } },
                ],
                links: [{ traceId: bytes(span.links[0]?.traceId ?? ""), spanId: bytes(span.links[0]?.spanId ?? "") }],
                status: { code: 2, message: "Unavailable" },
              },
            ],
          },
        ],
      },
    ],
  });
  const body = toBinary(ExportTraceServiceRequestSchema, request);
  assert.deepEqual(decodeSpans("application/x-protobuf", body), [span]);
});

test("the example of the OTLP specification is read, with fields and values of a later version", () => {
  const value = { key: "my.span.attr", value: { stringValue: "some value" } };
  const sent = {
    traceId: "5B8EFFF798038103D269B633813FC60C",
    spanId: "EEE19B7EC3C1B174",
    parentSpanId: "",
    name: "I'm a server span",
    startTimeUnixNano: "1544712660000000000",
    endTimeUnixNano: "1544712661000000000",
    kind: 2,
    fromTheFuture: { a: 1 },
    attributes: [value, { key: "list", value: { arrayValue: { values: [{ intValue: "1" }, { boolValue: true }] } } }],
  };
  const [read] = decodeSpans(
    "application/json",
    json(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [sent] }] }] })),
  );
  assert.equal(read?.traceId, span.traceId);
  assert.equal(read?.spanId, span.spanId);
  assert.equal(read?.parentId, undefined);
  assert.equal(read?.service, "unknown");
  assert.deepEqual(read?.attributes, { "my.span.attr": "some value", list: "[1,true]" });
});

test("what is no OTLP request is refused with the status that says why", () => {
  const refused: [type: string | undefined, body: Uint8Array, status: number][] = [
    ["text/plain", json("{}"), 415],
    [undefined, json("{}"), 415],
    ["application/json", json("[]"), 400],
    ["application/json", json("{"), 400],
    ["application/json", Buffer.from([0xff]), 400],
    ["application/json", withIds("W47/95gDgQPSabYzgT/GDA==", span.spanId), 400],
    ["application/x-protobuf", json("{}"), 400],
    ["application/json", Buffer.alloc(bodyMaxBytes + 1, 0x20), 413],
  ];
  for (const [type, body, status] of refused) {
    const isThat = (error: unknown) => error instanceof OtlpError && error.status === status;
    assert.throws(() => decodeSpans(type, body), isThat, `${type} ${status}`);
  }
});

test("a span without valid ids is left out and counted, and refused where nothing may be", () => {
  for (const body of [withIds("0".repeat(32), span.spanId), withIds(span.traceId, "ee")]) {
    assert.deepEqual(readSpans("application/json", body), { spans: [], rejected: 1 });
    assert.throws(() => decodeSpans("application/json", body), /1 spans have no valid ids/);
  }
});
