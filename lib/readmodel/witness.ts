import type { Call } from "#lib/mesh/call.ts";
import type { Log } from "#lib/mesh/log.ts";
import { isRedisAway, type Redis, redisAway } from "#lib/storage/redis.ts";
import { degradedTotal } from "./degraded-metrics.ts";

/** A question to every process of the deployment: what each says within a time, or until one says `enough`. */
type Poll = {
  answer(say: () => string): void;
  ask(waitMs: number, enough: string): Promise<readonly string[]>;
};

/** Everyone has so long to say that Redis answers them. */
const askMs = 250;
/** That nobody said so counts for so long, and only for whether to begin a change. */
const keptMs = 500;
/** Others may notice that Redis hangs so much later than this process did, and speak for it until then. */
const beginMs = 400;
/** This process may be back so much later than others; beyond, the call is better off with another replica. */
const endMs = 1_000;
const againMs = 50;
/** Left of a deadline, so that UNAVAILABLE is heard, which is tried elsewhere. */
const spareMs = 200;

const [reaches, lacks] = ["reaches", "lacks"] as const;

/**
 * No answer before readers can obey it, also while Redis does not answer the writer. Every process that reads Redis says,
 * where it is asked, whether Redis answers it. If it answers nobody, nobody reads what the writer could not change: whoever
 * reaches Redis later was without it, and believes it only after its owners vouched since (`trusting`), which they cannot
 * while something is committed and not brought there.
 */
export type Witness = {
  /** Before a change: UNAVAILABLE where Redis answers others and not this process, so another replica may make it. */
  mustReachReaders(): Promise<void>;
  /**
   * After its commit, before its answer: applies it, or makes sure that nobody can read what it replaced. `apply` may run
   * several times. UNAVAILABLE where others may read it; the change stands, and may be asked for again.
   */
  obeyed(apply: () => Promise<void>, call?: Call): Promise<void>;
};

export function witness({ redis, poll, log }: { redis: Redis; poll: Poll; log: Log }): Witness {
  poll.answer(() => (redis.reached() ? reaches : lacks));
  let nobodyMs = Number.NEGATIVE_INFINITY;

  /** One question at a time; it begins after the call, so it is about everything that the caller did before. */
  const nobodyReaches = afresh(async () => {
    const answers = await poll.ask(askMs, reaches);
    const isNobody = !answers.includes(reaches);
    if (isNobody) nobodyMs = performance.now();
    return isNobody;
  });

  return {
    async mustReachReaders() {
      const untilMs = performance.now() + beginMs;
      for (;;) {
        if (redis.reached() || performance.now() - nobodyMs < keptMs || (await nobodyReaches())) return;
        if (performance.now() > untilMs) throw redisAway("others reach it");
        await pause();
      }
    },

    async obeyed(apply, call) {
      // It is committed: what has no time left is applied all the same, once.
      const leftMs = call === undefined ? endMs : Math.min(endMs, call.deadline - Date.now() - spareMs);
      const untilMs = performance.now() + leftMs;
      for (;;) {
        try {
          return await apply();
        } catch (reason) {
          if (!isRedisAway(reason)) throw reason;
          if (await nobodyReaches()) {
            degradedTotal.inc({ what: "unapplied" });
            log.debug("nobody reaches redis: left to the relay");
            return;
          }
          if (performance.now() > untilMs) throw reason;
          await pause();
        }
      }
    },
  };
}

const pause = () => new Promise((done) => setTimeout(done, againMs));

/** Callers share a run of `work`, but only one that begins after they asked for it. */
function afresh<T>(work: () => Promise<T>): () => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  return () => {
    next ??= last.then(() => {
      next = undefined;
      const run = work();
      last = run.catch(() => {});
      return run;
    });
    return next;
  };
}
