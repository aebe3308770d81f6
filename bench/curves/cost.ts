import { setTimeout as sleep } from "node:timers/promises";
import { openMysql } from "#lib/storage/mysql.ts";
import { redisCommand } from "../../tests/support/faults.ts";
import { kindOf } from "../../tools/launcher/kinds.ts";
import type { Deck } from "../load/deck.ts";
import type { Client } from "../load/processes.ts";
import { digits } from "../suite/row.ts";
import { cpuOf, deployment, type System } from "../suite/system.ts";

/** What one operation costs: CPU µs of each process, and what it asks of the stores. */
export type Cost = {
  readonly cpuUs: Readonly<Record<string, number>>;
  /** Times that Redis was sent something, which for a pipeline is once; and the commands in it. */
  readonly redisTrips: number;
  readonly redisCommands: number;
  readonly sqlStatements: number;
};

/** One point of a curve. */
export type Point = Cost & { readonly x: number };

type Counters = { readonly cpu: ReadonlyMap<string, number>; readonly atMs: number } & Readonly<
  Record<"redisTrips" | "redisCommands" | "sqlStatements", number>
>;

/** What an idle system does by itself is looked at for so long. */
const idleMs = 3_000;
const connections = 8;
const stores = ["redisTrips", "redisCommands", "sqlStatements"] as const;

/** Counts what operations cost, less what the system costs while nobody asks. */
export async function openMeter(system: System) {
  const { mysqlUrl, redisUrl } = system.instance.servers;
  const db = openMysql({ url: mysqlUrl, database: `${deployment}_feed` });
  const look = async (): Promise<Counters> => {
    const info = String(await redisCommand(redisUrl, "INFO", "stats"));
    const of = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? 0);
    const [row] = await db.query("SHOW GLOBAL STATUS LIKE 'Questions'");
    return {
      cpu: cpuOf(system.pids()),
      atMs: performance.now(),
      redisTrips: of("total_reads_processed"),
      redisCommands: of("total_commands_processed"),
      sqlStatements: Number(row?.Value ?? 0),
    };
  };
  const idleFrom = await look();
  await sleep(idleMs);
  const idleTo = await look();
  const idleFor = idleTo.atMs - idleFrom.atMs;
  const less = (grown: number, idle: number, ms: number, count: number) =>
    Math.max(0, grown - (idle * ms) / idleFor) / count;

  return {
    /** Runs operations, and answers what each cost; `work` answers how many they were. */
    async of(work: () => Promise<number>): Promise<Cost> {
      const from = await look();
      const count = Math.max(1, await work());
      const to = await look();
      const ms = to.atMs - from.atMs;
      const cpuUs: Record<string, number> = {};
      for (const [name, us] of to.cpu) {
        const idle = (idleTo.cpu.get(name) ?? 0) - (idleFrom.cpu.get(name) ?? 0);
        const spent = less(us - (from.cpu.get(name) ?? 0), idle, ms, count);
        cpuUs[kindOf(name)] = digits((cpuUs[kindOf(name)] ?? 0) + spent, 1);
      }
      const asked = stores.map((name) => [
        name,
        digits(less(to[name] - from[name], idleTo[name] - idleFrom[name], ms, count), 2),
      ]);
      return { cpuUs, ...(Object.fromEntries(asked) as Omit<Cost, "cpuUs">) };
    },
    close: () => db.close(),
  };
}

export type Meter = Awaited<ReturnType<typeof openMeter>>;

/** Home pages, everybody's once first, then by chance: how many were answered. */
export async function readPages(
  { system, client, people, pageSize }: { system: System; client: Client; people: Deck["people"]; pageSize: number },
  seconds: number,
): Promise<number> {
  const deck: Deck = { mix: { feed: 1 }, pageSize, people, posts: [], authors: [], written: 0, name: "curve" };
  const { answers, failed, latencies, statuses } = await client.run({
    ...system.door,
    deck,
    connections,
    seconds,
    isSweep: seconds === 0,
  });
  // While everybody's first page is made something may be refused; later nothing may.
  if (failed > 0 && seconds > 0) throw new Error(`${failed} pages were not answered: ${JSON.stringify(statuses)}`);
  return Math.max(
    answers,
    latencies.reduce((sum, count) => sum + count, 0),
  );
}
