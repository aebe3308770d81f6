import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { httpStatus } from "./probe.ts";
import type { ProcessSpec } from "./process-spec.ts";
import type { Program } from "./program.ts";
import type { ServerPlace } from "./server-place.ts";

/** How much a power cut may cost the transport; the outbox publishes it again. */
const defaultSyncInterval = "1s";
const maxPayloadBytes = 1024 * 1024;

/** A private NATS with JetStream on disk. */
export async function natsSpec({
  program,
  place: { dir, port, env, baseEnv },
  monitorPort,
  password,
}: {
  program: Program;
  place: ServerPlace;
  monitorPort: number;
  password: string;
}): Promise<ProcessSpec> {
  await mkdir(dir, { recursive: true });
  const configFile = join(dir, "nats.json");
  // NATS reads JSON as it reads its own format.
  const config = {
    server_name: "skein",
    host: "127.0.0.1",
    port,
    http: `127.0.0.1:${monitorPort}`,
    max_payload: maxPayloadBytes,
    authorization: { user: "skein", password },
    jetstream: { store_dir: join(dir, "data"), sync_interval: env.NATS_SYNC_INTERVAL ?? defaultSyncInterval },
  };
  await writeFile(configFile, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return {
    name: "nats",
    version: program.version,
    address: `127.0.0.1:${port} (monitoring http://127.0.0.1:${monitorPort})`,
    file: program.file,
    args: ["-c", configFile],
    env: { ...baseEnv, ...program.env },
    ready: async () => (await httpStatus(`http://127.0.0.1:${monitorPort}/healthz`)) === 200,
    readyTimeoutMs: 30_000,
    stopTimeoutMs: 5_000,
  };
}
