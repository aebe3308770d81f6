export type Address = { host: string; port: number };

type Common = { listen: Address; admin: Address; otlp?: Address };

/** Routes everything to the BFF. A placeholder until the edge's real rules stand here. */
export function edgeConfig({ listen, admin, bff }: Common & { bff: Address[] }): object {
  return config({
    listen,
    admin,
    routes: [{ match: { prefix: "/" }, cluster: "bff" }],
    clusters: { bff },
    http2: false,
  });
}

/** Routes by gRPC service name. A placeholder until the mesh's real rules stand here. */
export function meshConfig({
  listen,
  admin,
  services,
}: Common & { services: Record<"graph" | "user" | "post" | "feed", Address[]> }): object {
  const routes = Object.keys(services).map((name) => ({ match: { prefix: `/skein.${name}.v1.` }, cluster: name }));
  return config({ listen, admin, routes, clusters: services, http2: true });
}

function config({
  listen,
  admin,
  routes,
  clusters,
  http2,
}: {
  listen: Address;
  admin: Address;
  routes: { match: object; cluster: string }[];
  clusters: Record<string, Address[]>;
  http2: boolean;
}): object {
  const type = (name: string) => `type.googleapis.com/envoy.${name}`;
  const manager = {
    "@type": type("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "main",
    codec_type: "AUTO",
    route_config: {
      virtual_hosts: [
        { name: "all", domains: ["*"], routes: routes.map(({ match, cluster }) => ({ match, route: { cluster } })) },
      ],
    },
    http_filters: [{ name: "router", typed_config: { "@type": type("extensions.filters.http.router.v3.Router") } }],
  };
  const protocol = http2 ? { http2_protocol_options: {} } : { http_protocol_options: {} };
  return {
    admin: { address: socket(admin) },
    static_resources: {
      listeners: [
        {
          name: "main",
          address: socket(listen),
          filter_chains: [{ filters: [{ name: "http", typed_config: manager }] }],
        },
      ],
      clusters: Object.entries(clusters).map(([name, addresses]) => ({
        name,
        type: "STATIC",
        connect_timeout: "1s",
        typed_extension_protocol_options: {
          "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": type("extensions.upstreams.http.v3.HttpProtocolOptions"),
            explicit_http_config: protocol,
          },
        },
        load_assignment: {
          cluster_name: name,
          endpoints: [{ lb_endpoints: addresses.map((address) => ({ endpoint: { address: socket(address) } })) }],
        },
      })),
    },
  };
}

function socket({ host, port }: Address): object {
  return { socket_address: { address: host, port_value: port } };
}
