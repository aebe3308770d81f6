import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { LaunchFailure } from "../servers/failure.ts";
import { type Extra, type Kind, onceEach, type Replicas, type Service, services } from "./kinds.ts";

/** Everything that listens, in the order in which ports are given out, and whose replicas have one each. */
const listeners = {
  edge: "edge",
  mesh: "mesh",
  mysql: undefined,
  redis: undefined,
  nats: undefined,
  natsMonitor: undefined,
  edgeAdmin: "edge",
  meshAdmin: "mesh",
  ...(Object.fromEntries(services.map((service) => [service, service])) as { [Name in Service]: Name }),
  bff: "bff",
  bffGrpc: "bff",
  mediaHttp: "media",
  traces: undefined,
  tracesQuery: undefined,
  ...(Object.fromEntries([...services, "bff"].map((kind) => [`${kind}Metrics`, kind])) as {
    [Name in Service | "bff" as `${Name}Metrics`]: Name;
  }),
  prometheus: undefined,
} as const satisfies Record<string, Kind | undefined>;

export type Listener = keyof typeof listeners;
/** The ports of each listener, one a replica; the first is always there. */
export type Ports = Record<Listener, [number, ...number[]]>;

const edgePort = 8080;
const meshPort = 9000;
const innerPortBase = 21_000;
const portMax = 65_535;
/** Below the range from which systems take ports for outgoing connections. */
const freeBaseMin = 12_000;
const freeBaseMax = 32_000;
const freeBaseTries = 200;
/** Room for two of everything, and the port that says whose it is. */
const freeBaseEach = 64;

/**
 * Without a base, the well-known ones; with one, all in a row, so that instances stand side by side. Further replicas
 * come after all first ones, so the first ones keep their numbers.
 */
export function portsFrom(base: number | undefined, replicas: Readonly<Replicas>): Ports {
  const names = Object.keys(listeners) as Listener[];
  let next = base ?? innerPortBase - 2;
  const ports = {} as Ports;
  for (const name of names) ports[name] = [next++];
  if (base === undefined) Object.assign(ports, { edge: [edgePort], mesh: [meshPort] });
  for (let count = 2; count <= Math.max(...Object.values(replicas)); count++) {
    for (const name of names) {
      const kind = listeners[name];
      if (kind !== undefined && replicas[kind] >= count) ports[name].push(next++);
    }
  }
  if (next > portMax) throw new LaunchFailure(`--port-base ${base} leaves no room for all ports below ${portMax}`);
  return ports;
}

/** What a whole system listens on: everything but the trace store and the extras where there are none. */
export const systemListeners = (
  ports: Ports,
  { extras, stored }: { extras: readonly Extra[]; stored: unknown },
): Listener[] => {
  const unused = [
    ...(stored === undefined ? ["traces", "tracesQuery"] : []),
    ...(extras.includes("prometheus") ? [] : ["prometheus"]),
  ];
  return (Object.keys(ports) as Listener[]).filter((name) => !unused.includes(name));
};

/** Fails on the first port that somebody has, with the name of who it is where that can be known. */
export async function requireFree(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    if (await isFree(port)) continue;
    const owner = portOwner(port);
    const who = owner === undefined ? "another program" : `${owner.program} (pid ${owner.pid})`;
    throw new LaunchFailure(`port ${port} is taken by ${who}; stop it or use --port-base`);
  }
}

/**
 * A base from which on nobody listens. A port looks free until it is used, so the one below the base is held until this process ends: who
 * looks at the same time takes other ports.
 */
export async function findFreeBase(replicas: Readonly<Replicas> = onceEach): Promise<number> {
  const rooms = Math.floor((freeBaseMax - freeBaseMin) / freeBaseEach);
  for (let tries = 0; tries < freeBaseTries; tries++) {
    const door = freeBaseMin + Math.floor(Math.random() * rooms) * freeBaseEach;
    const held = await hold(door);
    if (held === undefined) continue;
    const free = await Promise.all(
      Object.values(portsFrom(door + 1, replicas))
        .flat()
        .map(isFree),
    );
    if (free.every(Boolean)) return door + 1;
    held.close();
  }
  throw new LaunchFailure(`no free ports in a row between ${freeBaseMin} and ${freeBaseMax}`);
}

/** Listens on a port, but keeps no process alive; undefined where somebody else listens there. */
function hold(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer().unref();
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(server));
  });
}

async function isFree(port: number): Promise<boolean> {
  const held = await hold(port);
  if (held !== undefined) await new Promise((closed) => held.close(closed));
  return held !== undefined;
}

/** Linux only: the socket's inode is in the table of listeners, and a link to it in its owner's open files. */
function portOwner(port: number): { pid: number; program: string } | undefined {
  try {
    const wanted = port.toString(16).toUpperCase().padStart(4, "0");
    const rows = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => readFileSync(file, "utf8").split("\n").slice(1));
    const columns = rows.map((row) => row.trim().split(/\s+/));
    const row = columns.find(([, local, , state]) => local?.endsWith(`:${wanted}`) && state === "0A");
    if (row === undefined) return undefined;
    const link = `socket:[${row[9]}]`;
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      if (!holds(pid, link)) continue;
      const program = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
      return { pid: Number(pid), program };
    }
  } catch {
    // Not Linux, or not ours to look at.
  }
  return undefined;
}

function holds(pid: string, link: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === link);
  } catch {
    return false;
  }
}
