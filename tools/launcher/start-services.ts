import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Address, edgeConfig, meshConfig } from "../../infra/envoy/config.ts";
import { sampledPercent } from "../../infra/envoy/limits.ts";
import { type Env, lastLine, runCommand } from "../servers/command.ts";
import { envoySpec } from "../servers/envoy.ts";
import { exitCodes, LaunchFailure } from "../servers/failure.ts";
import { httpStatus } from "../servers/probe.ts";
import type { ProcessSpec } from "../servers/process-spec.ts";
import type { Program } from "../servers/program.ts";
import { prometheusSpec } from "../servers/prometheus.ts";
import { baseEnvOf } from "../servers/server-place.ts";
import type { Keys } from "./keys.ts";
import { kindOf, nameOf, type Service, services } from "./kinds.ts";
import type { Ports } from "./ports.ts";
import type { ServerUrls } from "./start-servers.ts";

/** Two cores and a laptop's memory carry eight of them. */
const heapMaxMiB = 256;
/**
 * The default lets five loaded processes grow to 1.2 GiB; with this they stay at 0.75, at the same CPU a write. Those that answer
 * feeds make more garbage, and with 8 MiB to do it in spend 22 % more CPU a page.
 */
const youngSpaceMiB = 8;
const youngSpaceOfReadersMiB = 16;
/**
 * As large from the start: a process of short-lived calls has so little left after each collection that it would stay small, and collect
 * all the time. One thread collects: the others that would help it take the cores from those who wait for this process.
 */
const collecting = (youngSpace: number): readonly string[] => [
  `--max-semi-space-size=${youngSpace}`,
  `--min-semi-space-size=${youngSpace}`,
  "--no-parallel-scavenge",
];
/**
 * A full collection is begun where what is left to grow is less than the young space, at twice what is in use: of 44 MB, every 1.8 s, and
 * each takes a core for a tenth of a second. At four times it is a third as often, for up to 70 MB more.
 */
const seldomFully = "--heap-growing-percent=300";
const serviceReadyTimeoutMs = 60_000;
const serviceStopTimeoutMs = 8_000;
const migrateTimeoutMs = 120_000;
/** Requests a second, and at once. */
const developmentBudget = "5000/50000";
const projectDir = join(import.meta.dirname, "..", "..");
export const { version: skeinVersion } = JSON.parse(readFileSync(join(projectDir, "package.json"), "utf8")) as {
  version: string;
};

export type SystemPlace = {
  dir: string;
  env: Env;
  ports: Ports;
  keys: Keys;
  deployment: string;
  urls: ServerUrls;
  /** Processes call each other without the mesh Envoy. */
  direct: boolean;
};

/** What every process of Skein is told. Anything else in the launcher's environment is passed on. */
export function serviceEnv({ env, ports, keys, deployment, urls, direct }: SystemPlace): Env {
  return {
    ...env,
    DEPLOYMENT: deployment,
    MYSQL_URL: urls.mysqlUrl,
    REDIS_URL: urls.redisUrl,
    NATS_URL: urls.natsUrl,
    MESH_URL: direct ? directUrl(ports) : meshUrl(ports),
    EDGE_URL: `http://127.0.0.1:${ports.edge[0]}`,
    INTERNAL_KEY: keys.internal,
    CURSOR_KEY: keys.cursor,
    LOG_LEVEL: env.LOG_LEVEL ?? "info",
  };
}

/** Every mesh Envoy, with commas: a caller takes them in turn. */
export const meshUrl = ({ mesh }: Ports): string => mesh.map((port) => `http://127.0.0.1:${port}`).join(",");

/** The first replica of each service by its noun. */
const directUrl = (ports: Ports): string =>
  services.map((service) => `${service}=http://127.0.0.1:${ports[service][0]}`).join(",");

export async function migrate(place: SystemPlace): Promise<boolean> {
  const file = join(projectDir, "tools", "migrate.ts");
  if (!existsSync(file)) return false;
  const options = { env: serviceEnv(place), cwd: projectDir, timeoutMs: migrateTimeoutMs };
  const done = await runCommand(process.execPath, [file], options);
  if (done.exitCode === 0) return true;
  throw new LaunchFailure(`the schemas cannot be brought up to date: ${lastLine(done.stderr || done.stdout)}`);
}

/** The proxies, and the services whose code is there, each as often as it has ports. */
export async function systemSpecs(place: SystemPlace, envoy: Program): Promise<ProcessSpec[]> {
  const { dir, env, ports } = place;
  const at = (port: number): Address => ({ host: "127.0.0.1", port });
  const otlp = otlpAddress(env);
  const tracing = { sampledPercent: percentOf(env), believesTraces: true };
  const clusters = Object.fromEntries(services.map((service) => [service, ports[service].map(at)]));
  const proxies = (kind: "edge" | "mesh") =>
    ports[kind].map((port, index) => {
      const adminPort = ports[`${kind}Admin`][index] ?? 0;
      const where = { listen: at(port), admin: at(adminPort), ...otlp };
      return envoySpec({
        program: envoy,
        dir: join(dir, "envoy"),
        baseEnv: baseEnvOf(env),
        name: nameOf(kind, index),
        config:
          kind === "mesh"
            ? meshConfig({ ...where, services: clusters })
            : edgeConfig({
                ...where,
                ...tracing,
                bff: ports.bff.map(at),
                bffGrpc: ports.bffGrpc.map(at),
                media: ports.mediaHttp.map(at),
              }),
        address: `http://127.0.0.1:${port}`,
        adminPort,
      });
    });
  const present = ([...services, "bff"] as const).filter((kind) => existsSync(mainFile(kind)));
  return [
    ...(await Promise.all(proxies("mesh"))),
    ...present.flatMap((kind) => ports[kind].map((_, index) => serviceSpec(kind, index, place))),
    ...(await Promise.all(proxies("edge"))),
  ];
}

/** Prometheus, which asks all of these. */
export const prometheusOf = (
  { dir, env, ports }: SystemPlace,
  specs: readonly ProcessSpec[],
  program: Program,
): Promise<ProcessSpec> =>
  prometheusSpec({
    program,
    place: { dir: join(dir, "prometheus"), port: ports.prometheus[0], env, baseEnv: baseEnvOf(env) },
    targets: specs.flatMap(({ name, metricsUrl }) =>
      metricsUrl === undefined ? [] : [{ job: kindOf(name), instance: name, url: metricsUrl }],
    ),
  });

function serviceSpec(kind: Hosted, index: number, place: SystemPlace): ProcessSpec {
  const { ports, keys } = place;
  const port = ports[kind][index];
  const metricsPort = ports[`${kind}Metrics`][index];
  const name = nameOf(kind, index);
  const isFront = kind === "bff";
  const publicKey = isFront || kind === "user" ? { ACCESS_PUBLIC_KEY: JSON.stringify(keys.access.public) } : {};
  const grpcPort = ports.bffGrpc[index];
  const grpcDoor = isFront
    ? {
        GRPC_PORT: String(grpcPort),
        REFLECTION: place.env.REFLECTION ?? "1",
        DEBUG_TRACE: place.env.DEBUG_TRACE ?? "1",
        ...budgetsOf(place.env),
      }
    : {};
  const bytes =
    kind === "media" ? { HTTP_PORT: String(ports.mediaHttp[index]), MEDIA_DIR: join(place.dir, "media") } : {};
  const privateKey = kind === "user" ? { ACCESS_KEY: JSON.stringify(keys.access.private) } : {};
  const address = `${isFront ? "http" : "grpc"}://127.0.0.1:${port}`;
  const isReader = isFront || kind === "feed";
  const garbage = isReader ? [...collecting(youngSpaceOfReadersMiB), seldomFully] : collecting(youngSpaceMiB);
  return {
    name,
    version: skeinVersion,
    address,
    ...(isFront && { grpcAddress: `grpc://127.0.0.1:${grpcPort}` }),
    file: process.execPath,
    args: [`--max-old-space-size=${heapMaxMiB}`, ...garbage, mainFile(kind)],
    env: {
      ...serviceEnv(place),
      ...publicKey,
      ...privateKey,
      ...grpcDoor,
      ...bytes,
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
      INSTANCE: name,
    },
    metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    healthUrl: isFront ? `${address}/healthz` : address,
    ready: async (output) => (isFront ? (await httpStatus(`${address}/healthz`)) === 200 : saysReady(output)),
    readyTimeoutMs: serviceReadyTimeoutMs,
    stopTimeoutMs: serviceStopTimeoutMs,
  };
}

/** Everyone at this machine comes from one address, and tries things out: more than a person's budget unless it is named. */
function budgetsOf(env: Env): Env {
  const names = ["RATE_READ", "RATE_WRITE", "RATE_CREDENTIAL", "RATE_PASSWORD"];
  return Object.fromEntries(names.map((name) => [name, env[name] || developmentBudget]));
}

/** A service prints one line of JSON with this message when it serves. */
function saysReady(output: string): boolean {
  return /"msg":\s*"ready"/.test(output);
}

type Hosted = Service | "bff";

function mainFile(kind: Hosted): string {
  return join(projectDir, ...(kind === "bff" ? ["bff"] : ["services", kind]), "src", "main.ts");
}

/** Where spans go, when the environment names a collector (the standard variable, OTLP over HTTP). */
function otlpAddress(env: Env): { otlp?: Address } {
  const text = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (text === undefined || !URL.canParse(text)) return {};
  const url = new URL(text);
  return { otlp: { host: url.hostname, port: Number(url.port || 4318) } };
}

/** How many percent of the requests are traced although nobody asked. */
function percentOf(env: Env): number {
  const percent = Number(env.TRACE_PERCENT || sampledPercent);
  if (percent >= 0 && percent <= 100) return percent;
  throw new LaunchFailure(`TRACE_PERCENT=${env.TRACE_PERCENT} is not a percentage`, { exitCode: exitCodes.usage });
}
