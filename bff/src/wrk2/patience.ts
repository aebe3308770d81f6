import { Code, ConnectError } from "@connectrpc/connect";
import { turnstile } from "#lib/mesh/turnstile.ts";

/** Writes at work at once; the loader keeps 200 connections busy, and tries nothing twice. */
const atOnceMax = 32;
const waitingMax = 10_000;
/** A write is tried again for so long; the edge gives these paths a minute. */
const patienceMs = 45_000;
const againMs = 250;

/** What one who has time waits for: a queue that is full, a store that is away for a moment, a try that was late. */
const passing: ReadonlySet<Code> = new Set([Code.Unavailable, Code.ResourceExhausted, Code.DeadlineExceeded]);

/** Does writes a few at a time, and again where they find no room: each of them may be done twice. */
export function patient() {
  const enter = turnstile({ insideMax: atOnceMax, outsideMax: waitingMax, what: "writes of the load test" });
  return <T>(write: () => Promise<T>): Promise<T> => {
    const untilMs = Date.now() + patienceMs;
    return enter(async () => {
      for (;;) {
        try {
          return await write();
        } catch (reason) {
          const isPassing = reason instanceof ConnectError && passing.has(reason.code);
          if (!isPassing || Date.now() + againMs > untilMs) throw reason;
          await new Promise((done) => setTimeout(done, againMs));
        }
      }
    });
  };
}
