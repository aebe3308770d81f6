//! Envoy's own errors in the words of the door they leave by: RFC 9457 problem details for JSON, a code for Connect, a status
//! for gRPC-web. For gRPC itself Envoy does it alone: it answers with trailers only.

/** Status → the `type` under /problems/ (the same words as the BFF's), the title, and the code of Connect and gRPC. */
const replies: Readonly<Record<number, readonly [type: string, title: string, code: Code]>> = {
  400: ["bad-request", "Bad request", "invalid_argument"],
  403: ["forbidden", "Forbidden", "permission_denied"],
  404: ["not-found", "Not found", "unimplemented"],
  408: ["request-timeout", "Request timeout", "deadline_exceeded"],
  413: ["payload-too-large", "Payload too large", "resource_exhausted"],
  414: ["uri-too-long", "URI too long", "resource_exhausted"],
  421: ["misdirected-request", "Misdirected request", "permission_denied"],
  426: ["upgrade-required", "Upgrade required", "unimplemented"],
  429: ["resource-exhausted", "Resource exhausted", "resource_exhausted"],
  431: ["headers-too-large", "Headers too large", "resource_exhausted"],
  500: ["internal", "Internal", "internal"],
  501: ["unimplemented", "Unimplemented", "unimplemented"],
  502: ["bad-gateway", "Bad gateway", "unavailable"],
  503: ["unavailable", "Unavailable", "unavailable"],
  504: ["deadline-exceeded", "Deadline exceeded", "deadline_exceeded"],
};

/** The numbers of gRPC: https://grpc.io/docs/guides/status-codes/. */
const numbers = {
  invalid_argument: 3,
  deadline_exceeded: 4,
  permission_denied: 7,
  resource_exhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
};
type Code = keyof typeof numbers;

/** "Try again" comes with "when". */
const retryAfterSeconds: Readonly<Record<number, string>> = { 429: "1", 503: "1" };

const header = (name: string, prefix: string, isNot = false): object => ({
  header_filter: {
    header: { name, string_match: { prefix }, treat_missing_header_as_empty: true, invert_match: isNot },
  },
});
const ofGrpcWeb = header("content-type", "application/grpc-web");
const ofConnect = header(":path", "/skein.api.");
/** gRPC has its own place for an error, which a body would fill with noise. */
const notGrpc = header("content-type", "application/grpc", true);

const statuses = Object.entries(replies).map(([status, reply]) => ({ status: Number(status), reply }));

/** The first that fits is used. */
export const edgeReplies: object = {
  mappers: [
    ...statuses.map(({ status, reply: [, title, code] }) => ({
      filter: { and_filter: { filters: [statusIs(status), ofGrpcWeb] } },
      // As gRPC does: the request was carried, and this is what became of it.
      status_code: 200,
      headers_to_add: headers(status),
      body_format_override: {
        text_format_source: { inline_bytes: trailersOf(numbers[code], title).toString("base64") },
        content_type: "application/grpc-web+proto",
      },
    })),
    ...statuses.map(({ status, reply: [, title, code] }) => ({
      filter: { and_filter: { filters: [statusIs(status), ofConnect, notGrpc] } },
      headers_to_add: headers(status),
      body_format_override: { json_format: { code, message: title }, content_type: "application/json" },
    })),
    ...statuses.map(({ status, reply: [type, title] }) => ({
      filter: { and_filter: { filters: [statusIs(status), notGrpc] } },
      headers_to_add: headers(status),
      body_format_override: {
        json_format: {
          type: `/problems/${type}`,
          title,
          status: "%RESPONSE_CODE%",
          // `-` where the request was refused before it got an id (its path, its headers).
          instance: "/requests/%STREAM_ID%",
        },
        content_type: "application/problem+json",
      },
    })),
  ],
};

function statusIs(status: number): object {
  const value = { default_value: status, runtime_key: `skein.reply.${status}` };
  return { status_code_filter: { comparison: { op: "EQ", value } } };
}

function headers(status: number): object[] {
  const noStore = { header: { key: "cache-control", value: "no-store" } };
  const retryAfter = retryAfterSeconds[status];
  if (retryAfter === undefined) return [noStore];
  return [noStore, { header: { key: "retry-after", value: retryAfter } }];
}

/** The frame in which gRPC-web carries trailers, as a body of its own: Envoy drops the content type of an empty body. */
function trailersOf(status: number, message: string): Buffer {
  const text = Buffer.from(`grpc-status: ${status}\r\ngrpc-message: ${message}\r\n`);
  return Buffer.concat([Buffer.from([0x80, 0, 0, 0, text.length]), text]);
}
