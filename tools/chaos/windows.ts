import { kindOf } from "../launcher/kinds.ts";
import type { Fault } from "./faults.ts";
import type { Request } from "./load.ts";

/** From the fault to the moment its victim was well again; where it is an only copy, to the moment everything was served again. */
export type Window = Fault & { readonly startTime: number; readonly endTime: number };

/** Requests of one kind, and how many of them failed. */
export type Tally = { readonly requests: number; readonly failed: number };

/** A request belongs to a fault that fell into its life. */
const meets = ({ dueTime, endTime }: Request, window: Window): boolean =>
  dueTime <= window.endTime && endTime >= window.startTime;

const isOfReplica = ({ kind, isOnlyCopy }: Window): boolean => !isOnlyCopy && (kind === "kill" || kind === "freeze");

/** Whether writes must go on: without transport and read models, truth is still there. */
const isOfReadSide = ({ isOnlyCopy, victim }: Window): boolean => isOnlyCopy && ["redis", "nats"].includes(victim);

const tallyOf = (requests: readonly Request[]): Tally => ({
  requests: requests.length,
  failed: requests.filter(({ isFailed }) => isFailed).length,
});

/** The requests that fell into the windows that `isIn` chooses, and not into one in which an only copy was stopped besides. */
function within(all: readonly Request[], windows: readonly Window[], isIn: (window: Window) => boolean): Request[] {
  const chosen = windows.filter(isIn);
  const others = windows.filter((window) => window.isOnlyCopy && !isIn(window));
  return all.filter((one) => chosen.some((it) => meets(one, it)) && !others.some((it) => meets(one, it)));
}

/** What clients saw, window by window; requests in a window in which an only copy was stopped are counted apart. */
export function tallies(requests: readonly Request[], windows: readonly Window[]) {
  const reads = requests.filter(({ isWrite }) => !isWrite);
  const writes = requests.filter(({ isWrite }) => isWrite);
  const isApart = (one: Request) => windows.some((window) => window.isOnlyCopy && meets(one, window));
  return {
    reads: tallyOf(reads.filter((one) => !isApart(one))),
    writes: tallyOf(writes.filter((one) => !isApart(one))),
    readsOneReplica: tallyOf(within(reads, windows, isOfReplica)),
    writesReadSide: tallyOf(within(writes, windows, isOfReadSide)),
  };
}

/** The windows of a kind of fault and of victim together: what the table of a report shows. */
export function rowsOf(requests: readonly Request[], windows: readonly Window[]) {
  const titleOf = ({ kind, victim, how }: Window) =>
    [kind, kindOf(victim), how].filter((word) => word !== "").join(" ");
  return [...Map.groupBy(windows, titleOf)].map(([title, same]) => {
    const met = requests.filter((one) => same.some((window) => meets(one, window)));
    return {
      title,
      count: same.length,
      isOnlyCopy: same.some(({ isOnlyCopy }) => isOnlyCopy),
      backSeconds: Math.max(...same.map(({ startTime, endTime }) => endTime - startTime)) / 1_000,
      reads: tallyOf(met.filter(({ isWrite }) => !isWrite)),
      writes: tallyOf(met.filter(({ isWrite }) => isWrite)),
      reasons: reasonsOf(met),
    };
  });
}

const reasonsMax = 3;

/** The most frequent reasons of failures, with how often. */
export function reasonsOf(requests: readonly Request[]): string[] {
  const failed = requests.filter(({ isFailed }) => isFailed);
  return [...Map.groupBy(failed, ({ name, why }) => `${name}: ${why}`)]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .slice(0, reasonsMax)
    .map(([reason, same]) => `${same.length} × ${reason}`);
}
