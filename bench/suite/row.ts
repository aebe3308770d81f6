/** One line of a result. What does not apply to a profile is null. */
export type Row = {
  readonly profile: string;
  readonly envoy: boolean;
  readonly connections: number;
  /** Answers a second that were well, at the limit; of `visible` the rate that was asked; of `inserts` entries a second. */
  readonly rps: number | null;
  /** At half of that, from when a request was due. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** CPU of each kind of process, of an answer. */
  readonly cpuUs: Readonly<Record<string, number>>;
  /** Of the answers a second of a bare Koa with the same page in memory, in the same round. */
  readonly shareOfKoa: number | null;
  /** Of the lookups in everything that is kept beside the truth. */
  readonly hitRate: number | null;
  /** The same page from a bare Koa that is asked as often: what the machine itself is late by. */
  readonly koaP99Ms: number | null;
  /** Of all requests: no success. */
  readonly failed: number;
  /** Of the items looked at. */
  readonly wrong: number;
  readonly missing: number;
  readonly stale: number;
};

export type Result = {
  readonly rows: readonly Row[];
  readonly machine: string;
  readonly commit: string;
};

export function median(of: readonly number[]): number {
  const sorted = of.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

export const digits = (value: number, places: number): number => Number(value.toFixed(places));
