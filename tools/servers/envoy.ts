import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Env } from "./command.ts";
import { httpStatus } from "./probe.ts";
import type { ProcessSpec } from "./process-spec.ts";
import type { Program } from "./program.ts";

/** How long requests under way may take once nothing new comes in. */
const drainTimeoutMs = 3_000;
const drainPollMs = 50;
/** Busy connections are told to go with their next answer; idle ones are given this long to become busy, and then cut. */
const quietMs = 500;
const adminTimeoutMs = 1_000;

export async function envoySpec({
  name,
  program,
  dir,
  config,
  address,
  adminPort,
  baseEnv,
}: {
  name: string;
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
    healthUrl: `${admin}/ready`,
    metricsUrl: `${admin}/stats/prometheus`,
    ready: async () => (await httpStatus(`${admin}/ready`)) === 200,
    readyTimeoutMs: 30_000,
    stopTimeoutMs: 3_000,
    beforeStop: () => drain(admin),
  };
}

/** Which of the ports behind a proxy it holds for healthy: a process may serve before its proxy has looked. */
export async function seen(adminPort: number, ports: readonly number[]): Promise<number[]> {
  const signal = AbortSignal.timeout(adminTimeoutMs);
  const text = await fetch(`http://127.0.0.1:${adminPort}/clusters`, { signal })
    .then((response) => response.text())
    .catch(() => "");
  return ports.filter((port) => text.includes(`::127.0.0.1:${port}::health_flags::healthy`));
}

/** The connections that clients have to a proxy now; undefined where it does not tell. */
export async function connections(adminPort: number, statPrefix: string): Promise<number | undefined> {
  const signal = AbortSignal.timeout(adminTimeoutMs);
  const name = `http.${statPrefix}.downstream_cx_active`;
  const text = await fetch(`http://127.0.0.1:${adminPort}/stats?filter=${encodeURIComponent(`^${name}$`)}`, { signal })
    .then((response) => response.text())
    .catch(() => "");
  return text.startsWith(`${name}: `) ? Number(text.slice(name.length + 2)) : undefined;
}

/**
 * Envoy ends at once when told to, so first: each connection is closed with its next answer (`Connection: close`, GOAWAY),
 * nobody new gets in, and what is under way is waited for.
 */
async function drain(admin: string): Promise<void> {
  const signal = AbortSignal.timeout(drainTimeoutMs);
  const startTime = Date.now();
  try {
    for (const order of ["healthcheck/fail", "drain_listeners"]) {
      await (await fetch(`${admin}/${order}`, { method: "POST", signal })).text();
    }
    while (!signal.aborted) {
      const response = await fetch(`${admin}/stats?filter=http%5C..*downstream_(rq|cx)_active`, { signal });
      const active = (await response.text()).split("\n").filter((line) => !/admin/.test(line) && /: [1-9]/.test(line));
      const isQuiet = active.every((line) => line.includes("_cx_")) && Date.now() - startTime > quietMs;
      if (active.length === 0 || isQuiet) return;
      await new Promise((resolve) => setTimeout(resolve, drainPollMs));
    }
  } catch {
    // It is gone or too slow: stopping it is what comes next anyway.
  }
}
