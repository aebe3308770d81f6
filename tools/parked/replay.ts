import { setTimeout as sleep } from "node:timers/promises";
import type { Progress } from "../progress.ts";
import { LaunchFailure } from "../servers/failure.ts";
import type { Aggregate, ParkedStore } from "./store.ts";

export type Replayed = {
  readonly replayed: number;
  /** Those that failed again, with their new reason. */
  readonly failed: readonly (Aggregate & { readonly reason: string })[];
};

/** Aggregates that are marked and not yet replayed, at most: what is marked runs on when this command ends. */
const waitingMax = 200;
const lookEachMs = 50;
/** Nothing moves for this long: no consumer of the stream runs. */
const stuckMs = 15_000;

/**
 * Has consumers replay aggregates, `rate` a second at most, and waits for each. Begun again after it was broken off, it
 * finds those that are still parked.
 */
export async function replayAll({
  store,
  aggregates,
  rate,
  progress,
}: {
  store: ParkedStore;
  aggregates: readonly Aggregate[];
  rate: number;
  progress: Progress;
}): Promise<Replayed> {
  const failed: (Aggregate & { reason: string })[] = [];
  let waiting: Aggregate[] = [];
  let replayed = 0;
  let next = 0;
  const startMs = performance.now();
  let movedMs = startMs;
  while (next < aggregates.length || waiting.length > 0) {
    const due = Math.min(aggregates.length, 1 + Math.floor(((performance.now() - startMs) * rate) / 1_000));
    while (next < due && waiting.length < waitingMax) {
      const aggregate = aggregates[next++] as Aggregate;
      await store.mark(aggregate);
      waiting.push(aggregate);
    }
    const looks = await Promise.all(waiting.map((aggregate) => store.look(aggregate)));
    const before = waiting.length;
    for (const [nth, { left, waits, reason }] of looks.entries()) {
      if (left === 0) replayed++;
      else if (!waits) failed.push({ ...(waiting[nth] as Aggregate), reason });
    }
    waiting = waiting.filter((_, nth) => looks[nth]?.waits === true);
    if (waiting.length < before || before === 0) movedMs = performance.now();
    if (performance.now() - movedMs > stuckMs) {
      throw new LaunchFailure(`nobody replays: does the consumer run? ${waiting.length} aggregates stay marked for it`);
    }
    progress.update({ what: "aggregates", done: replayed + failed.length, total: aggregates.length });
    await sleep(lookEachMs);
  }
  return { replayed, failed };
}
