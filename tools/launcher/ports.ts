import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { LaunchFailure } from "../servers/failure.ts";

/** Everything that listens, in the order in which ports are given out. */
const listeners = [
  "edge",
  "mesh",
  "mysql",
  "redis",
  "nats",
  "natsMonitor",
  "edgeAdmin",
  "meshAdmin",
  "graph",
  "user",
  "post",
  "feed",
  "bff",
  "bffGrpc",
] as const;

export type Listener = (typeof listeners)[number];
export type Ports = Record<Listener, number>;

const edgePort = 8080;
const meshPort = 9000;
const innerPortBase = 21_000;
const portMax = 65_535;
/** Below the range from which systems take ports for outgoing connections. */
const freeBaseMin = 12_000;
const freeBaseMax = 32_000;
const freeBaseTries = 200;

/** Without a base, the well-known ones; with one, all in a row, so that instances stand side by side. */
export function portsFrom(base: number | undefined): Ports {
  if (base !== undefined && base + listeners.length > portMax) {
    throw new LaunchFailure(`--port-base ${base} leaves no room for ${listeners.length} ports below ${portMax}`);
  }
  const inner = listeners.map((name, index): [Listener, number] => [name, (base ?? innerPortBase - 2) + index]);
  const ports = Object.fromEntries(inner) as Ports;
  return base === undefined ? { ...ports, edge: edgePort, mesh: meshPort } : ports;
}

/** Fails on the first port that somebody has, with the name of who it is where that can be known. */
export async function requireFree(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    if (await isFree(port)) continue;
    const owner = portOwner(port);
    const who = owner === undefined ? "another program" : `${owner.program} (pid ${owner.pid})`;
    throw new LaunchFailure(`port ${port} is taken by ${who}; stop it or use --port-base`);
  }
}

export async function findFreeBase(random: () => number = Math.random): Promise<number> {
  for (let tries = 0; tries < freeBaseTries; tries++) {
    const base = freeBaseMin + Math.floor(random() * (freeBaseMax - freeBaseMin));
    const free = await Promise.all(Object.values(portsFrom(base)).map(isFree));
    if (free.every(Boolean)) return base;
  }
  throw new LaunchFailure(`no ${listeners.length} free ports in a row between ${freeBaseMin} and ${freeBaseMax}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
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
