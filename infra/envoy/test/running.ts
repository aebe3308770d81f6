import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { until } from "#lib/harness/until.ts";
import type { Address } from "../config.ts";

export type Running = { readonly child: ChildProcess; [Symbol.asyncDispose](): Promise<void> };

/** The Envoy to test with: SKEIN_ENVOY, or `envoy` on PATH. */
export function envoyBinary(): string {
  const { SKEIN_ENVOY: named, PATH = "" } = process.env;
  const tried = named === undefined ? PATH.split(path.delimiter).map((dir) => path.join(dir, "envoy")) : [named];
  const found = tried.find((file) => existsSync(file));
  if (found === undefined) throw new Error("no Envoy: put `envoy` on PATH, or its path into SKEIN_ENVOY");
  return found;
}

/** Runs Envoy with this configuration until disposed; resolves once it takes connections. */
export async function startEnvoy(config: object, admin: Address): Promise<Running> {
  const dir = mkdtempSync(path.join(os.tmpdir(), "skein-envoy-"));
  const file = path.join(dir, "envoy.json");
  writeFileSync(file, JSON.stringify(config));
  const args = ["-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
  const child = spawn(envoyBinary(), args, { stdio: ["ignore", "ignore", "pipe"] });
  const said: string[] = [];
  child.stderr?.on("data", (text) => said.push(String(text)));
  const running = {
    child,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      rmSync(dir, { recursive: true });
    },
  };
  try {
    await until("envoy is live", async () => {
      if (child.exitCode !== null) throw new Error(`envoy exited with ${child.exitCode}: ${said.join("")}`);
      return (await text(admin, "/ready").catch(() => "")).startsWith("LIVE");
    });
  } catch (err) {
    await running[Symbol.asyncDispose]();
    throw err;
  }
  return running;
}

const text = async ({ host, port }: Address, at: string): Promise<string> =>
  await (await fetch(`http://${host}:${port}${at}`)).text();

/** Waits until Envoy counts this many replicas of a cluster as healthy. */
export const healthy = (admin: Address, cluster: string, count: number): Promise<void> =>
  until(
    `${count} of ${cluster} are healthy`,
    async () => (await stat(admin, `cluster.${cluster}.membership_healthy`)) === count,
  );

export async function stat(admin: Address, name: string): Promise<number> {
  return Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(await text(admin, `/stats?filter=${name}`))?.[1]);
}

/**
 * Below the range from which systems take ports for outgoing connections: one of those is easily taken again before it is
 * bound. tools/launcher/ports.ts draws from the same.
 */
const freePortMin = 12_000;
const freePortMax = 32_000;
/** Processes beside this one begin elsewhere; this one gives out no port twice until it has gone round. */
let nextPort = freePortMin + Math.floor(Math.random() * (freePortMax - freePortMin));

/** Ports that were free a moment ago. */
export async function freeAddresses(count: number): Promise<Address[]> {
  const host = "127.0.0.1";
  const found: Address[] = [];
  for (let tries = freePortMin; found.length < count; tries++) {
    if (tries === freePortMax) throw new Error(`no ${count} free ports between ${freePortMin} and ${freePortMax}`);
    const port = nextPort;
    nextPort = port + 1 < freePortMax ? port + 1 : freePortMin;
    if (await isFree({ host, port })) found.push({ host, port });
  }
  return found;
}

function isFree({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The n-th of some; a test that asks for more than there are is wrong. */
export function nth<T>(items: readonly T[], n: number): T {
  const item = items[n];
  if (item === undefined) throw new Error(`there is no number ${n}`);
  return item;
}
