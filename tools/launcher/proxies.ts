import { setTimeout as sleep } from "node:timers/promises";
import { seen } from "../servers/envoy.ts";
import { LaunchFailure } from "../servers/failure.ts";
import { kindOf, services } from "./kinds.ts";
import type { ProcessRecord } from "./state.ts";

const proxyTimeoutMs = 20_000;
const proxyPollMs = 50;

/** What one proxy must reach. */
type View = { proxy: string; adminPort: number; ports: readonly number[] };

/** The least that is known of a process, in its launcher or in its status. */
type Place = Pick<ProcessRecord, "name" | "address" | "grpcAddress" | "healthUrl">;

/** Every proxy, with the replicas behind it. */
export function viewsOf(processes: readonly Place[]): View[] {
  const behind = (kinds: readonly string[]) =>
    processes.filter(({ name }) => kinds.includes(kindOf(name))).flatMap(portsOf);
  const views = (kind: "mesh" | "edge", ports: readonly number[]) =>
    processes
      .filter(({ name }) => kindOf(name) === kind)
      .map(({ name, healthUrl = "" }) => ({ proxy: name, adminPort: portOf(healthUrl), ports }));
  return [...views("mesh", behind(services)), ...views("edge", behind(["bff"]))];
}

/** The part of the views that is about one replica: a proxy's own view, or what the proxies see of a service. */
export function viewsAbout(name: string, processes: readonly Place[]): View[] {
  const views = viewsOf(processes);
  const own = views.filter(({ proxy }) => proxy === name);
  if (own.length > 0) return own;
  const of = processes.filter((process) => process.name === name).flatMap(portsOf);
  return views.filter((view) => of.some((port) => view.ports.includes(port))).map((view) => ({ ...view, ports: of }));
}

/** Ready means that a request gets through: the proxies look for themselves, a moment after the services serve. */
export async function untilReached(views: readonly View[], given: AbortSignal): Promise<void> {
  const deadline = Date.now() + proxyTimeoutMs;
  for (;;) {
    const missing = (await Promise.all(views.map(missingOf))).flat();
    if (missing.length === 0) return;
    if (given.aborted || Date.now() > deadline) throw new LaunchFailure(`${missing.join(", ")}; see their logs`);
    await sleep(proxyPollMs);
  }
}

/** Waits until no proxy sends there any more, or `given` aborts: then there is nothing left to send to. */
export async function untilLeft(views: readonly View[], given: AbortSignal): Promise<void> {
  while (!given.aborted) {
    const held = await Promise.all(views.map(({ adminPort, ports }) => seen(adminPort, ports)));
    if (held.flat().length === 0) return;
    await sleep(proxyPollMs);
  }
}

async function missingOf({ proxy, adminPort, ports }: View): Promise<string[]> {
  const held = await seen(adminPort, ports);
  return ports.filter((port) => !held.includes(port)).map((port) => `${proxy} does not reach 127.0.0.1:${port}`);
}

/** The BFF has a door of its own for gRPC. */
const portsOf = ({ address, grpcAddress }: Place): number[] =>
  [address, ...(grpcAddress ? [grpcAddress] : [])].map(portOf);

const portOf = (url: string): number => Number(URL.canParse(url) ? new URL(url).port : 0);
