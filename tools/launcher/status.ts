import { isWell } from "../servers/probe.ts";
import { holderOf } from "./claim.ts";
import { isAlive, residentBytes } from "./process-mark.ts";
import { type ProcessRecord, stateOf } from "./state.ts";

type ProcessStatus = {
  name: string;
  pid: number;
  version: string;
  address: string;
  grpcAddress?: string;
  /** Its metrics, in Prometheus' text form. */
  metricsUrl?: string;
  healthy: boolean;
  rssBytes: number;
  /** Since it was started last; 0 where it does not run. */
  uptimeSeconds: number;
  /** How often it ended by itself and was started again. */
  restarts: number;
};

export type InstanceStatus = {
  edge?: string;
  edges?: string[];
  mesh?: string;
  /** The trace page; absent where traces are kept elsewhere or nowhere. */
  traces?: string;
  deployment: string;
  dir: string;
  phase: string;
  launcherPid: number;
  /** Since the launcher was started. */
  uptimeSeconds: number;
  /** The processes of a ready instance that are not healthy. */
  degraded: string[];
  processes: ProcessStatus[];
};

/** What runs in a directory, or a status with no processes where nothing does. */
export async function statusOf(dir: string): Promise<InstanceStatus> {
  const holder = holderOf(dir);
  const none = { deployment: "", dir, uptimeSeconds: 0, degraded: [], processes: [] };
  if (holder === undefined) return { ...none, phase: "not running", launcherPid: 0 };
  const state = stateOf(holder, dir);
  if (state === undefined) return { ...none, phase: "starting", launcherPid: holder.pid };
  const processes = await Promise.all(state.processes.map(processStatus));
  const unhealthy = processes.filter(({ healthy }) => !healthy).map(({ name }) => name);
  return {
    ...(state.edge === undefined ? {} : { edge: state.edge }),
    ...(state.edges === undefined ? {} : { edges: state.edges }),
    ...(state.mesh === undefined ? {} : { mesh: state.mesh }),
    ...(state.traces === undefined ? {} : { traces: state.traces }),
    deployment: state.deployment,
    dir,
    phase: state.phase,
    launcherPid: holder.pid,
    uptimeSeconds: secondsSince(state.startTime),
    degraded: state.phase === "ready" ? unhealthy : [],
    processes,
  };
}

async function processStatus(record: ProcessRecord): Promise<ProcessStatus> {
  const { name, version, address, grpcAddress, metricsUrl, restarts, mark, ready, startTime } = record;
  const alive = mark !== undefined && isAlive(mark);
  return {
    name,
    pid: alive ? mark.pid : 0,
    version,
    address,
    ...(grpcAddress !== undefined && { grpcAddress }),
    ...(metricsUrl !== undefined && { metricsUrl }),
    healthy: alive && ready && (record.healthUrl === undefined || (await isWell(record.healthUrl))),
    rssBytes: alive ? residentBytes(mark.pid) : 0,
    uptimeSeconds: alive && startTime !== undefined ? secondsSince(startTime) : 0,
    restarts,
  };
}

const secondsSince = (time: string): number => Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
