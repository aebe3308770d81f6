import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ProcessMark } from "./process-mark.ts";

export type ProcessRecord = {
  name: string;
  version: string;
  address: string;
  healthUrl?: string;
  /** A second port, where gRPC is spoken. */
  grpcAddress?: string;
  metricsUrl?: string;
  mark?: ProcessMark;
  /** When it was started last. */
  startTime?: string;
  ready: boolean;
  restarts: number;
};

/** What runs in an instance directory, as its launcher last saw it. */
export type InstanceState = {
  launcher: ProcessMark;
  phase: "starting" | "ready" | "stopping";
  deployment: string;
  startTime: string;
  /** The first front door. */
  edge?: string;
  /** All of them, where there are several. */
  edges?: string[];
  /** Every mesh Envoy, with commas, as MESH_URL has it. */
  mesh?: string;
  /** The trace page, and the query API of Jaeger beside it. */
  traces?: string;
  servers?: { mysqlUrl: string; redisUrl: string; natsUrl: string };
  processes: ProcessRecord[];
};

const stateFile = (dir: string) => join(dir, "state.json");

export function readState(dir: string): InstanceState | undefined {
  try {
    return JSON.parse(readFileSync(stateFile(dir), "utf8")) as InstanceState;
  } catch {
    return undefined;
  }
}

/** What this launcher wrote: until it has, the file is that of one which was killed. */
export function stateOf({ pid, startMark }: ProcessMark, dir: string): InstanceState | undefined {
  const state = readState(dir);
  return state?.launcher.pid === pid && state.launcher.startMark === startMark ? state : undefined;
}

/** Whole or not at all, and before anything else happens: a killed launcher leaves a true list behind. */
export function writeState(dir: string, state: InstanceState): void {
  const file = stateFile(dir);
  writeFileSync(`${file}.new`, JSON.stringify(state, undefined, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
