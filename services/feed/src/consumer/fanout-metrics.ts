import type { Leases } from "#lib/events/lease.ts";
import { gauge, histogram } from "#lib/mesh/metrics.ts";
import { lag } from "#lib/readmodel/lag.ts";
import { timeOf } from "#lib/storage/id.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { FanoutTask, FeedStore } from "../store.ts";

/** A fan-out of a few hundred followers takes milliseconds, one of a million takes minutes. */
const buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
/** Older activities were imported: their time says nothing of how soon they came. */
const importedAfterMs = 600_000;

const seconds = histogram({
  name: "skein_fanout_seconds",
  help: "From the making of an activity's id to its place in the last follower's timeline; imports are left out.",
  buckets,
});

/** Measures the ends of fan-outs as they come, and how many are open at each scrape. */
export function fanoutMetrics({ redis, store, leases }: { redis: Redis; store: FeedStore; leases: Leases }) {
  gauge({
    name: "skein_fanout_tasks",
    help: "Fan-outs of this process's shards that have not ended; at most 10,000 are counted.",
    collect: async (shown) => shown.set(await store.countTasks(leases.held())),
  });
  gauge({
    name: "skein_lag_entries",
    help: "Activities of the whole deployment that reads merge by themselves until their fan-out has ended.",
    collect: async (shown) => shown.set((await lag.size(redis)).entries),
  });
  gauge({
    name: "skein_fanout_oldest_seconds",
    help: "How long the oldest activity of the whole deployment has waited for the end of its fan-out; 0 where none waits.",
    collect: async (shown) => {
      const { oldestMs } = await lag.size(redis);
      shown.set(oldestMs === undefined ? 0 : Math.max(0, Date.now() - oldestMs) / 1000);
    },
  });
  return {
    pushed(tasks: readonly FanoutTask[]): void {
      for (const { activityId } of tasks) {
        const tookMs = Date.now() - timeOf(activityId);
        if (tookMs < importedAfterMs) seconds.observe(Math.max(0, tookMs) / 1000);
      }
    },
  };
}
