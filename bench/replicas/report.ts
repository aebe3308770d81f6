import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import type { Failure } from "../../tests/support/traffic.ts";
import type { Phase } from "./phase.ts";

/** Failures of a phase that are looked up in the logs one by one. */
const lookedUpMax = 200;

/** The same reasons together, each with how often and whose log names such a request. */
export function reasonsOf(failures: readonly Failure[], dir: string): string[] {
  const reasons = Map.groupBy(failures, ({ what, status, why }) => `${what}: ${status} ${why}`.trim());
  const logs = failures.length === 0 ? [] : readLogs(dir);
  return [...reasons].map(([reason, all]) => {
    const ids = all.slice(0, lookedUpMax).flatMap(({ requestId }) => requestId || []);
    const tellers = logs.filter(({ text }) => ids.some((id) => text.includes(id))).map(({ name }) => name);
    const at = new Date(all[0]?.time ?? 0).toISOString();
    return `${all.length} × ${reason} (first ${at}; logs: ${tellers.join(", ") || "none"})`;
  });
}

function readLogs(dir: string): { name: string; text: string }[] {
  const logs = join(dir, "logs");
  return readdirSync(logs).map((name) => ({ name, text: readFileSync(join(logs, name), "utf8") }));
}

export function spread(all: readonly number[]): Pick<Phase, "p50Ms" | "p99Ms" | "maxMs"> {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

export function table(phases: readonly Phase[]): string {
  const lines = phases.flatMap((phase) => [
    `${phase.mode} ${phase.kind.padEnd(5)} × ${phase.disturbances}: ${phase.requests} requests, ${phase.failed} failed, ` +
      `${phase.failedOver} at the second door; p50 ${phase.p50Ms} ms, p99 ${phase.p99Ms} ms, max ${phase.maxMs} ms`,
    ...phase.reasons.map((reason) => `    ${reason}`),
  ]);
  return lines.join("\n");
}

export const machine = () => ({
  machine: `${cpus()[0]?.model ?? "?"} × ${availableParallelism()}`,
  node: process.version,
  commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
});
