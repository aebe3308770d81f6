import { counter } from "./metrics.ts";

type Tally = { readonly hit: number; readonly miss: number };

/** Added up here and shown at each scrape: a feed read looks into nine caches, and a number costs next to nothing. */
const tallies = new Map<string, { hit: number; miss: number; shown: Tally }>();

counter({
  name: "skein_cache_total",
  help: "Lookups in what is kept beside the truth, in memory or in Redis: hit, or miss, which the owner of the truth answers (for near: Redis).",
  labels: ["cache", "result"],
  collect(total) {
    for (const [cache, tally] of tallies) {
      const { hit, miss, shown } = tally;
      total.inc({ cache, result: "hit" }, hit - shown.hit);
      total.inc({ cache, result: "miss" }, miss - shown.miss);
      tally.shown = { hit, miss };
    }
  },
});

/** Counts the lookups of one cache. */
export function cacheCounts(cache: string): (hits: number, misses: number) => void {
  const tally = tallies.get(cache) ?? { hit: 0, miss: 0, shown: { hit: 0, miss: 0 } };
  tallies.set(cache, tally);
  return (hits, misses) => {
    tally.hit += hits;
    tally.miss += misses;
  };
}
