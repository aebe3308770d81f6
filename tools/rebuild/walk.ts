import { setTimeout as sleep } from "node:timers/promises";
import { isPassing } from "#lib/events/poison.ts";
import type { Family } from "./families.ts";
import type { Place } from "./place.ts";
import { sum } from "./tally.ts";

/** Owners between two notes of the place: what a broken-off rebuild does again at most. */
const pageMax = 500;
/** A rebuild is held to its rate over so many of its keys: a page may be all of one burst otherwise. */
const chunkMax = 100;

/** A store that is away for a moment costs a wait and not the rebuild: some fifteen seconds in all. */
const triesMax = 8;
const againMs = 100;

/** Rebuilds every owner of a family after a place, `rate` keys that are there a second at most (0: as fast as it goes). */
export async function walkFamily(
  family: Family,
  from: Place,
  { rate, tell }: { rate: number; tell: (place: Place) => void },
): Promise<Place> {
  const pace = paced(rate);
  for (let place = from; ; ) {
    const owners = await family.owners(place.after, pageMax);
    const last = owners.at(-1);
    if (last === undefined) return place;
    place = { after: last, done: place.done + owners.length, tally: sum([place.tally, await paceOver(owners)]) };
    tell(place);
  }

  async function paceOver(owners: readonly bigint[]) {
    const size = rate > 0 ? Math.min(chunkMax, Math.max(1, Math.ceil(rate / 10))) : owners.length;
    const tallies = [];
    for (let at = 0; at < owners.length; at += size) {
      const tally = await insistently(() => family.rebuild(owners.slice(at, at + size)));
      tallies.push(tally);
      await pace(tally.right + tally.switched + tally.busy);
    }
    return sum(tallies);
  }
}

/** Rebuilding twice is the same as once. */
async function insistently<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (reason) {
      if (tried === triesMax || !isPassing(reason)) throw reason;
      await sleep(againMs * 2 ** (tried - 1));
    }
  }
}

/** Waits after work until it was no more than `rate` a second. */
function paced(rate: number) {
  let dueMs = performance.now();
  return async (done: number): Promise<void> => {
    if (rate === 0) return;
    dueMs = Math.max(dueMs, performance.now() - 1_000) + (done * 1_000) / rate;
    const aheadMs = dueMs - performance.now();
    if (aheadMs > 0) await sleep(aheadMs);
  };
}
