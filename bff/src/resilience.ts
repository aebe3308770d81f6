import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  circuitBreaker,
  handleAll,
  SamplingBreaker,
  wrap,
} from "cockatiel";
import { problem, unavailable } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";
import { gauge } from "#lib/mesh/metrics.ts";

/** Calls to one dependency at once. A slow one may hold this many of our requests, and no more. */
const callsMax = 256;
/** Calls that may wait for a place. */
const queueMax = 64;
/** Open when half of the calls of a window failed, and there were enough of them to tell. */
const breaker = { threshold: 0.5, duration: 10_000, minimumRps: 5 };
/** A first call tries again after this long. */
const halfOpenAfterMs = 1_000;

const breakerOpen = gauge({
  name: "skein_breaker_open",
  help: "1 while calls to a service are not let through because too many failed; 0 while they are.",
  labels: ["dependency"],
});

/**
 * A transport to one dependency that fails fast while the dependency does. Only what says "not reached" or "not in
 * time" counts: a NOT_FOUND is a dependency at work. Nothing is retried (Envoy does) and nothing timed (deadlines do).
 */
export function guard(transport: Transport, name: string, log: Log): Transport {
  const circuit = circuitBreaker(handleAll, {
    breaker: new SamplingBreaker(breaker),
    halfOpenAfter: halfOpenAfterMs,
  });
  const open = breakerOpen.labels(name);
  open.set(0);
  circuit.onStateChange((state) => {
    open.set(state === CircuitState.Closed ? 0 : 1);
    log.warn("circuit", { dependency: name, state: CircuitState[state] });
  });
  const policy = wrap(bulkhead(callsMax, queueMax), circuit);

  const run = async <T>(call: () => Promise<T>): Promise<T> => {
    const outcome = await policy
      .execute(async () => {
        try {
          return { value: await call() };
        } catch (error) {
          if (isFailure(error)) throw error;
          return { error };
        }
      })
      .catch((reason: unknown) => {
        throw refusal(name, reason);
      });
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  };
  return {
    unary: (...call) => run(() => transport.unary(...call)),
    stream: (...call) => run(() => transport.stream(...call)),
  };
}

const isFailure = (error: unknown): boolean =>
  error instanceof ConnectError && (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded);

function refusal(name: string, reason: unknown): unknown {
  if (reason instanceof BulkheadRejectedError) {
    return problem(Code.Unavailable, "overloaded", `${name} has ${callsMax} calls to answer`);
  }
  return reason instanceof BrokenCircuitError ? unavailable(name, reason) : reason;
}
