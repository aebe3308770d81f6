import { unavailable } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";
import { gauge } from "#lib/mesh/metrics.ts";

/** How often a server that somebody waits for is asked whether it lives, and how long it may take: one that hangs is known in 800 ms at most. */
const everyMs = 200;
const lateMs = 600;

const downGauge = gauge({
  name: "skein_store_down",
  help: "1 while calls to a server are refused at once because it does not answer this process; 0 while they are let through.",
  labels: ["store"],
});

/** Whether a server answers this process, and the calls that depend on it. */
export type Pulse = {
  /** Does some work with the server. UNAVAILABLE at once where the server does not answer, also while the work is under way. */
  within<T>(work: () => Promise<T>): Promise<T>;
  /** Whether calls are let through now. */
  up(): boolean;
  close(): void;
};

/**
 * A circuit breaker that needs no failures to open: one small question to a server at a time, so that a server that hangs
 * costs a process one timeout and not one a request (the active probe of Nygard's "Release It!"). While the question is
 * not answered in time or fails, calls fail at once; the first answer lets them through again. `away` is told once each time.
 * With `lapseMs` an answer counts for so long: a process that was stopped meanwhile does not know what it missed. With
 * `restMs` a server that nobody waits for is asked only so often.
 */
export function createPulse({
  store,
  ask,
  away = () => {},
  lapseMs = Number.POSITIVE_INFINITY,
  restMs = 0,
  log,
}: {
  readonly store: string;
  readonly ask: () => Promise<unknown>;
  readonly away?: () => void;
  readonly lapseMs?: number;
  readonly restMs?: number;
  readonly log: Log;
}): Pulse {
  const waiting = new Set<(reason: unknown) => void>();
  const shown = downGauge.labels(store);
  shown.set(0);
  let down: unknown;
  let asking = false;
  let closed = false;
  /** When the last question that was answered was asked. */
  let answeredMs = performance.now();

  function judge(reason: unknown): void {
    if (closed || (reason === undefined) === (down === undefined)) return;
    down = reason;
    shown.set(reason === undefined ? 0 : 1);
    log.warn(reason === undefined ? "store answers again" : "store does not answer", { store, error: reason });
    if (reason === undefined) return;
    for (const fail of waiting) fail(unavailable(store, reason));
    waiting.clear();
    away();
  }

  /** What keeps calls from being let through, if anything does. */
  function hindrance(): unknown {
    const silentMs = performance.now() - answeredMs;
    if (down === undefined && silentMs > lapseMs) judge(new Error(`nothing heard for ${Math.round(silentMs)} ms`));
    return down;
  }

  async function beat(): Promise<void> {
    const askedMs = performance.now();
    asking = true;
    let answered = false;
    const late = setTimeout(() => {
      // What a busy process did not get to read yet is read before this: only then is the server the late one.
      setImmediate(() => answered || judge(new Error(`no answer within ${lateMs} ms`)));
    }, lateMs);
    const reason = await ask().then(
      () => undefined,
      (failure: unknown) => failure ?? new Error("failed"),
    );
    answered = true;
    clearTimeout(late);
    if (reason === undefined) answeredMs = askedMs;
    judge(reason);
    asking = false;
  }
  const isDue = () => waiting.size > 0 || down !== undefined || performance.now() - answeredMs >= restMs;
  const timer = setInterval(() => asking || !isDue() || void beat(), everyMs);

  return {
    within(work) {
      const reason = hindrance();
      if (reason !== undefined) return Promise.reject(unavailable(store, reason));
      return new Promise((resolve, reject) => {
        waiting.add(reject);
        const over = () => waiting.delete(reject);
        work().then(
          (found) => over() && resolve(found),
          (reason) => over() && reject(reason),
        );
      });
    },
    up: () => hindrance() === undefined,
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}
