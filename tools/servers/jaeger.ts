import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Env, executable, onPath, runCommand } from "./command.ts";
import { exitCodes, LaunchFailure } from "./failure.ts";
import { httpStatus } from "./probe.ts";
import type { ProcessSpec } from "./process-spec.ts";
import type { Program } from "./program.ts";

/** Jaeger 2.13: the last tag that its first module path carries, and so the last that Go can fetch as a module. */
export const jaegerModule = { path: "github.com/jaegertracing/jaeger", version: "v1.76.0", title: "Jaeger 2.13" };

/** How long a trace is kept; its database has no limit by size. */
const retention = "48h";

/** Where `npm run get -- jaeger` puts it. */
export const jaegerCacheName = `jaeger-${jaegerModule.version.slice(1)}-${process.platform}-${process.arch}`;

/** The Jaeger that SKEIN_JAEGER names, or one on PATH, or the one that was built into the cache; it is never fetched unasked. */
export async function findJaeger({ env, cacheDir }: { env: Env; cacheDir: string }): Promise<Program | undefined> {
  const named = env.SKEIN_JAEGER;
  const built = join(cacheDir, jaegerCacheName, "bin", "jaeger");
  const file = named || (onPath("jaeger", env) ?? (executable(built) ? built : undefined));
  if (file === undefined) return undefined;
  const asked = await runCommand(file, ["version"], { env, timeoutMs: 20_000 });
  const [, version] = /"gitVersion":\s*"([^"]*)"/.exec(asked.stdout) ?? [];
  if (asked.exitCode === 0 && version !== undefined) return { file, version: version || "2", env: {} };
  if (!named) return undefined;
  const exitCode = exitCodes.usage;
  throw new LaunchFailure(`SKEIN_JAEGER is ${named}, which is not a Jaeger 2; unset it to keep traces without`, {
    exitCode,
  });
}

/** A private Jaeger: OTLP in, its database in the instance's directory, and the trace page as what a browser gets. */
export async function jaegerSpec({
  program,
  dir,
  pageDir,
  otlpPort,
  queryPort,
  baseEnv,
}: {
  program: Program;
  dir: string;
  pageDir: string;
  otlpPort: number;
  queryPort: number;
  baseEnv: Env;
}): Promise<ProcessSpec> {
  const databaseDir = join(dir, "jaeger");
  await mkdir(databaseDir, { recursive: true });
  const configFile = join(dir, "jaeger.json");
  const config = jaegerConfig({ databaseDir, pageDir, otlpPort, queryPort });
  await writeFile(configFile, JSON.stringify(config, undefined, 2));
  const address = `http://127.0.0.1:${queryPort}`;
  return {
    name: "traces",
    version: program.version,
    address,
    file: program.file,
    // It reads JSON as it reads YAML.
    args: ["--config", configFile],
    // Its own requests are no part of what it shows, and its tracer looks for a collector that is not there.
    env: { ...baseEnv, ...program.env, OTEL_TRACES_SAMPLER: "always_off" },
    healthUrl: `${address}/api/services`,
    ready: async () => (await httpStatus(`${address}/api/services`)) === 200,
    readyTimeoutMs: 30_000,
    stopTimeoutMs: 8_000,
  };
}

/** https://www.jaegertracing.io/docs/2.13/deployment/configuration/ */
function jaegerConfig({
  databaseDir,
  pageDir,
  otlpPort,
  queryPort,
}: {
  databaseDir: string;
  pageDir: string;
  otlpPort: number;
  queryPort: number;
}): object {
  const badger = {
    ephemeral: false,
    directories: { keys: join(databaseDir, "keys"), values: join(databaseDir, "values") },
    ttl: { spans: retention },
  };
  return {
    service: {
      extensions: ["jaeger_storage", "jaeger_query"],
      pipelines: { traces: { receivers: ["otlp"], processors: ["batch"], exporters: ["jaeger_storage_exporter"] } },
      // Its metrics would take a port.
      telemetry: { metrics: { level: "none" }, logs: { level: "warn" } },
    },
    extensions: {
      jaeger_storage: { backends: { main: { badger } } },
      jaeger_query: {
        storage: { traces: "main" },
        ui: { assets_path: pageDir },
        http: { endpoint: `127.0.0.1:${queryPort}` },
        // Nobody asks by gRPC; it cannot be left out.
        grpc: { endpoint: "127.0.0.1:0" },
      },
    },
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${otlpPort}` } } } },
    processors: { batch: { timeout: "200ms" } },
    exporters: { jaeger_storage_exporter: { trace_storage: "main" } },
  };
}
