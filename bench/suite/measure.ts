import { setTimeout as sleep } from "node:timers/promises";
import type { FeedPage } from "../../tests/support/person.ts";
import type { Progress } from "../../tools/progress.ts";
import { bareDeck, type Deck } from "../load/deck.ts";
import type { Kept, Order, Outcome } from "../load/drive.ts";
import { createHistogram } from "../load/histogram.ts";
import type { Bare, Client } from "../load/processes.ts";
import { flawless, type Judge, sum, type Verdict } from "./judge.ts";
import type { Profile } from "./profiles.ts";
import { digits, median, type Row } from "./row.ts";
import { cachesOf, cpuOf, hitsBetween, type System } from "./system.ts";
import type { Town } from "./town.ts";

/** What a measurement stands on. */
export type Bench = {
  readonly system: System;
  readonly town: Town;
  readonly client: Client;
  readonly bare: Bare;
  readonly judge: Judge;
  readonly progress: Progress;
  readonly rounds: number;
  readonly seconds: number;
  /** Writes of each profile so far, so that none is a repetition. */
  readonly written: Map<string, number>;
  /** The cores of everything, as taskset takes them. */
  readonly cores: string;
};

const connectionsUsual = 64;
/** The open loop asks this share of what the closed one was answered. */
const openShare = 0.5;
/** Of home pages that the load asked for, one in so many is kept and held to the truth. */
const keepEach = 29;
/** People whose feed is read after the load, and held to the truth. */
const sampleMax = 50;
/** What was written is counted a moment later; what is not by then counts as stale. */
const countedMs = 5_000;
const againMs = 200;
/** Everybody's first page is asked for so often before anything counts, by so many at once. */
const sweeps = 2;
const sweepersMax = 8;
/** A bare server needs less to show what it can do. */
const bareShare = 0.4;

/** One row: rounds of yardstick, closed loop and open loop, then the sample. */
export async function measure(bench: Bench, name: string, profile: Profile, connectionsGiven?: number): Promise<Row> {
  const after = await profile.around?.(bench.system, bench.town);
  try {
    return await measured(bench, name, profile, connectionsGiven);
  } finally {
    await after?.();
  }
}

async function measured(bench: Bench, name: string, profile: Profile, connectionsGiven?: number): Promise<Row> {
  const { system, progress, rounds, seconds } = bench;
  const connections = connectionsGiven ?? profile.connections ?? connectionsUsual;
  const what = `${name} ${system.envoy ? "with" : "without"} Envoy`;
  const page = await pageOf(bench, profile);
  await bench.bare.answer(page);
  const ask = (more: Partial<Order>) => ordered(bench, name, profile, { connections, seconds, ...more });
  const [open, openOfBare] = [createHistogram(), createHistogram()];
  const closed: Outcome[] = [];
  const shares: number[] = [];
  const cpu: ReadonlyMap<string, number>[] = [];
  const outcomes: Outcome[] = [];
  // A few at once: what is asked beyond that while nothing is there yet is answered from truth, and leaves nothing behind.
  for (let sweep = 0; sweep < sweeps; sweep++) await ask({ isSweep: true, connections: sweepersMax });
  await ask({});
  await bareRps(bench, connections);
  const cachesBefore = await cachesOf(system.instance.dir);
  for (let round = 0; round < rounds; round++) {
    progress.update({ what: `${what}, rounds`, done: round, total: rounds });
    const bareNow = profile.isPage ? await bareRps(bench, connections) : undefined;
    const [limit, spent] = await withCpu(bench, () => troubled(bench, profile, () => ask({ keepEach })));
    closed.push(limit);
    cpu.push(new Map([...spent].map(([process, us]) => [process, us / Math.max(1, limit.answers)])));
    const rps = limit.answers / limit.seconds;
    if (bareNow !== undefined) shares.push(rps / bareNow);
    const rate = Math.max(1, openShare * median(closed.map((each) => each.answers / each.seconds)));
    const steady = await troubled(bench, profile, () => ask({ rate, keepEach }));
    open.add(steady.latencies);
    if (profile.isPage) openOfBare.add((await askBare(bench, { connections, rate })).latencies);
    outcomes.push(limit, steady);
  }
  const hits = hitsBetween(cachesBefore, await cachesOf(system.instance.dir));
  tellHits(progress, what, hits);
  const verdict = await verdictOf(
    bench,
    profile,
    outcomes.flatMap(({ kept }) => kept),
  );
  const sent = outcomes.reduce((all, { answers, failed }) => all + answers + failed, 0);
  const failed = outcomes.reduce((all, each) => all + each.failed, 0);
  const ofItems = (count: number) => digits(count / Math.max(1, verdict.items), 6);
  const row = {
    profile: name,
    envoy: system.envoy,
    connections,
    rps: digits(median(closed.map((each) => each.answers / each.seconds)), 1),
    p50Ms: open.atMs(0.5),
    p99Ms: open.atMs(0.99),
    cpuUs: medians(cpu),
    shareOfKoa: profile.isPage ? digits(median(shares), 4) : null,
    koaP99Ms: profile.isPage ? openOfBare.atMs(0.99) : null,
    hitRate: hits.size === 0 ? null : digits(hits.get("") ?? 0, 4),
    failed: digits(failed / Math.max(1, sent), 6),
    wrong: ofItems(verdict.wrong),
    missing: ofItems(verdict.missing),
    stale: ofItems(verdict.stale),
  };
  if (failed > 0) progress.say(`${what}: ${failed} of ${sent} requests failed: ${statusesOf(outcomes)}`);
  return row;
}

/** Sends one order of the profile to the system. */
async function ordered(
  { system, town, client, written }: Bench,
  name: string,
  profile: Profile,
  more: Pick<Order, "connections" | "seconds"> & Partial<Order>,
) {
  const { mix, pageSize } = profile;
  const { people, authors } = town;
  const [from, count] = profile.posts;
  const posts = town.posts.slice(Math.min(from, town.posts.length - 1)).slice(0, count);
  const deck: Deck = { mix, pageSize, people, authors, posts, written: written.get(name) ?? 0, name };
  const outcome = await client.run({ ...system.door, deck, ...more });
  written.set(name, outcome.written);
  return outcome;
}

async function bareRps(bench: Bench, connections: number): Promise<number> {
  const { answers, seconds } = await askBare(bench, { connections });
  return answers / seconds;
}

const askBare = ({ bare, client, seconds }: Bench, more: Pick<Order, "connections"> & Partial<Order>) =>
  client.run({
    host: "127.0.0.1",
    port: bare.port,
    deck: bareDeck,
    seconds: Math.max(1, seconds * bareShare),
    ...more,
  });

/** Runs what goes wrong before and during a measurement. */
async function troubled<T>(
  { system, seconds }: Bench,
  { before, during }: Profile,
  measured: () => Promise<T>,
): Promise<T> {
  await before?.(system);
  const end = during?.(system, seconds);
  const found = await measured();
  await end?.();
  return found;
}

/** CPU of every process meanwhile, in microseconds; what was killed and came back is counted from its return. */
export async function withCpu<T>({ system, client }: Pick<Bench, "system" | "client">, work: () => Promise<T>) {
  const all = () => cpuOf(new Map([...system.pids(), ["client", client.pid]]));
  const before = all();
  const found = await work();
  const spent = new Map([...all()].map(([name, us]) => [name, Math.max(0, us - (before.get(name) ?? 0))]));
  return [found, spent] as const;
}

/** The page that the yardstick answers: one of the system's own, as long as the most. */
async function pageOf({ system, town }: Bench, { pageSize }: Profile): Promise<Uint8Array> {
  const pages = await Promise.all(
    town.people.slice(0, 9).map(async ({ token }) => {
      const answer = await fetch(`${system.url}/v1/feed?pageSize=${pageSize}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return new Uint8Array(await answer.arrayBuffer());
    }),
  );
  return pages.toSorted((a, b) => a.length - b.length)[pages.length >> 1] ?? new Uint8Array();
}

async function verdictOf(bench: Bench, { mix, during, pageSize }: Profile, kept: readonly Kept[]): Promise<Verdict> {
  const { system, town, judge } = bench;
  const isStill = during === undefined && !(mix.like || mix.comment || mix.create);
  let verdict = flawless;
  for (const { person, sentTime, body } of kept.slice(0, 2 * sampleMax)) {
    const page = JSON.parse(Buffer.from(body).toString()) as FeedPage;
    const one = await judge.judge(BigInt(town.people[person]?.id ?? 0), page, { time: sentTime, isStill });
    verdict = sum(verdict, isStill ? one : { ...one, stale: 0 });
  }
  const each = Math.max(1, Math.floor(town.people.length / sampleMax));
  const counted = Date.now() + countedMs;
  for (const { id, token } of town.people.filter((_, nth) => nth % each === 0)) {
    for (;;) {
      const answer = await fetch(`${system.url}/v1/feed?pageSize=${pageSize}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const page = (await answer.json()) as FeedPage;
      const one = await judge.judge(BigInt(id), page, { time: Date.now(), isStill: true });
      if (one.stale > 0 && Date.now() < counted) {
        await sleep(againMs);
        continue;
      }
      verdict = sum(verdict, one);
      break;
    }
  }
  return verdict;
}

function medians(rounds: readonly ReadonlyMap<string, number>[]): Record<string, number> {
  const names = [...(rounds[0]?.keys() ?? [])];
  return Object.fromEntries(
    names.map((name) => [name, digits(median(rounds.map((round) => round.get(name) ?? 0)), 1)]),
  );
}

/** Below this a cache is worth a word. */
const hitsMin = 0.995;

function tellHits(progress: Progress, what: string, hits: ReadonlyMap<string, number>): void {
  const low = [...hits].filter(([cache, share]) => cache !== "" && share < hitsMin);
  if (low.length === 0) return;
  progress.say(`${what}: hits ${low.map(([cache, share]) => `${cache} ${(share * 100).toFixed(1)} %`).join(", ")}`);
}

function statusesOf(outcomes: readonly Outcome[]): string {
  const all = new Map<string, number>();
  for (const { statuses } of outcomes)
    for (const [status, count] of Object.entries(statuses)) all.set(status, (all.get(status) ?? 0) + count);
  return [...all].map(([status, count]) => `${count} × ${status === "0" ? "no answer" : status}`).join(", ");
}
