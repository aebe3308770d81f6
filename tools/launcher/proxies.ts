import { setTimeout as sleep } from "node:timers/promises";
import { connections, seen } from "../servers/envoy.ts";
import { LaunchFailure } from "../servers/failure.ts";
import { kindOf, services } from "./kinds.ts";
import type { ProcessRecord } from "./state.ts";

const proxyTimeoutMs = 20_000;
const proxyPollMs = 50;
/** A caller of the mesh that has not come back by then hangs, or has ended: a roll does not wait for it. */
const callersTimeoutMs = 10_000;
/** Callers look for a mesh Envoy again within 0.4 s of its start; a wait that takes longer is told. */
const callersUsualMs = 1_000;

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

/** How many connections callers have to a proxy, or undefined where it does not tell. */
export const callersOf = ({ proxy, adminPort }: View): Promise<number | undefined> =>
  connections(adminPort, kindOf(proxy));

/**
 * Waits until a proxy that was restarted has as many callers as before: one that has not come back yet would find nobody
 * when the next proxy goes. Goes on, and says so, when they do not all come in time.
 */
export async function untilCalled(
  view: View,
  { callers, given, say }: { callers: number; given: AbortSignal; say: (line: string) => void },
): Promise<void> {
  const startTime = Date.now();
  let isTold = false;
  for (;;) {
    const back = (await callersOf(view)) ?? 0;
    if (back >= callers || given.aborted) return;
    const count = `${callers - back} of its ${callers} connections`;
    const waitedMs = Date.now() - startTime;
    if (waitedMs > callersTimeoutMs) return say(`${view.proxy} goes on without ${count}`);
    if (waitedMs > callersUsualMs && !isTold) say(`${view.proxy} waits for ${count}`);
    isTold ||= waitedMs > callersUsualMs;
    await sleep(proxyPollMs, undefined, { signal: given }).catch(() => undefined);
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
