import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Address, edgeConfig, meshConfig } from "../../infra/envoy/config.ts";
import { type Env, lastLine, runCommand } from "../servers/command.ts";
import { envoySpec } from "../servers/envoy.ts";
import { LaunchFailure } from "../servers/failure.ts";
import { httpStatus } from "../servers/probe.ts";
import type { ProcessSpec } from "../servers/process-spec.ts";
import type { Program } from "../servers/program.ts";
import { baseEnvOf } from "../servers/server-place.ts";
import type { Keys } from "./keys.ts";
import type { Ports } from "./ports.ts";
import type { ServerUrls } from "./start-servers.ts";

/** Callers after the called; the BFF last. */
const services = ["graph", "user", "post", "feed", "bff"] as const;
type Service = (typeof services)[number];

/** Two cores and a laptop's memory carry five of them. */
const heapMaxMiB = 256;
/** The default lets five loaded processes grow to 1.2 GiB; with this they stay at 0.75, at the same CPU a request. */
const youngSpaceMiB = 8;
const serviceReadyTimeoutMs = 60_000;
const serviceStopTimeoutMs = 8_000;
const migrateTimeoutMs = 120_000;
const projectDir = join(import.meta.dirname, "..", "..");
const { version: skeinVersion } = JSON.parse(readFileSync(join(projectDir, "package.json"), "utf8")) as {
  version: string;
};

export type SystemPlace = {
  dir: string;
  env: Env;
  ports: Ports;
  keys: Keys;
  deployment: string;
  urls: ServerUrls;
};

/** What every process of Skein is told. Anything else in the launcher's environment is passed on. */
export function serviceEnv({ env, ports, keys, deployment, urls }: SystemPlace): Env {
  return {
    ...env,
    DEPLOYMENT: deployment,
    MYSQL_URL: urls.mysqlUrl,
    REDIS_URL: urls.redisUrl,
    NATS_URL: urls.natsUrl,
    MESH_URL: `http://127.0.0.1:${ports.mesh}`,
    EDGE_URL: `http://127.0.0.1:${ports.edge}`,
    INTERNAL_KEY: keys.internal,
    CURSOR_KEY: keys.cursor,
    LOG_LEVEL: env.LOG_LEVEL ?? "info",
  };
}

export async function migrate(place: SystemPlace): Promise<boolean> {
  const file = join(projectDir, "tools", "migrate.ts");
  if (!existsSync(file)) return false;
  const options = { env: serviceEnv(place), cwd: projectDir, timeoutMs: migrateTimeoutMs };
  const done = await runCommand(process.execPath, [file], options);
  if (done.exitCode === 0) return true;
  throw new LaunchFailure(`the schemas cannot be brought up to date: ${lastLine(done.stderr || done.stdout)}`);
}

/** Both proxies, and the services whose code is there. */
export async function systemSpecs(place: SystemPlace, envoy: Program): Promise<ProcessSpec[]> {
  const present = services.filter((service) => existsSync(mainFile(service)));
  const { dir, env, ports } = place;
  const at = (port: number): Address => ({ host: "127.0.0.1", port });
  const shared = { program: envoy, dir: join(dir, "envoy"), baseEnv: baseEnvOf(env) };
  const otlp = otlpAddress(env);
  const mesh = meshConfig({
    listen: at(ports.mesh),
    admin: at(ports.meshAdmin),
    services: { graph: [at(ports.graph)], user: [at(ports.user)], post: [at(ports.post)], feed: [at(ports.feed)] },
    ...otlp,
  });
  const edge = edgeConfig({
    listen: at(ports.edge),
    admin: at(ports.edgeAdmin),
    bff: [at(ports.bff)],
    bffGrpc: [at(ports.bffGrpc)],
    ...otlp,
  });
  return [
    await envoySpec({
      ...shared,
      name: "mesh",
      config: mesh,
      address: `http://127.0.0.1:${ports.mesh}`,
      adminPort: ports.meshAdmin,
    }),
    ...present.map((service) => serviceSpec(service, place)),
    await envoySpec({
      ...shared,
      name: "edge",
      config: edge,
      address: `http://127.0.0.1:${ports.edge}`,
      adminPort: ports.edgeAdmin,
    }),
  ];
}

function serviceSpec(service: Service, place: SystemPlace): ProcessSpec {
  const { ports, keys } = place;
  const port = ports[service];
  const publicKey =
    service === "bff" || service === "user" ? { ACCESS_PUBLIC_KEY: JSON.stringify(keys.access.public) } : {};
  const grpcPort =
    service === "bff" ? { GRPC_PORT: String(ports.bffGrpc), REFLECTION: place.env.REFLECTION ?? "1" } : {};
  const privateKey = service === "user" ? { ACCESS_KEY: JSON.stringify(keys.access.private) } : {};
  return {
    name: `${service}-1`,
    version: skeinVersion,
    address: `${service === "bff" ? "http" : "grpc"}://127.0.0.1:${port}`,
    ...(service === "bff" && { grpcAddress: `grpc://127.0.0.1:${ports.bffGrpc}` }),
    file: process.execPath,
    args: [`--max-old-space-size=${heapMaxMiB}`, `--max-semi-space-size=${youngSpaceMiB}`, mainFile(service)],
    env: {
      ...serviceEnv(place),
      ...publicKey,
      ...privateKey,
      ...grpcPort,
      PORT: String(port),
      INSTANCE: `${service}-1`,
    },
    ready: async (output) =>
      service === "bff" ? (await httpStatus(`http://127.0.0.1:${port}/healthz`)) === 200 : saysReady(output),
    readyTimeoutMs: serviceReadyTimeoutMs,
    stopTimeoutMs: serviceStopTimeoutMs,
  };
}

/** A service prints one line of JSON with this message when it serves. */
function saysReady(output: string): boolean {
  return /"msg":\s*"ready"/.test(output);
}

function mainFile(service: Service): string {
  return join(projectDir, ...(service === "bff" ? ["bff"] : ["services", service]), "src", "main.ts");
}

/** Where spans go, when the environment names a collector (the standard variable, OTLP over HTTP). */
function otlpAddress(env: Env): { otlp?: Address } {
  const text = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (text === undefined || !URL.canParse(text)) return {};
  const url = new URL(text);
  return { otlp: { host: url.hostname, port: Number(url.port || 4318) } };
}
