import { type Address, socket } from "./clusters.ts";
import * as limits from "./limits.ts";
import { extension } from "./typed.ts";

/** What both doors demand of a connection; `own` is what only this one does. */
export function connections(name: string, tracing: object, own: object): object {
  return extension(
    "envoy.filters.network.http_connection_manager",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    {
      stat_prefix: name,
      server_name: "skein",
      request_headers_timeout: limits.headersTimeout,
      request_timeout: limits.requestTimeout,
      stream_idle_timeout: limits.streamIdleTimeout,
      max_request_headers_kb: limits.headersSizeMaxKb,
      common_http_protocol_options: {
        idle_timeout: limits.downstreamIdleTimeout,
        max_headers_count: limits.headerCountMax,
        headers_with_underscores_action: "REJECT_REQUEST",
      },
      normalize_path: true,
      merge_slashes: true,
      path_with_escaped_slashes_action: "REJECT_REQUEST",
      // The peer's own address counts, and nobody is inside: so nobody's x-envoy-* or x-request-id is believed. An empty
      // list would make every private address an insider (1.40, tried), so it names one that no peer can have.
      use_remote_address: true,
      xff_num_trusted_hops: 0,
      internal_address_config: {
        unix_sockets: false,
        cidr_ranges: [{ address_prefix: "255.255.255.255", prefix_len: 32 }],
      },
      forward_client_cert_details: "SANITIZE",
      // The id is an id: Envoy would write its sampling decision into it.
      request_id_extension: { typed_config: requestId },
      ...tracing,
      ...own,
    },
  );
}

const requestId = {
  "@type": "type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
  pack_trace_reason: false,
  // By default a request without an id is not traced, and loses the sampled flag that it came with (1.40, tried).
  use_request_id_for_trace_sampling: false,
};

export function listener(name: string, at: Address, bufferBytes: number, manager: object): object {
  return {
    name,
    address: socket(at),
    per_connection_buffer_limit_bytes: bufferBytes,
    // A second Envoy on this port is an error to see, not a partner that takes half of the connections.
    enable_reuse_port: false,
    filter_chains: [{ filters: [manager] }],
  };
}

export function bootstrap(o: { name: string; admin: object; listener: object; clusters: object[] }): object {
  return {
    node: { id: o.name, cluster: "skein" },
    admin: { address: o.admin },
    static_resources: { listeners: [o.listener], clusters: o.clusters },
    layered_runtime: { layers: [{ name: "limits", static_layer: { ...spans, ...(o.name === "edge" && rapidReset) } }] },
    overload_manager: overload,
  };
}

/** A request can be looked at soon after it; five seconds is the default. */
const spans = { "tracing.opentelemetry.flush_interval_ms": 1_000, "tracing.opentelemetry.min_flush_spans": 64 };

/**
 * A client that opens streams only to reset them (CVE-2023-44487) loses its connection. Not in the mesh: one connection
 * there carries a whole process' calls, and those whose deadlines pass together would end all others with them.
 */
const rapidReset = {
  "overload.premature_reset_total_stream_count": 500,
  "overload.premature_reset_min_stream_lifetime_seconds": 1,
  "http.max_requests_per_io_cycle": 1,
};

const heap = "envoy.resource_monitors.fixed_heap";
const above = (value: number) => [{ name: heap, threshold: { value } }];

const overload = {
  refresh_interval: "0.25s",
  resource_monitors: [
    extension(heap, "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", {
      max_heap_size_bytes: String(limits.heapBytesMax),
    }),
    extension(
      "envoy.resource_monitors.global_downstream_max_connections",
      "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
      { max_active_downstream_connections: String(limits.downstreamConnectionsMax) },
    ),
  ],
  actions: [
    { name: "envoy.overload_actions.disable_http_keepalive", triggers: above(0.92) },
    { name: "envoy.overload_actions.shrink_heap", triggers: above(0.95) },
    {
      name: "envoy.overload_actions.reset_high_memory_stream",
      triggers: [{ name: heap, scaled: { scaling_threshold: 0.9, saturation_threshold: 0.98 } }],
    },
    { name: "envoy.overload_actions.stop_accepting_requests", triggers: above(0.98) },
  ],
  buffer_factory_config: { minimum_account_to_track_power_of_two: 20 },
};
