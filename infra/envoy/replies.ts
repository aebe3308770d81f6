//! Envoy's own errors in the words of the BFF's: RFC 9457 problem details.

/** Status → the `type` under /problems/ (the same words as the BFF's) and the title. */
const problems: Readonly<Record<number, readonly [type: string, title: string]>> = {
  400: ["bad-request", "Bad request"],
  403: ["forbidden", "Forbidden"],
  404: ["not-found", "Not found"],
  408: ["request-timeout", "Request timeout"],
  413: ["payload-too-large", "Payload too large"],
  414: ["uri-too-long", "URI too long"],
  421: ["misdirected-request", "Misdirected request"],
  426: ["upgrade-required", "Upgrade required"],
  429: ["resource-exhausted", "Resource exhausted"],
  431: ["headers-too-large", "Headers too large"],
  500: ["internal", "Internal"],
  501: ["unimplemented", "Unimplemented"],
  502: ["bad-gateway", "Bad gateway"],
  503: ["unavailable", "Unavailable"],
  504: ["deadline-exceeded", "Deadline exceeded"],
};

/** "Try again" comes with "when". */
const retryAfterSeconds: Readonly<Record<number, string>> = { 429: "1", 503: "1" };

/** gRPC has its own place for an error, which a JSON body would fill with noise. */
const notGrpc = {
  header_filter: {
    header: {
      name: "content-type",
      string_match: { prefix: "application/grpc" },
      treat_missing_header_as_empty: true,
      invert_match: true,
    },
  },
};

export const problemReplies: object = {
  mappers: Object.entries(problems).map(([status, [type, title]]) => ({
    filter: { and_filter: { filters: [statusIs(Number(status)), notGrpc] } },
    headers_to_add: headers(retryAfterSeconds[Number(status)]),
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
};

function statusIs(status: number): object {
  const value = { default_value: status, runtime_key: `skein.reply.${status}` };
  return { status_code_filter: { comparison: { op: "EQ", value } } };
}

function headers(retryAfter: string | undefined): object[] {
  const noStore = { header: { key: "cache-control", value: "no-store" } };
  if (retryAfter === undefined) return [noStore];
  return [noStore, { header: { key: "retry-after", value: retryAfter } }];
}
