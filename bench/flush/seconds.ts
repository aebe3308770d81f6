import type { Request } from "../../tools/chaos/load.ts";

/** What became of the requests due in one second; 0 begins with the flush. */
type Second = {
  readonly second: number;
  readonly reads: number;
  readonly readP50Ms: number;
  readonly readP99Ms: number;
  readonly failed: number;
};

type Verdict = {
  /** Median of the p99 of each second before the flush. */
  readonly beforeP99Ms: number;
  /** Seconds after it whose p99 is above five times that. */
  readonly slowSeconds: number;
  /** The greatest p99 of a second, as many times that of before. */
  readonly worstRatio: number;
  readonly failed: number;
  readonly wrong: readonly string[];
  readonly isKept: boolean;
};

const slowRatio = 5;
const slowSecondsMax = 10;

export function secondsOf(
  requests: readonly Request[],
  { flushTime, before, after }: { flushTime: number; before: number; after: number },
): readonly Second[] {
  const bySecond = Map.groupBy(requests, ({ dueTime }) => Math.floor((dueTime - flushTime) / 1_000));
  return Array.from({ length: before + after }, (_, nth) => {
    const second = nth - before;
    const all = bySecond.get(second) ?? [];
    const reads = all.filter(({ isWrite }) => !isWrite).map(({ dueTime, endTime }) => endTime - dueTime);
    const failed = all.filter(({ isFailed }) => isFailed).length;
    return { second, reads: reads.length, readP50Ms: at(reads, 0.5), readP99Ms: at(reads, 0.99), failed };
  });
}

export function verdictOf(seconds: readonly Second[], wrong: readonly string[]): Verdict {
  const ahead = seconds.filter(({ second }) => second < 0);
  const since = seconds.filter(({ second }) => second >= 0);
  // A second has some two dozen reads, so its p99 is its slowest: the like of it before is the median of those.
  const beforeP99Ms = Math.max(
    1,
    at(
      ahead.map(({ readP99Ms }) => readP99Ms),
      0.5,
    ),
  );
  const slowSeconds = since.filter(({ readP99Ms }) => readP99Ms > slowRatio * beforeP99Ms).length;
  const worstRatio = Math.max(...since.map(({ readP99Ms }) => readP99Ms)) / beforeP99Ms;
  const failed = seconds.reduce((sum, one) => sum + one.failed, 0);
  const isKept = wrong.length === 0 && slowSeconds <= slowSecondsMax;
  return { beforeP99Ms, slowSeconds, worstRatio: Math.round(worstRatio * 10) / 10, failed, wrong, isKept };
}

export function tableOf(seconds: readonly Second[], verdict: Verdict): string {
  const lines = seconds.map(({ second, reads, readP50Ms, readP99Ms, failed }) =>
    [second, reads, readP50Ms, readP99Ms, failed].map((value) => String(value).padStart(8)).join(" "),
  );
  const { beforeP99Ms, slowSeconds, worstRatio, failed, wrong } = verdict;
  return [
    "  second    reads   p50 ms   p99 ms   failed",
    ...lines,
    `p99 of a second before ${beforeP99Ms} ms (median); above ${slowRatio} times that for ${slowSeconds} s, at most ${worstRatio} times`,
    `${failed} requests failed; ${wrong.length} feeds wrong`,
    ...wrong,
  ].join("\n");
}

/** Whole milliseconds; 0 of nothing. */
function at(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
}
