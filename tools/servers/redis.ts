import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { answers } from "./probe.ts";
import type { ProcessSpec } from "./process-spec.ts";
import type { Program } from "./program.ts";
import type { ServerPlace } from "./server-place.ts";

const defaultMaxMemory = "512mb";

/** A private Redis that keeps nothing: an old read model is worse than none, since none is rebuilt. */
export async function redisSpec({
  program,
  place: { dir, port, env, baseEnv },
  password,
}: {
  program: Program;
  place: ServerPlace;
  password: string;
}): Promise<ProcessSpec> {
  await mkdir(dir, { recursive: true });
  const configFile = join(dir, "redis.conf");
  const lines = [
    "bind 127.0.0.1",
    `port ${port}`,
    `requirepass ${password}`,
    `dir "${dir}"`,
    'save ""',
    "appendonly no",
    `maxmemory ${env.REDIS_MAXMEMORY ?? defaultMaxMemory}`,
    "maxmemory-policy volatile-lru",
    "set-max-intset-entries 4096",
    "daemonize no",
    "",
  ];
  // In a file, not on the command line, which everyone on the machine can read.
  await writeFile(configFile, lines.join("\n"), { mode: 0o600 });
  const ping = { write: `AUTH ${password}\r\nPING\r\n`, pattern: /\+PONG/ };
  return {
    name: "redis",
    version: program.version,
    address: `127.0.0.1:${port}`,
    file: program.file,
    args: [configFile],
    env: { ...baseEnv, ...program.env },
    ready: async () => (await answers({ host: "127.0.0.1", port }, ping)) !== undefined,
    readyTimeoutMs: 20_000,
    stopTimeoutMs: 3_000,
  };
}
