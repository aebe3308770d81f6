import { isIP } from "node:net";
import * as limits from "./limits.ts";
import { typed } from "./typed.ts";

export type Address = { host: string; port: number };

/** One service of the mesh: gRPC over HTTP/2 on each replica, asked for its health with grpc.health.v1. */
export function grpcCluster(name: string, replicas: readonly Address[]): object {
  return {
    ...replicated(name, replicas, limits.meshRetriesAlways),
    per_connection_buffer_limit_bytes: limits.meshBufferBytes,
    typed_extension_protocol_options: upstream(http2),
    health_checks: [{ ...healthCheck, grpc_health_check: {} }],
    outlier_detection: {
      ...ejection,
      consecutive_gateway_failure: 3,
      enforcing_consecutive_gateway_failure: 100,
      consecutive_5xx: 5,
      enforcing_consecutive_5xx: 100,
    },
  };
}

/** The BFF: HTTP/1.1 on each replica, asked for its health at `healthPath`. */
export function httpCluster(name: string, replicas: readonly Address[], healthPath: string): object {
  return {
    ...replicated(name, replicas, limits.edgeRetriesAlways),
    per_connection_buffer_limit_bytes: limits.edgeBufferBytes,
    typed_extension_protocol_options: upstream({ http_protocol_options: {} }),
    health_checks: [{ ...healthCheck, http_health_check: { path: healthPath, host: name } }],
    outlier_detection: ownEyes,
  };
}

/** The BFF's gRPC port: the same, over HTTP/2, one connection for many clients. */
export function h2Cluster(name: string, replicas: readonly Address[], healthPath: string): object {
  const check = { path: healthPath, host: name, codec_client_type: "HTTP2" };
  return {
    ...replicated(name, replicas, limits.edgeRetriesAlways),
    per_connection_buffer_limit_bytes: limits.meshBufferBytes,
    typed_extension_protocol_options: upstream(http2),
    health_checks: [{ ...healthCheck, http_health_check: check }],
    outlier_detection: ownEyes,
  };
}

/** Where the spans go. Not balanced, not checked: losing it costs spans and nothing else. */
export function otlpCluster(name: string, address: Address): object {
  return { name, type: kindOf([address]), connect_timeout: limits.connectTimeout, ...endpoints(name, [address]) };
}

function replicated(name: string, replicas: readonly Address[], retriesAlways: number): object {
  return {
    name,
    type: kindOf(replicas),
    connect_timeout: limits.connectTimeout,
    lb_policy: "LEAST_REQUEST",
    // Workers hear of each change of health at once: by default a second change within 1 s waits for that second's end,
    // and a replica that just came back, or just left, is dealt with a second late.
    common_lb_config: {
      healthy_panic_threshold: { value: limits.healthyPercentMin[replicas.length > 1 ? "several" : "lone"] },
      update_merge_window: "0s",
    },
    close_connections_on_host_health_failure: true,
    circuit_breakers: { thresholds: [breaker(retriesAlways)] },
    ...endpoints(name, replicas),
  };
}

const breaker = (retriesAlways: number): object => ({
  max_connections: limits.inFlightMax,
  max_pending_requests: limits.pendingMax,
  max_requests: limits.inFlightMax,
  retry_budget: {
    budget_percent: { value: limits.retryBudgetPercent },
    min_retry_concurrency: retriesAlways,
  },
  track_remaining: true,
});

/** No jitter and a short interval without traffic (default: 60 s): whoever just started is in use within a second. */
const healthCheck = {
  timeout: limits.healthTimeout,
  interval: limits.healthInterval,
  no_traffic_interval: limits.healthInterval,
  no_traffic_healthy_interval: limits.healthInterval,
  unhealthy_interval: "0.5s",
  unhealthy_threshold: limits.unhealthyAfter,
  healthy_threshold: 1,
};

/**
 * Success rates need more traffic than a small deployment has to mean anything, so they eject nobody. A good answer to a
 * health check must not bring an ejected replica back (it does by default): one that says SERVING and fails its calls
 * would be back each second.
 */
const ejection = {
  interval: limits.ejectionCheck,
  base_ejection_time: limits.ejectionTime,
  max_ejection_time: limits.ejectionTimeMax,
  max_ejection_percent: limits.ejectedPercentMax,
  split_external_local_origin_errors: true,
  consecutive_local_origin_failure: limits.unreachedMax,
  enforcing_consecutive_local_origin_failure: 100,
  enforcing_success_rate: 0,
  enforcing_local_origin_success_rate: 0,
  successful_active_health_check_uneject_host: false,
};

/**
 * Only what Envoy itself saw fail (connect, reset, time out) ejects a BFF: its 503s are shedding, and to take a shedding
 * replica away would give its load to the next one.
 */
const ownEyes = { ...ejection, enforcing_consecutive_gateway_failure: 0, enforcing_consecutive_5xx: 0 };

const http2 = {
  http2_protocol_options: {
    // Without pings a replica that vanished with its machine holds its connection until TCP gives up.
    connection_keepalive: { interval: "10s", timeout: "5s" },
    max_concurrent_streams: limits.meshStreamsMax,
    initial_stream_window_size: limits.streamWindowBytes,
    initial_connection_window_size: limits.connectionWindowBytes,
  },
};

function upstream(protocol: object): object {
  return {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      {
        explicit_http_config: protocol,
        common_http_protocol_options: { idle_timeout: limits.upstreamIdleTimeout },
      },
    ),
  };
}

function endpoints(name: string, addresses: readonly Address[]): object {
  const hosts = addresses.map((address) => ({ endpoint: { address: socket(address) } }));
  return { load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: hosts }] } };
}

/** Envoy resolves names again and again, and takes numbers as they are. */
const kindOf = (addresses: readonly Address[]): string =>
  addresses.every(({ host }) => isIP(host) !== 0) ? "STATIC" : "STRICT_DNS";

export const socket = ({ host, port }: Address): object => ({ socket_address: { address: host, port_value: port } });
