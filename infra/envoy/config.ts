//! Both Envoys' configuration, built from the contracts at run time: routes, timeouts and retries are read from the
//! same descriptors as the code, so they cannot drift. The traps that each line avoids are in the tests beside.

import { type Address, grpcCluster, h2Cluster, httpCluster, otlpCluster, socket } from "./clusters.ts";
import { cleanHeaders, edgeFilters, router } from "./filters.ts";
import * as limits from "./limits.ts";
import { bootstrap, connections, listener } from "./listener.ts";
import { edgeReplies } from "./replies.ts";
import { edgeRoutes, meshRoutes } from "./routes.ts";
import { services as contracts, publicNoun, rpcsOf } from "./rpcs.ts";
import { innerTracing, rootTracing } from "./tracing.ts";

export type { Address } from "./clusters.ts";

/** Where the BFF, and the door of media, answer the edge's health check: 200 while they want traffic. */
const bffHealthPath = "/healthz";

/**
 * The edge: clients' HTTP/1.1 and h2c in, HTTP/1.1 to the BFFs, and for gRPC HTTP/2. `domains` are the host names it answers to (without
 * port); any other is 421. `otlp` takes spans over HTTP; `sampledPercent` of the requests are traced.
 */
export function edgeConfig(o: {
  listen: Address;
  admin: Address;
  bff: Address[];
  /** The same replicas at the port where they speak gRPC. */
  bffGrpc: Address[];
  /** Where media's bytes come and go; without one, nothing does. */
  media?: Address[];
  otlp?: Address;
  domains?: readonly string[];
  sampledPercent?: number;
  /** Goes on with clients' traces, kept if they say so. For development. */
  believesTraces?: boolean;
}): object {
  const rpcs = rpcsOf(contracts).filter(({ noun }) => noun === publicNoun);
  const domains = [...new Set(o.domains ?? ["localhost", "127.0.0.1", "[::1]", o.listen.host])];
  const tracing = o.otlp === undefined ? {} : rootTracing(o.sampledPercent ?? limits.sampledPercent);
  const manager = connections("edge", tracing, {
    codec_type: "AUTO",
    http_protocol_options: {},
    http2_protocol_options: h2(limits.edgeStreamsMax),
    always_set_request_id_in_response: true,
    early_header_mutation_extensions: cleanHeaders(o.believesTraces ?? false),
    local_reply_config: edgeReplies,
    http_filters: edgeFilters("bff"),
    route_config: {
      name: "edge",
      // The port in Host stays as the client sent it, because the BFF compares Origin with it.
      ignore_port_in_host_matching: true,
      virtual_hosts: [
        {
          name: "skein",
          domains,
          routes: edgeRoutes(rpcs, { http: "bff", grpc: "bff-grpc", ...(o.media && { media: "media" }) }),
        },
        { name: "stranger", domains: ["*"], routes: [{ match: { prefix: "/" }, direct_response: { status: 421 } }] },
      ],
    },
  });
  return bootstrap({
    name: "edge",
    admin: socket(o.admin),
    listener: listener("edge", o.listen, limits.edgeBufferBytes, manager),
    clusters: [
      httpCluster("bff", o.bff, bffHealthPath),
      h2Cluster("bff-grpc", o.bffGrpc, bffHealthPath),
      ...(o.media === undefined ? [] : [httpCluster("media", o.media, bffHealthPath)]),
      ...otlp(o.otlp),
    ],
  });
}

/** The mesh: h2c in, each RPC to a replica of the service that its package names. Keys of `services` are nouns. */
export function meshConfig(o: {
  listen: Address;
  admin: Address;
  services: Record<string, Address[]>;
  otlp?: Address;
}): object {
  const rpcs = rpcsOf(contracts).filter(({ noun }) => noun in o.services);
  for (const noun of Object.keys(o.services)) {
    if (!rpcs.some((rpc) => rpc.noun === noun)) throw new Error(`no contract skein.${noun}.v1 has an RPC`);
  }
  const manager = connections("mesh", o.otlp === undefined ? {} : innerTracing(), {
    codec_type: "HTTP2",
    http2_protocol_options: h2(limits.meshStreamsMax),
    // The edge made it; every hop keeps it.
    preserve_external_request_id: true,
    generate_request_id: false,
    skip_xff_append: true,
    http_filters: [router],
    // Callers reach the mesh under whatever name their deployment gives it; only the gRPC path decides.
    route_config: { name: "mesh", virtual_hosts: [{ name: "mesh", domains: ["*"], routes: meshRoutes(rpcs) }] },
  });
  return bootstrap({
    name: "mesh",
    admin: socket(o.admin),
    listener: listener("mesh", o.listen, limits.meshBufferBytes, manager),
    clusters: [...Object.entries(o.services).map(([noun, at]) => grpcCluster(noun, at)), ...otlp(o.otlp)],
  });
}

const h2 = (streams: number): object => ({
  max_concurrent_streams: streams,
  initial_stream_window_size: limits.streamWindowBytes,
  initial_connection_window_size: limits.connectionWindowBytes,
});

const otlp = (address: Address | undefined): object[] => (address === undefined ? [] : [otlpCluster("otlp", address)]);
