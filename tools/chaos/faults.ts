import { cpSync, existsSync, renameSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { kindOf, readKinds } from "../launcher/kinds.ts";
import { untilReached, viewsAbout } from "../launcher/proxies.ts";
import type { Random } from "../seed/random.ts";
import { isWell } from "../servers/probe.ts";
import { type Store, stores, type Target } from "./target.ts";
import { type Weather, weathers } from "./way.ts";

const faultKinds = ["kill", "freeze", "network", "loss"] as const;

/** Something that will be done to the system. */
export type Fault = {
  readonly kind: (typeof faultKinds)[number];
  /** The process, the store whose way is made bad, or the store that loses what it has. */
  readonly victim: string;
  /** How: the weather, or what is lost. */
  readonly how: string;
  /** Nobody stands in for the victim: while it is away, slow or empty, some requests have nobody to answer them. */
  readonly isOnlyCopy: boolean;
};

/** A process drains for 2.5 s, starts in 2, its launcher waits up to 5 before a start, and MariaDB reads its log. */
const backMs = 60_000;
const lookAgainMs = 50;
/** How long the way to a store stays bad: longer than a statement, a command and a publish may take. */
const badWeatherMs = 6_000;

/**
 * As many of each kind as there are rounds, in an order of chance. Victims are dealt from a deck of all there are, so that
 * nobody's turn comes again before everyone had one.
 */
export function planFaults({ rounds, random, target }: { rounds: number; random: Random; target: Target }): Fault[] {
  const names = target.processes().map(({ name }) => name);
  const replicated = readKinds("all").flatMap((kind) => names.filter((name) => kindOf(name) === kind));
  const isAlone = (name: string) => !names.some((other) => other !== name && kindOf(other) === kindOf(name));
  const processes = [...replicated, ...stores].map((victim) => ({ victim, how: "", isOnlyCopy: isAlone(victim) }));
  const ways = stores.flatMap((victim) => weathers.map((how) => ({ victim, how: how as string, isOnlyCopy: true })));
  const losses = [
    { victim: "redis", how: "flushed", isOnlyCopy: true },
    { victim: "nats", how: "deleted", isOnlyCopy: true },
    { victim: "nats", how: "rolled back", isOnlyCopy: true },
  ];
  const decks = {
    kill: dealer(processes, random),
    freeze: dealer(processes, random),
    network: dealer(target.ways === undefined ? [] : ways, random),
    loss: dealer(losses, random),
  };
  return Array.from({ length: rounds }, () =>
    shuffled(faultKinds, random).flatMap((kind) => decks[kind]().map((fault) => ({ kind, ...fault }))),
  ).flat();
}

/** Deals one of a deck each time; a deck that is used up is shuffled anew, an empty one deals nothing. */
function dealer<T>(all: readonly T[], random: Random): () => T[] {
  let left: T[] = [];
  return () => {
    if (left.length === 0) left = shuffled(all, random);
    return left.splice(0, 1);
  };
}

function shuffled<T>(all: readonly T[], random: Random): T[] {
  const rest = [...all];
  return all.flatMap(() => rest.splice(random.below(rest.length), 1));
}

/** Does it, and resolves when the victim is as it should be again. */
export async function strike({ kind, victim, how }: Fault, target: Target, freezeMs: number): Promise<void> {
  if (kind === "network") return makeBad(target, victim as Store, how as Weather);
  if (kind === "freeze") return freeze(target, victim, freezeMs);
  if (kind === "kill") return kill(target, victim);
  if (how === "flushed") return flush(target);
  return loseStreams(target, how);
}

async function kill(target: Target, victim: string, meanwhile = () => {}): Promise<void> {
  const pid = pidOf(target, victim);
  process.kill(pid, "SIGKILL");
  meanwhile();
  await untilBack(target, victim, (now) => now !== pid);
}

async function freeze(target: Target, victim: string, freezeMs: number): Promise<void> {
  const pid = pidOf(target, victim);
  const thaw = () => {
    try {
      process.kill(pid, "SIGCONT");
    } catch {
      // Somebody ended it meanwhile.
    }
  };
  process.once("exit", thaw); // A run that is interrupted leaves nothing frozen.
  process.kill(pid, "SIGSTOP");
  await sleep(freezeMs);
  thaw();
  process.off("exit", thaw);
  await untilBack(target, victim, () => true);
}

async function makeBad({ ways }: Target, victim: Store, how: Weather): Promise<void> {
  ways?.[victim].turn(how);
  await sleep(badWeatherMs);
  ways?.[victim].turn("clear");
}

async function flush({ urls }: Target): Promise<void> {
  const redis = new Redis(urls.redisUrl);
  await redis.flushall().finally(() => redis.disconnect());
}

/** An older copy is made with NATS running: what a disk gives back after a power cut is no cleaner. */
async function loseStreams(target: Target, how: string): Promise<void> {
  const { natsStore } = target;
  const older = `${natsStore}.older`;
  if (how === "rolled back") {
    cpSync(natsStore, older, { recursive: true });
    await sleep(badWeatherMs);
  }
  await kill(target, "nats", () => {
    if (existsSync(natsStore)) rmSync(natsStore, { recursive: true, force: true });
    if (how === "rolled back") renameSync(older, natsStore);
  });
}

function pidOf(target: Target, victim: string): number {
  const pid = target.processes().find(({ name }) => name === victim)?.mark?.pid;
  if (pid === undefined) throw new Error(`${victim} does not run`);
  return pid;
}

/** Well again means: it says so, and the proxies send there. */
async function untilBack(target: Target, victim: string, isIt: (pid: number) => boolean): Promise<void> {
  const deadline = Date.now() + backMs;
  for (;;) {
    const now = target.processes().find(({ name }) => name === victim);
    if (now?.ready && now.mark && isIt(now.mark.pid) && (!now.healthUrl || (await isWell(now.healthUrl)))) break;
    if (Date.now() > deadline) throw new Error(`${victim} is not back after ${backMs / 1000} s`);
    await sleep(lookAgainMs);
  }
  await untilReached(viewsAbout(victim, target.processes()), AbortSignal.timeout(backMs));
}
