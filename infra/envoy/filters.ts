import * as limits from "./limits.ts";
import { extension, typed } from "./typed.ts";

/**
 * Names that mean something behind the edge. Whoever sends one from outside is confused or lying. It happens before
 * routing and tracing, and by prefix: a new internal header is covered on the day it is named.
 */
const internalPrefixes = ["skein-", "x-skein-", "x-auth-", "x-internal-", "x-user-", "x-envoy-", "x-forwarded-user"];
const internalNames = [
  // Other proxies' ways to say who the client is or what it wanted; only Envoy's own x-forwarded-for counts here.
  "forwarded",
  "x-real-ip",
  "x-client-ip",
  "true-client-ip",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-email",
  "x-forwarded-groups",
  "x-forwarded-preferred-username",
  "x-remote-user",
  "x-original-url",
  "x-rewrite-url",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
];

/**
 * A client's trace is its own affair: a sampled flag, or an id that the sampler takes, would let it fill the store.
 * `believesTraces` is for development, where a browser or a test begins the trace.
 */
export const cleanHeaders = (believesTraces: boolean): object[] => {
  const names = believesTraces ? internalNames : [...internalNames, "traceparent", "tracestate"];
  return [
    extension(
      "envoy.http.early_header_mutation.header_mutation",
      "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
      {
        mutations: [
          ...internalPrefixes.map((prefix) => ({ remove_on_match: { key_matcher: { prefix, ignore_case: true } } })),
          ...names.map((remove) => ({ remove })),
        ],
      },
    ),
  ];
};

export const router: object = extension(
  "envoy.filters.http.router",
  "envoy.extensions.filters.http.router.v3.Router",
  // Neither clients nor services are told how Envoy counts.
  { suppress_envoy_headers: true },
);

/** In order: Envoy's own health, the flood gate, compression, the router. None of them holds a body back. */
export const edgeFilters = (cluster: string): object[] => [
  healthz(cluster),
  floodGate,
  compressor("gzip", "envoy.extensions.compression.gzip.compressor.v3.Gzip", {
    compression_level: "COMPRESSION_LEVEL_4",
    memory_level: 8,
    window_bits: 15,
  }),
  // Quality 4 costs about what gzip 4 does, for a tenth less bytes. The filter next to the router takes
  // accept-encoding away, so that the BFF never compresses.
  compressor("brotli", "envoy.extensions.compression.brotli.compressor.v3.Brotli", { quality: 4 }, true),
  router,
];

/** For whoever balances over several edges: 200 while a BFF is well, 503 otherwise and after /healthcheck/fail. */
const healthz = (cluster: string): object =>
  extension("envoy.filters.http.health_check", "envoy.extensions.filters.http.health_check.v3.HealthCheck", {
    pass_through_mode: false,
    headers: [{ name: ":path", string_match: { exact: "/healthz" } }],
    cluster_min_healthy_percentages: { [cluster]: { value: 1 } },
  });

const always = { default_value: { numerator: 100, denominator: "HUNDRED" } };

/** Not fairness (that is the BFF's, by person): only so that a flood ends here, cheaply. */
const floodGate = extension(
  "envoy.filters.http.local_ratelimit",
  "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
  {
    stat_prefix: "edge",
    token_bucket: {
      max_tokens: limits.edgeRequestsBurst,
      tokens_per_fill: limits.edgeRequestsPerSecond,
      fill_interval: "1s",
    },
    filter_enabled: always,
    filter_enforced: always,
  },
);

/** Envoy's own list of types is used: JSON and text, nothing that is compressed already. */
function compressor(name: string, type: string, settings: object, last = false): object {
  return extension(`envoy.filters.http.compressor.${name}`, "envoy.extensions.filters.http.compressor.v3.Compressor", {
    response_direction_config: {
      common_config: { min_content_length: limits.compressBytesMin },
      remove_accept_encoding_header: last,
    },
    choose_first: last,
    compressor_library: { name, typed_config: typed(type, settings) },
  });
}
