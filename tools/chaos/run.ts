import { setTimeout as sleep } from "node:timers/promises";
import { openEdges } from "../../tests/support/edges.ts";
import { type Progress, whole } from "../progress.ts";
import { randomOf } from "../seed/random.ts";
import { untilConverged, type Verdict } from "./check.ts";
import { type Fault, planFaults, strike } from "./faults.ts";
import { type Entry, openJournal, readJournal } from "./journal.ts";
import { drive, type Load, type Request } from "./load.ts";
import { countRetries, memoryOf } from "./meters.ts";
import { openPeople, type People } from "./people.ts";
import { untilServed } from "./served.ts";
import type { Target } from "./target.ts";
import type { Window } from "./windows.ts";

/** A client takes the other door after this: longer than the deadline of any RPC. */
const answerMs = 6_000;
/** Of one door: an open loop has as many requests under way as a stall makes. */
const connectionsMax = 256;
const tickMs = 200;
/** What a fault takes beside its own time, for the estimate of what is left. */
const faultSeconds = 6;

export type Options = {
  readonly target: Target;
  readonly rounds: number;
  /** Requests a second. */
  readonly rate: number;
  readonly seed: string;
  readonly people: number;
  readonly freezeMs: number;
  /** After each fault. */
  readonly settleMs: number;
  /** Before the first one; then until memory stands, see `warmUp`. */
  readonly warmUpMs: number;
  readonly journalFile: string;
  readonly progress: Progress;
  /** Instead of the faults of chance. */
  readonly faults?: readonly Fault[];
};

export type Run = Verdict & {
  readonly windows: readonly Window[];
  /** Without those of the warm-up. */
  readonly requests: readonly Request[];
  readonly journal: readonly Entry[];
  readonly retries: number;
  readonly memoryRatio: number;
  readonly people: People["all"];
};

/** Drives people while faults come one after the other, then waits until everything is equal to the truth. */
export async function runChaos(options: Options): Promise<Run> {
  const { target, rounds, rate, seed, settleMs, warmUpMs, journalFile, progress } = options;
  const faults = options.faults ?? planFaults({ rounds, random: randomOf(seed, "faults"), target });
  const journal = openJournal(journalFile);
  const random = randomOf(seed, "load");
  const people = await openPeople({ edge: target.edges[0] ?? "", count: options.people, journal, random });
  const edges = openEdges(target.edges, { answerMs, connectionsMax, stays: true });
  const load = drive({ people, edges, journal, random, site: target.site, rate });
  const seconds = faults.length * (faultSeconds + settleMs / 1_000) + warmUpMs / 1_000;
  const telling = setInterval(() => tell(load, rate * seconds, progress), tickMs);
  let windows: Window[];
  let memoryBefore: number;
  let countedTime: number;
  let retries: ReturnType<typeof countRetries> | undefined;
  try {
    memoryBefore = await warmUp(options);
    countedTime = Date.now();
    retries = countRetries(target);
    windows = await strikeAll(faults, people, options);
  } finally {
    await load.stop().finally(() => clearInterval(telling));
    edges.close();
    await journal.close();
  }
  progress.say(`${load.requests.length} requests; holding everything against MySQL`);
  const verdict = await untilConverged(target, journalFile, people.all);
  return {
    ...verdict,
    windows,
    requests: load.requests.filter(({ dueTime }) => dueTime >= countedTime),
    journal: readJournal(journalFile),
    retries: (await retries?.stop()) ?? 0,
    memoryRatio: memoryOf(target) / memoryBefore,
    people: people.all,
  };
}

/** Memory is that of warm processes once it grew by less than a hundredth in as long as the warm-up, or after so many of those. */
const grownShare = 0.01;
const warmUpsMax = 9;

/** Answers what memory is before the first fault: heaps grow until the code is hot, the caches are full and young spaces as large as they get. */
async function warmUp({ target, warmUpMs, progress }: Options): Promise<number> {
  let bytes = 0;
  for (let nth = 0; nth < warmUpsMax; nth++) {
    await sleep(warmUpMs);
    const now = memoryOf(target);
    const isWarm = now < bytes * (1 + grownShare);
    bytes = now;
    if (isWarm) break;
  }
  progress.say(`warm with ${whole(bytes / 2 ** 20)} MiB`);
  return bytes;
}

function tell({ requests }: Load, total: number, progress: Progress): void {
  const failed = requests.reduce((count, { isFailed }) => count + (isFailed ? 1 : 0), 0);
  const done = requests.length;
  progress.update({ what: "requests", done, total: Math.max(done, Math.round(total)) });
  if (failed > 0 && done % 1_000 === 0) progress.say(`${failed} failed so far`);
}

async function strikeAll(
  faults: readonly Fault[],
  people: People,
  { target, freezeMs, settleMs, progress }: Options,
): Promise<Window[]> {
  const windows: Window[] = [];
  for (const [nth, fault] of faults.entries()) {
    const startTime = Date.now();
    progress.say(`${nth + 1} of ${faults.length}: ${fault.kind} ${fault.victim} ${fault.how}`.trimEnd());
    await strike(fault, target, freezeMs);
    if (fault.isOnlyCopy) await untilServed(target, people);
    windows.push({ ...fault, startTime, endTime: Date.now() });
    await sleep(settleMs);
  }
  return windows;
}
