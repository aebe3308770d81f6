import type { Log } from "#lib/mesh/log.ts";
import { inTime } from "#lib/mesh/metrics.ts";
import { isRedisAway, redisAway } from "#lib/storage/redis.ts";
import { degradedTotal } from "./degraded-metrics.ts";

/** A few keys are waited for so long, then truth is asked: a slow Redis must leave time for that. */
const readMs = 250;

/** What Redis keeps, where it answers soon; undefined where it is away or slow, counted as `what`. */
export const keptSoon = <T>(what: string, read: () => Promise<T>): Promise<T | undefined> =>
  inTime(readMs, read, () => redisAway(`no answer within ${readMs} ms`)).catch((reason: unknown) => {
    if (!isRedisAway(reason)) throw reason;
    degradedTotal.inc({ what });
    return undefined;
  });

/** An answer from truth waits so long, twice, for Redis to take note of it: a slow Redis must not be worse than none. */
const passingMs = 250;

/**
 * The way an owner reads truth: `begin` marks in Redis that a read is under way and answers how to keep what it finds there;
 * then truth is read, and kept. What Redis fails at, or is slow at, costs the answer half a second and is left out.
 */
export async function inPassing<T, Keep>(
  { log, what }: { readonly log: Log; readonly what: string },
  begin: () => Promise<Keep>,
  truth: () => Promise<T>,
  keepAll: (keep: Keep, found: T) => Promise<void>,
): Promise<T> {
  const keep = await inTime(passingMs, begin).catch(() => undefined);
  const found = await truth();
  if (keep !== undefined) {
    await inTime(passingMs, () => keepAll(keep, found)).catch((reason) =>
      log.warn("not kept in redis", { what, error: reason }),
    );
  }
  return found;
}
