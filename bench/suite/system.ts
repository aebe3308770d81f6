import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type Instance, startInstance } from "../../tools/launcher/instance.ts";
import type { Replicas } from "../../tools/launcher/kinds.ts";
import { readState } from "../../tools/launcher/state.ts";
import { type Oracle, openOracle } from "../../tools/oracle.ts";

export const deployment = "skein";
const ticksPerSecond = 100;

export type System = {
  readonly instance: Instance;
  readonly oracle: Oracle;
  readonly envoy: boolean;
  /** Where clients ask. */
  readonly door: { readonly host: string; readonly port: number };
  /** The edge, or without Envoy the BFF. */
  readonly url: string;
  /** Process ids by kind of process; by name where there are several. */
  pids(): ReadonlyMap<string, number>;
  stop(): Promise<void>;
};

/** The whole system in a directory; without Envoy both still run, for commands, and nothing measured passes them. */
export async function startSystem(o: {
  dir: string;
  envoy: boolean;
  env: Readonly<Record<string, string>>;
  replicas?: Partial<Replicas>;
}): Promise<System> {
  // What a load says may have links, which lead nowhere.
  const env = { PASSWORD_MEMORY_KIB: "1024", PREVIEWS: "off", ...o.env };
  const instance = await startInstance({ dir: o.dir, direct: !o.envoy, env, deployment, replicas: o.replicas ?? {} });
  const oracle = openOracle({ url: instance.servers.mysqlUrl, deployment });
  const processes = () => readState(o.dir)?.processes ?? [];
  const bff = processes().find(({ name }) => name === "bff-1")?.address;
  const url = o.envoy ? instance.edge : String(bff);
  const { hostname: host, port } = new URL(url);
  return {
    instance,
    oracle,
    envoy: o.envoy,
    door: { host, port: Number(port) },
    url,
    pids: () => new Map(processes().map(({ name, mark }) => [name.replace(/-1$/, ""), mark?.pid ?? 0])),
    async stop() {
      await oracle.close();
      await instance.stop();
    },
  };
}

/** Puts this process, and all it starts from now on, on some cores. False where the system has no way to. */
export const pin = (cores: string, pid = process.pid): boolean =>
  spawnSync("taskset", ["-acp", cores, String(pid)], { stdio: "ignore" }).status === 0;

/** CPU time of each process, in microseconds: user and system, fields 14 and 15 of proc_pid_stat(5). */
export function cpuOf(pids: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...pids].map(([name, pid]) => [name, cpuOfOne(pid)]));
}

function cpuOfOne(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return ((Number(fields[11]) + Number(fields[12])) * 1e6) / ticksPerSecond;
  } catch {
    return 0; // It ended, or this is no Linux.
  }
}

type Lookups = { hits: number; misses: number };

/** Lookups of each cache so far, over all processes. */
export async function cachesOf(dir: string): Promise<ReadonlyMap<string, Lookups>> {
  const found = new Map<string, Lookups>();
  for (const { metricsUrl } of readState(dir)?.processes ?? []) {
    if (metricsUrl === undefined) continue;
    const text = await fetch(metricsUrl).then((answer) => answer.text());
    for (const [, cache = "", result, count] of text.matchAll(
      /^skein_cache_total\{cache="(\w+)",result="(\w+)"\} (\d+)/gm,
    )) {
      const lookups = found.get(cache) ?? { hits: 0, misses: 0 };
      lookups[result === "hit" ? "hits" : "misses"] += Number(count);
      found.set(cache, lookups);
    }
  }
  return found;
}

/** Shares of hits between two looks: of each cache that was asked, and under "" of all lookups. */
export function hitsBetween(
  before: ReadonlyMap<string, Lookups>,
  after: ReadonlyMap<string, Lookups>,
): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  let [hitsAll, lookupsAll] = [0, 0];
  for (const [cache, { hits, misses }] of after) {
    const since = before.get(cache) ?? { hits: 0, misses: 0 };
    const hit = Math.max(0, hits - since.hits);
    const lookups = hit + Math.max(0, misses - since.misses);
    hitsAll += hit;
    lookupsAll += lookups;
    if (lookups > 0) shares.set(cache, hit / lookups);
  }
  if (lookupsAll > 0) shares.set("", hitsAll / lookupsAll);
  return shares;
}
