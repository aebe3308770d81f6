import { whole } from "../progress.ts";
import type { Finding } from "./check.ts";
import type { Run } from "./run.ts";
import { reasonsOf, rowsOf, type Tally, tallies } from "./windows.ts";

/** What `--json` says, and nothing more. A share nothing was measured for is null. */
export type Result = {
  readonly rounds: number;
  readonly seed: string;
  readonly acknowledged: number;
  readonly lost: number;
  readonly doubled: number;
  readonly orderBreaks: number;
  /** From the last answer to the first look that found everything equal; null where that never came. */
  readonly convergedSeconds: number | null;
  /** Outside the windows in which an only copy was away, slow or emptied. */
  readonly readsFailedShare: number | null;
  /** While one of several replicas was dead or frozen. */
  readonly readsFailedOneReplicaShare: number | null;
  /** While Redis or NATS was stopped, cut off or emptied. */
  readonly writesAcceptedShare: number | null;
  /** What the client and both Envoys sent, by request. */
  readonly attemptsPerRequest: number;
  readonly memoryRatio: number;
};

const findingsShownMax = 20;

export function resultOf(run: Run, { rounds, seed }: { rounds: number; seed: string }): Result {
  const { reads, readsOneReplica, writesReadSide } = tallies(run.requests, run.windows);
  const count = (kind: Finding["kind"]) => run.findings.filter((finding) => finding.kind === kind).length;
  const sent = run.requests.reduce((sum, one) => sum + one.sent, 0);
  const accepted = shareOf(writesReadSide);
  return {
    rounds,
    seed,
    acknowledged: run.journal.filter((entry) => !("isAcknowledged" in entry) || entry.isAcknowledged).length,
    lost: count("lost"),
    doubled: count("doubled"),
    orderBreaks: count("order"),
    convergedSeconds: run.convergedSeconds ?? null,
    readsFailedShare: shareOf(reads),
    readsFailedOneReplicaShare: shareOf(readsOneReplica),
    writesAcceptedShare: accepted === null ? null : rounded(1 - accepted),
    attemptsPerRequest: rounded((sent + run.retries) / Math.max(1, run.requests.length)),
    memoryRatio: rounded(run.memoryRatio),
  };
}

export const isPassed = ({ lost, doubled, orderBreaks, convergedSeconds }: Result): boolean =>
  lost + doubled + orderBreaks === 0 && convergedSeconds !== null;

const shareOf = ({ requests, failed }: Tally): number | null => (requests === 0 ? null : rounded(failed / requests));
const rounded = (value: number): number => Math.round(value * 1e5) / 1e5;

/** A table of the faults, what clients saw in each, and what the checker found. */
export function reportOf(run: Run, result: Result): string {
  const { reads, writes } = tallies(run.requests, run.windows);
  const said = ({ requests, failed }: Tally) => `${whole(failed)} of ${whole(requests)}`;
  const rows = rowsOf(run.requests, run.windows).map(({ title, count, isOnlyCopy, backSeconds, ...seen }) =>
    [
      `| ${title} | ${count} | ${isOnlyCopy ? "yes" : ""} | ${backSeconds.toFixed(1)} s | ${said(seen.reads)} | ${said(seen.writes)} |`,
      ...seen.reasons.map((reason) => `    ${reason}`),
    ].join("\n"),
  );
  const outside = run.requests.filter(
    (one) => !run.windows.some(({ startTime, endTime }) => one.dueTime <= endTime && one.endTime >= startTime),
  );
  return [
    "| fault | times | only copy | well again after (longest) | reads failed | writes failed |",
    "|---|---|---|---|---|---|",
    ...rows,
    "",
    `outside the windows of only copies: ${said(reads)} reads and ${said(writes)} writes failed`,
    ...reasonsOf(outside).map((reason) => `    outside all windows: ${reason}`),
    ...Object.entries(result).map(([name, value]) => `${name}: ${value}`),
    ...run.findings.slice(0, findingsShownMax).map(({ kind, text }) => `${kind}: ${text}`),
    ...(run.findings.length > findingsShownMax ? [`… and ${run.findings.length - findingsShownMax} more`] : []),
  ].join("\n");
}
