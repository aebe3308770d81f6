import { monitorEventLoopDelay } from "node:perf_hooks";
import { Code } from "@connectrpc/connect";
import { problem } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";
import { counter } from "#lib/mesh/metrics.ts";
import type { Middleware } from "../door/state.ts";

/** How late this process is. */
export type Lateness = { readonly isLate: () => boolean; close(): void };

const shedTotal = counter({
  name: "skein_shed_total",
  help: "Requests refused unread because too many were under way, or fewer while the event loop was late.",
});

/** Requests at once while the event loop keeps up: 10 s of work at 100 a second. */
const inFlightMax = 1_000;
/** Requests at once while it does not: at 1.5 ms of work each, a fifth of a second; most of their time is the services'. */
export const inFlightLateMax = 128;
/** A turn of the event loop that takes longer is felt by everyone. */
const delayMsMax = 100;

/**
 * Watches the event loop's delay. Late is p99 above the limit in two windows running: one long turn (a collection, a
 * neighbour on the machine) is no overload. The histogram forgets the first turn after each reset, so where turns are
 * as long as windows it stays empty; then the window itself is what came late.
 */
export function watchLateness(log: Log, windowMs = 1_000): Lateness {
  const histogram = monitorEventLoopDelay({ resolution: 20 });
  histogram.enable();
  let isLate = false;
  let wasLong = false;
  let beganMs = performance.now();
  const timer = setInterval(() => {
    const overrunMs = performance.now() - beganMs - windowMs;
    beganMs += overrunMs + windowMs;
    const delayMs = Math.max(histogram.percentile(99) / 1e6, overrunMs);
    histogram.reset();
    const isLong = delayMs > delayMsMax;
    if ((isLong && wasLong) !== isLate) {
      isLate = !isLate;
      log.warn(isLate ? "shedding" : "no longer shedding", { delayMs: Math.round(delayMs) });
    }
    wasLong = isLong;
  }, windowMs).unref();
  return {
    isLate: () => isLate,
    close: () => {
      clearInterval(timer);
      histogram.disable();
    },
  };
}

/** The places of this process, shared by all its doors. */
export type Admission = {
  /** Takes a place; call what it answers when the request is done. UNAVAILABLE, `overloaded`, where none is left. */
  enter(): () => void;
};

/** Refuses what cannot be answered in time, before anything of it is read: a cheap no beats a late yes. */
export function createAdmission(
  lateness: Pick<Lateness, "isLate">,
  max = inFlightMax,
  lateMax = inFlightLateMax,
): Admission {
  let inFlight = 0;
  return {
    enter() {
      if (inFlight >= (lateness.isLate() ? lateMax : max)) {
        shedTotal.inc();
        throw problem(Code.Unavailable, "overloaded", "too many requests at once");
      }
      inFlight++;
      return () => {
        inFlight--;
      };
    },
  };
}

/** A place for each request that Koa answers. */
export const shed =
  (admission: Admission): Middleware =>
  async (_ctx, next) => {
    const leave = admission.enter();
    try {
      await next();
    } finally {
      leave();
    }
  };
