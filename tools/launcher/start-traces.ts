import { join } from "node:path";
import { cacheDirOf } from "../servers/cache.ts";
import type { Env } from "../servers/command.ts";
import { findJaeger, jaegerSpec } from "../servers/jaeger.ts";
import { httpStatus } from "../servers/probe.ts";
import type { ProcessSpec } from "../servers/process-spec.ts";
import { baseEnvOf } from "../servers/server-place.ts";
import type { Ports } from "./ports.ts";

const projectDir = join(import.meta.dirname, "..", "..");
const pageDir = join(projectDir, "infra", "otel", "page");
/** The index of 64 MiB of spans is what it holds; the rest is Node. */
const heapMaxMiB = 192;

/** Where spans go: to a store of this instance, unless the environment names a collector or wants no telemetry. */
export type Tracing = {
  /** What all processes are told. */
  env: Env;
  /** The store, where this instance has its own, and the address of its page and query API. */
  store?: { spec: ProcessSpec; url: string };
};

/**
 * Chooses the trace store: none where OTEL_EXPORTER_OTLP_ENDPOINT names a collector or OTEL_SDK_DISABLED is true; Jaeger
 * where there is one; otherwise the project's own, which keeps less and answers the same queries.
 */
export async function openTracing({
  dir,
  env,
  ports,
  version,
}: {
  dir: string;
  env: Env;
  ports: Ports;
  version: string;
}): Promise<Tracing> {
  if (env.OTEL_SDK_DISABLED === "true") return { env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: undefined } };
  if (env.OTEL_EXPORTER_OTLP_ENDPOINT) return { env };
  const [otlpPort, queryPort] = [ports.traces[0], ports.tracesQuery[0]];
  const place = { dir: join(dir, "traces"), pageDir, otlpPort, queryPort, baseEnv: baseEnvOf(env) };
  const program = await findJaeger({ env, cacheDir: cacheDirOf(env) });
  const spec = program === undefined ? ownSpec({ ...place, version }) : await jaegerSpec({ ...place, program });
  return {
    env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${otlpPort}` },
    store: { spec, url: `http://127.0.0.1:${queryPort}` },
  };
}

function ownSpec({
  dir,
  otlpPort,
  queryPort,
  baseEnv,
  version,
}: {
  dir: string;
  otlpPort: number;
  queryPort: number;
  baseEnv: Env;
  version: string;
}): ProcessSpec {
  const address = `http://127.0.0.1:${queryPort}`;
  return {
    name: "traces",
    version,
    address,
    file: process.execPath,
    args: [`--max-old-space-size=${heapMaxMiB}`, join(projectDir, "infra", "otel", "main.ts")],
    env: {
      ...baseEnv,
      INSTANCE: "traces",
      OTLP_PORT: String(otlpPort),
      QUERY_PORT: String(queryPort),
      TRACES_DIR: dir,
    },
    healthUrl: `${address}/healthz`,
    ready: async () => (await httpStatus(`${address}/healthz`)) === 200,
    readyTimeoutMs: 30_000,
    stopTimeoutMs: 3_000,
  };
}
