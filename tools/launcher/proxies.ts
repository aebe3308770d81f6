import { setTimeout as sleep } from "node:timers/promises";
import { seen } from "../servers/envoy.ts";
import { LaunchFailure } from "../servers/failure.ts";
import { type Kind, kindOf, nameOf, services } from "./kinds.ts";
import { type Ports, portsOf } from "./ports.ts";

const proxyTimeoutMs = 20_000;
const proxyPollMs = 50;

/** What one proxy must reach. */
export type View = { proxy: string; adminPort: number; ports: readonly number[] };

/** Every proxy with the replicas behind it, of those that were started. */
export function viewsOf(ports: Ports, started: readonly string[]): View[] {
  const behind = (kinds: readonly Exclude<Kind, "edge" | "mesh">[]) =>
    kinds.flatMap((kind) =>
      ports[kind].flatMap((_, index) => (started.includes(nameOf(kind, index)) ? portsOf(ports, kind, index) : [])),
    );
  return [
    ...ports.meshAdmin.map((adminPort, index) => ({
      proxy: nameOf("mesh", index),
      adminPort,
      ports: behind(services),
    })),
    ...ports.edgeAdmin.map((adminPort, index) => ({ proxy: nameOf("edge", index), adminPort, ports: behind(["bff"]) })),
  ];
}

/** The part of the views that is about one replica: a proxy's own view, or what all others see of a service. */
export function viewsAbout(name: string, views: readonly View[], ports: Ports): View[] {
  const own = views.filter(({ proxy }) => proxy === name);
  if (own.length > 0) return own;
  const of = portsOf(ports, kindOf(name) as Kind, Number(name.split("-")[1]) - 1);
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
