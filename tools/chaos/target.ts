import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Instance, startInstance } from "../launcher/instance.ts";
import { readReplicas } from "../launcher/kinds.ts";
import type { ServerUrls } from "../launcher/start-servers.ts";
import { type ProcessRecord, readState } from "../launcher/state.ts";
import { exitCodes, LaunchFailure } from "../servers/failure.ts";
import { openSite, type Site } from "./site.ts";
import { openWay, type Way } from "./way.ts";

export const stores = ["mysql", "redis", "nats"] as const;
export type Store = (typeof stores)[number];

/** The system under faults. */
export type Target = {
  readonly edges: readonly string[];
  /** Where the stores themselves are: what checks must not go the way that is made bad. */
  readonly urls: ServerUrls;
  readonly deployment: string;
  /** Where NATS keeps its streams. */
  readonly natsStore: string;
  /** The ways from the system to its stores; a system that was found running has none. */
  readonly ways: Readonly<Record<Store, Way>> | undefined;
  /** Where links of posts lead; a system that was found running may not ask this machine. */
  readonly site: Site | undefined;
  /** Every process as it is now. */
  processes(): readonly ProcessRecord[];
  /** Ends what was started for the run; the directory stays where `keep` says so. */
  stop(keep: boolean): Promise<void>;
};

/** Cheap passwords: a fault run is not about hashing. Links of its posts lead to a site on this machine. */
const env = { PASSWORD_MEMORY_KIB: "1024", PREVIEWS: "on", PREVIEW_ALLOW_NETWORKS: "127.0.0.1/32" };

/** The system that runs in a directory. */
export function findTarget(dir: string): Target {
  const place = resolve(dir);
  const state = readState(place);
  if (state?.phase !== "ready" || state.servers === undefined || state.edge === undefined) {
    throw new LaunchFailure(`nothing runs in ${place}: run npm start first`, { exitCode: exitCodes.notRunning });
  }
  return {
    edges: state.edges ?? [state.edge],
    urls: state.servers,
    deployment: state.deployment,
    natsStore: join(place, "nats", "data"),
    ways: undefined,
    site: undefined,
    processes: () => readState(place)?.processes ?? [],
    stop: async () => undefined,
  };
}

/** A system of its own: the stores are one instance, everything else a second one that reaches them through proxies. */
export async function startTarget({
  replicas = "all=2",
  say,
}: {
  replicas?: string;
  say: (line: string) => void;
}): Promise<Target> {
  const dir = mkdtempSync(join(tmpdir(), "skein-chaos-"));
  const started: (Instance | Way | Site)[] = [];
  const stop = async (keep: boolean) => {
    for (const one of started.toReversed()) await ("stop" in one ? one.stop() : one.close());
    if (keep) say(`the logs are in ${dir}`);
    else rmSync(dir, { recursive: true, force: true });
  };
  try {
    const many = readReplicas(replicas);
    const below = { dir: join(dir, "stores"), replicas: many, serversOnly: true, say };
    const servers = await startInstance(below);
    started.push(servers);
    const urls = servers.servers;
    const [mysql, redis, nats] = await Promise.all([wayTo(urls.mysqlUrl), wayTo(urls.redisUrl), wayTo(urls.natsUrl)]);
    started.push(mysql.way, redis.way, nats.way);
    const through = { MYSQL_URL: mysql.url, REDIS_URL: redis.url, NATS_URL: nats.url };
    const system = await startInstance({ dir: join(dir, "system"), replicas: many, env: { ...env, ...through }, say });
    started.push(system);
    const site = await openSite();
    started.push(site);
    const processesIn = (of: Instance) => readState(of.dir)?.processes ?? [];
    return {
      edges: system.edges,
      urls,
      deployment: "skein",
      natsStore: join(servers.dir, "nats", "data"),
      ways: { mysql: mysql.way, redis: redis.way, nats: nats.way },
      site,
      processes: () => [...processesIn(servers), ...processesIn(system)],
      stop,
    };
  } catch (reason) {
    await stop(true);
    throw reason;
  }
}

async function wayTo(address: string): Promise<{ way: Way; url: string }> {
  const url = new URL(address);
  const way = await openWay({ host: url.hostname, port: Number(url.port) });
  url.port = String(way.port);
  return { way, url: url.href };
}
