//! Writes what other programs' containers read, built from the contracts like everywhere else: both Envoys, Prometheus.

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { edgeConfig, meshConfig } from "../../infra/envoy/config.ts";
import { sampledPercent } from "../../infra/envoy/limits.ts";
import { prometheusConfig, type Target } from "../../infra/grafana/prometheus.ts";
import { services } from "../launcher/kinds.ts";

/** The same in every container: each has its own address, and its name is its host. */
const containerPorts = { http: 8080, grpc: 8081, mesh: 9000, admin: 9901, metrics: 9464, otlp: 4318 } as const;

/** What each file is called and holds. `HOST` is what Envoys listen on. */
export function configurations(env: Readonly<Record<string, string | undefined>>): Record<string, object> {
  const host = env.HOST || "0.0.0.0";
  const { http, grpc, mesh, admin, metrics, otlp } = containerPorts;
  const where = { admin: { host, port: admin }, otlp: { host: "jaeger", port: otlp } };
  const domains = (env.EDGE_DOMAINS || "localhost,127.0.0.1,[::1],edge").split(",");
  const target = (job: string, port: number, page: string): Target => ({
    job,
    instance: `${job}-1`,
    url: `http://${job}:${port}${page}`,
  });
  return {
    "edge.json": edgeConfig({
      ...where,
      listen: { host, port: http },
      bff: [{ host: "bff", port: http }],
      bffGrpc: [{ host: "bff", port: grpc }],
      media: [{ host: "media", port: grpc }],
      domains,
      sampledPercent: Number(env.TRACE_PERCENT || sampledPercent),
    }),
    "mesh.json": meshConfig({
      ...where,
      listen: { host, port: mesh },
      services: Object.fromEntries(services.map((noun) => [noun, [{ host: noun, port: http }]])),
    }),
    "prometheus.yml": prometheusConfig({
      rules: "/etc/skein/rules.yml",
      targets: [
        ...[...services, "bff"].map((job) => target(job, metrics, "/metrics")),
        ...["edge", "mesh"].map((job) => target(job, admin, "/stats/prometheus")),
      ],
    }),
  };
}

/** Writes all of them to CONFIG_DIR, where everybody may read them: they hold no secret. */
export async function run(): Promise<void> {
  const dir = process.env.CONFIG_DIR || "/etc/skein/generated";
  mkdirSync(dir, { recursive: true });
  for (const [name, config] of Object.entries(configurations(process.env))) {
    writeFileSync(path.join(dir, name), JSON.stringify(config, undefined, 2), { mode: 0o644 });
    console.log(`${path.join(dir, name)} written`);
  }
}
