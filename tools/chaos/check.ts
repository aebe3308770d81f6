import { setTimeout as sleep } from "node:timers/promises";
import type { Person } from "../../tests/support/person.ts";
import { openOracle } from "../oracle.ts";
import { checkAcknowledged } from "./check/acknowledged.ts";
import { behindOf } from "./check/behind.ts";
import { checkDrafts } from "./check/drafts.ts";
import { checkEffects } from "./check/effects.ts";
import { checkFacts } from "./check/facts.ts";
import { checkPolls } from "./check/polls.ts";
import { checkReadModels, openReadModels } from "./check/read-models.ts";
import { shownChecker } from "./check/shown.ts";
import { type Finding, openTruth } from "./check/truth.ts";
import { readJournal } from "./journal.ts";
import type { Target } from "./target.ts";

export type { Finding } from "./check/truth.ts";

/** A system that is not equal to its truth by then does not become so. */
const convergeMs = 60_000;
const lookAgainMs = 100;

export type Verdict = {
  readonly findings: readonly Finding[];
  /** From the call to the first look that found nothing wrong; undefined where there was none within a minute. */
  readonly convergedSeconds: number | undefined;
};

/** Looks until nothing is wrong, or a minute is over; then what is still wrong is the verdict. */
export async function untilConverged(target: Target, journalFile: string, people: readonly Person[]): Promise<Verdict> {
  const began = Date.now();
  const checker = await openChecker(target, journalFile, people);
  try {
    for (;;) {
      const findings = await checker
        .look()
        .catch((reason): Finding[] => [{ kind: "stale", text: `cannot be checked: ${reason}` }]);
      const took = Date.now() - began;
      if (findings.length === 0) return { findings, convergedSeconds: took / 1_000 };
      if (took > convergeMs) return { findings, convergedSeconds: undefined };
      await sleep(lookAgainMs);
    }
  } finally {
    await checker.close();
  }
}

/** Holds a journal, MySQL, the facts, their effects and the read models to each other; right only while nobody writes. */
export async function openChecker({ urls, deployment, edges }: Target, journalFile: string, people: readonly Person[]) {
  const truth = openTruth({ url: urls.mysqlUrl, deployment });
  const oracle = openOracle({ url: urls.mysqlUrl, deployment });
  const checkShown = shownChecker({ door: edges[0] ?? "", people, truth });
  const close = async () => void (await Promise.all([truth.close(), oracle.close()]));
  return {
    /** Everything that is wrong now; what is still on its way hides the rest. */
    async look(): Promise<Finding[]> {
      const behind = await behindOf(truth);
      if (behind !== undefined) return [{ kind: "stale", text: `not caught up: ${behind}` }];
      // Opened each time: a server that was restarted meanwhile has other keys.
      const redis = await openReadModels({ url: urls.redisUrl, deployment });
      try {
        const journal = readJournal(journalFile);
        return [
          ...(await checkAcknowledged(journal, truth)),
          ...(await checkDrafts(journal, truth)),
          ...(await checkPolls(journal, truth)),
          ...(await checkShown(journal)),
          ...(await checkFacts(truth)),
          ...(await checkEffects(truth)),
          ...(await checkReadModels({ truth, oracle, redis, people })),
        ];
      } finally {
        redis.close();
      }
    },
    close,
  };
}
