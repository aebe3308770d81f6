import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Env } from "./command.ts";
import { httpStatus } from "./probe.ts";
import type { ProcessSpec } from "./process-spec.ts";
import type { Program } from "./program.ts";

/** How long requests under way may take once nothing new comes in. */
const drainTimeoutMs = 3_000;
const drainPollMs = 50;
const clustersTimeoutMs = 1_000;

export async function envoySpec({
  name,
  program,
  dir,
  config,
  address,
  adminPort,
  baseEnv,
}: {
  name: "edge" | "mesh";
  program: Program;
  dir: string;
  config: object;
  address: string;
  adminPort: number;
  baseEnv: Env;
}): Promise<ProcessSpec> {
  await mkdir(dir, { recursive: true });
  const configFile = join(dir, `${name}.json`);
  await writeFile(configFile, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  const admin = `http://127.0.0.1:${adminPort}`;
  return {
    name,
    version: program.version,
    address,
    file: program.file,
    args: ["-c", configFile, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warn"],
    env: { ...baseEnv, ...program.env },
    ready: async () => (await httpStatus(`${admin}/ready`)) === 200,
    readyTimeoutMs: 30_000,
    stopTimeoutMs: 3_000,
    beforeStop: () => drain(admin),
  };
}

/** Which of the ports behind a proxy it does not hold for healthy: a process may serve before its proxy has looked. */
export async function unseen(adminPort: number, ports: readonly number[]): Promise<number[]> {
  const signal = AbortSignal.timeout(clustersTimeoutMs);
  const text = await fetch(`http://127.0.0.1:${adminPort}/clusters`, { signal })
    .then((response) => response.text())
    .catch(() => "");
  return ports.filter((port) => !text.includes(`::127.0.0.1:${port}::health_flags::healthy`));
}

/** Envoy ends at once when told to stop, so it is first told to take nothing new, and what is under way is waited for. */
async function drain(admin: string): Promise<void> {
  const signal = AbortSignal.timeout(drainTimeoutMs);
  try {
    await (await fetch(`${admin}/drain_listeners`, { method: "POST", signal })).text();
    while (!signal.aborted) {
      const response = await fetch(`${admin}/stats?filter=http%5C..*downstream_rq_active`, { signal });
      const active = (await response.text()).split("\n").filter((line) => !/admin/.test(line) && /: [1-9]/.test(line));
      if (active.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, drainPollMs));
    }
  } catch {
    // It is gone or too slow: stopping it is what comes next anyway.
  }
}
