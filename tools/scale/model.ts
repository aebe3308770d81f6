import type { Row } from "../../bench/suite/row.ts";
import type { Values } from "./assumptions.ts";

/** Rows of a bench result that the model stands on, as they are through both Envoys; `inserts` is the same either way. */
export const needed = ["feed", "posts", "likes", "inserts"] as const;
export type Costs = Readonly<Record<(typeof needed)[number], Row["cpuUs"]>>;

export type Model = {
  /** Cores at the peak, by kind of process. */
  readonly cores: Readonly<Record<string, number>>;
  readonly machines: number;
  readonly redis: {
    readonly memoryGiB: number;
    readonly byMemory: number;
    readonly byCpu: number;
    readonly processes: number;
  };
  readonly mysql: {
    readonly byCpu: number;
    readonly byDisk: number;
    readonly shards: number;
    readonly servers: number;
    readonly diskTiB: number;
  };
  readonly jetstream: { readonly factsPerSecond: number; readonly partitions: number; readonly gbitPerSecond: number };
  readonly network: { readonly edgeGbit: number; readonly insideGbit: number };
};

const GiB = 2 ** 30;
const TiB = 2 ** 40;
const daySeconds = 86_400;
/** Stores are counted by themselves; what only measures or keeps traces is nobody's cost here. */
const apart = ["client", "redis", "mysql", "nats", "traces"];

/**
 * Machines for a load, from CPU µs of each process an operation: cores = rate × peak × cost ÷ utilisation. Costs are taken
 * to be linear in the rate, which the curves of docs/scale.md show as far as two cores go. Comments cost what likes cost:
 * the same two writes, one more row.
 */
export function modelOf(costs: Costs, v: Values): Model {
  const cores: Record<string, number> = {};
  const operations: readonly [Row["cpuUs"], number][] = [
    [costs.feed, v.reads],
    [costs.posts, v.posts],
    [costs.likes, v.likes + v.comments],
    [{ feed: costs.inserts.feed ?? 0, redis: costs.inserts.redis ?? 0 }, v.inserts],
  ];
  for (const [cpuUs, perSecond] of operations) {
    for (const [name, us] of Object.entries(cpuUs)) {
      cores[name] = (cores[name] ?? 0) + (perSecond * v.peak * us) / 1e6 / v.utilisation;
    }
  }
  const stateless = Object.entries(cores).filter(([name]) => !apart.includes(name));
  return {
    cores: Object.fromEntries(Object.entries(cores).filter(([name]) => name !== "client" && name !== "traces")),
    machines: Math.ceil(stateless.reduce((sum, [, count]) => sum + count, 0) / v["cores-per-machine"]),
    redis: redisOf(cores.redis ?? 0, v),
    mysql: mysqlOf(cores.mysql ?? 0, v),
    jetstream: jetstreamOf(v),
    network: networkOf(v),
  };
}

/** A Redis process has one core for commands: where that is the limit, there are more of them with less memory. */
function redisOf(cores: number, v: Values): Model["redis"] {
  const readers = v.users * v["timelines-per-user"];
  const bytes =
    readers * (v["timeline-entries"] * v["timeline-entry-bytes"] + v["reader-bytes"]) +
    v["hot-posts"] * v["hot-post-bytes"];
  const memoryGiB = bytes / GiB;
  const byMemory = Math.ceil(memoryGiB / (v["redis-gib"] * v["redis-fill"]));
  const byCpu = Math.ceil(cores);
  return { memoryGiB, byMemory, byCpu, processes: Math.max(byMemory, byCpu) * v["redis-copies"] };
}

function mysqlOf(cores: number, v: Values): Model["mysql"] {
  const perSecond = v.posts * v["post-bytes"] + v.likes * v["like-bytes"] + v.comments * v["comment-bytes"];
  const diskTiB = (perSecond * daySeconds * v["kept-days"]) / TiB;
  const byCpu = Math.ceil(cores / v["mysql-cores"]);
  const byDisk = Math.ceil(diskTiB / v["mysql-tib"]);
  const shards = Math.max(byCpu, byDisk);
  return { byCpu, byDisk, shards, servers: shards * v["mysql-copies"], diskTiB };
}

/** Facts of posts, likes and comments, and the counts that are told once a batch, at most as many again. */
function jetstreamOf(v: Values): Model["jetstream"] {
  const factsPerSecond = (v.posts + 2 * (v.likes + v.comments)) * v.peak;
  const partitions = Math.ceil(factsPerSecond / v["facts-per-partition"]);
  return { factsPerSecond, partitions, gbitPerSecond: gbit(factsPerSecond * v["fact-bytes"]) };
}

function networkOf(v: Values): Model["network"] {
  const writes = v.posts + v.likes + v.comments;
  const inside =
    v.reads * (v["page-bytes"] + v["thin-bytes"] + v["redis-read-bytes"]) +
    v.inserts * v["insert-bytes"] +
    writes * v["fact-bytes"] * 3;
  return { edgeGbit: gbit(v.reads * v["page-bytes"] * v.compression * v.peak), insideGbit: gbit(inside * v.peak) };
}

const gbit = (bytesPerSecond: number): number => (bytesPerSecond * 8) / 1e9;
