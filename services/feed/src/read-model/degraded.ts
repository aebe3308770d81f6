import { encodeFacts, type FactRef } from "#lib/mesh/facts.ts";
import { turnstile } from "#lib/mesh/turnstile.ts";
import { degradedTotal } from "#lib/readmodel/degraded-metrics.ts";
import { isRedisAway } from "#lib/storage/redis.ts";

/** Reads from truth at once: each is up to six calls, some of them long. More wait, and beyond those they are refused. */
const readsMax = 16;
const waitingMax = 64;

/** A page: what is read, for whom, and facts that it must not be older than. */
type Asked = {
  readonly what: "home" | "author" | "pinned" | "listed";
  readonly page: string;
  readonly after: readonly FactRef[];
};

type Needs = {
  /** Rejects while Redis may not be believed. */
  readonly trusted: () => Promise<void>;
  /** Rejects where Redis does not come to hold some facts in time. */
  readonly applied: (after: readonly FactRef[]) => Promise<void>;
};

/**
 * Answers from truth while Redis is away, or behind what the reader has seen; bounded, so that the databases carry it: one read
 * at a time for the same page of the same viewer, and so many in all. Beyond that UNAVAILABLE, `overloaded`.
 */
export function degradedReads({ trusted, applied }: Needs) {
  const flights = new Map<string, Promise<unknown>>();
  const atOnce = turnstile({
    insideMax: readsMax,
    outsideMax: waitingMax,
    what: "feeds from truth",
    refused: () => degradedTotal.inc({ what: "refused" }),
  });

  async function fromTruth<T>({ what, page, after }: Asked, read: () => Promise<T>): Promise<T> {
    const name = `${what} ${page} ${encodeFacts(after)}`;
    const under = flights.get(name);
    // It may have read truth before what this read must see; one that begins from here on may be shared.
    if (under !== undefined) await under.catch(() => {});
    const begun = flights.get(name) as Promise<T> | undefined;
    const flight = begun ?? atOnce(read).finally(() => flights.delete(name));
    flights.set(name, flight);
    const found = await flight;
    degradedTotal.inc({ what });
    return found;
  }

  return {
    /** What `usual` reads with Redis, or what `truth` does without one that may be trusted. */
    async either<T>(
      asked: Asked,
      usual: () => Promise<T>,
      truth: () => Promise<T>,
    ): Promise<T & { readonly fromTruth: boolean }> {
      try {
        await trusted();
        if (asked.after.length > 0) await applied(asked.after);
        return { ...(await usual()), fromTruth: false };
      } catch (reason) {
        if (!isRedisAway(reason)) throw reason;
        return { ...(await fromTruth(asked, truth)), fromTruth: true };
      }
    },
  };
}
