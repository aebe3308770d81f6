import type { Leases } from "#lib/events/lease.ts";
import type { Log } from "#lib/mesh/log.ts";
import { lag } from "#lib/readmodel/lag.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { FanoutTask, FeedStore } from "../store.ts";
import { fanoutMetrics } from "./fanout-metrics.ts";

type Needs = { readonly redis: Redis; readonly store: FeedStore; readonly leases: Leases; readonly log: Log };

/**
 * Ends fan-outs: their tasks, then their entries in the lag; together where several were finished meanwhile. What fails is left in
 * the database, and found by the next sweep. `ended` hears of them either way.
 */
export function endings({ redis, store, leases, log }: Needs, ended: (tasks: readonly FanoutTask[]) => void) {
  const measured = fanoutMetrics({ redis, store, leases });
  let done: (FanoutTask & { readonly endMs: number })[] = [];
  let flushing = false;

  function flush(): void {
    if (flushing || done.length === 0) return;
    flushing = true;
    const ending = done;
    done = [];
    finish(ending)
      .catch((reason) => log.warn("fan-outs not ended", { count: ending.length, error: reason }))
      .finally(() => {
        flushing = false;
        ended(ending);
        flush();
      });
  }

  async function finish(tasks: typeof done): Promise<void> {
    measured.pushed(tasks);
    await store.finish(tasks);
    const pipeline = redis.pipeline();
    lag.remove(redis, pipeline, tasks);
    await redis.run(pipeline);
  }

  return (task: FanoutTask): void => {
    done.push({ ...task, endMs: Date.now() });
    setImmediate(flush);
  };
}
