import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { type Finding, openChecker } from "../tools/chaos/check.ts";
import type { Fault } from "../tools/chaos/faults.ts";
import { isPassed, reportOf, resultOf } from "../tools/chaos/report.ts";
import { type Run, runChaos } from "../tools/chaos/run.ts";
import { startTarget, type Target } from "../tools/chaos/target.ts";
import { createProgress } from "../tools/progress.ts";
import { doubleLike, dropPostEvent, loseRow, reorderLike, staleCard } from "./support/planted.ts";

/** Two cores carry it with a test beside. */
const rate = 20;
/** One fault of each kind; those of `npm run chaos` are of chance. */
const faults: readonly Fault[] = [
  { kind: "kill", victim: "post-1", how: "", isOnlyCopy: false },
  { kind: "freeze", victim: "bff-2", how: "", isOnlyCopy: false },
  { kind: "loss", victim: "redis", how: "flushed", isOnlyCopy: true },
  { kind: "loss", victim: "nats", how: "deleted", isOnlyCopy: true },
];

const place = mkdtempSync(path.join(tmpdir(), "skein-journal-"));
const journalFile = path.join(place, "journal.jsonl");
const quiet = { write: () => undefined };
let target: Target;
let run: Run;
before(
  async () => {
    target = await startTarget({ replicas: "post=2,feed=2,bff=2,edge=2", say: () => undefined });
  },
  { timeout: 180_000 },
);
after(async () => {
  await target.stop(false);
  rmSync(place, { recursive: true, force: true });
});

test("a round of faults loses, doubles and reorders nothing, and everything becomes equal to the truth", {
  timeout: 240_000,
}, async () => {
  const progress = createProgress({ stream: quiet });
  const sizes = { rounds: 1, rate, seed: "1", people: 4, freezeMs: 2_000, settleMs: 500, warmUpMs: 500 };
  run = await runChaos({ ...sizes, target, journalFile, progress, faults });
  const result = resultOf(run, { rounds: 1, seed: "1" });
  assert.ok(isPassed(result), reportOf(run, result));
  assert.ok(result.acknowledged > 0);
});

/** Plants something wrong and waits until the checker names it. */
async function isNamed(plant: (target: Target, run: Run) => Promise<Finding>): Promise<void> {
  const checker = await openChecker(target, journalFile, run.people);
  try {
    const wanted = await plant(target, run);
    let found: readonly Finding[] = [];
    await until(`the checker says: ${wanted.kind}: ${wanted.text}`, async () => {
      found = await checker.look();
      return found.some(({ kind, text }) => kind === wanted.kind && text === wanted.text);
    });
  } finally {
    await checker.close();
  }
}

for (const [what, plant] of [
  ["a card that is older than its post", staleCard],
  ["an event told twice", doubleLike],
  ["an event told before an older one", reorderLike],
  ["an event that the stream dropped", dropPostEvent],
  ["an acknowledged row that is gone", loseRow],
] as const) {
  test(`the checker names ${what}`, { timeout: 60_000 }, () => isNamed(plant));
}
