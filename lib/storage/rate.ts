import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Redis, Script } from "./redis.ts";

/** What somebody may do of one kind: so much a second for good, and so much at once after a rest. */
export type Budget = { readonly perSecond: number; readonly burst: number };

/**
 * GCRA: one number says when the budget is full again (Rigaux, "Cell Rate Algorithm"; ITU-T I.371). Grants as many of
 * the tokens asked for as there are. KEYS: bucket. ARGV: now, ms a token, burst, wanted. Answers tokens, or -(ms to wait).
 */
const grant: Script = {
  lua: `
local now, each, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local free = math.floor((now + burst * each - full) / each + 0.000001)
if free < 1 then return -math.max(1, math.ceil(full + each - burst * each - now)) end
local granted = math.min(free, wanted)
full = full + granted * each
redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil(full - now) + ${60_000})
return granted`,
};

export const rateScripts = [grant];

/** A call to Redis pays for so many requests of a busy subject, where the budget is that large. */
const leaseMax = 20;
/** A lease that is not used up goes stale: what is left of it is lost to its subject. Who reads once a second uses it up. */
const leaseMs = 20_000;
/** A draw waits this long for Redis, and after a failure it is left alone for a while. */
const lendMs = 100;
const awayMs = 1_000;
/** Subjects remembered in this process, about 200 bytes each, long ones under a hash. The least used is asked for again. */
const subjectsMax = 50_000;
const nameMax = 40;

const hashOf = (subject: string): string => hash("sha256", subject, "hex").slice(0, 16);

type Lease = { left: number; untilMs: number; waitUntilMs: number; asking: Promise<void> | undefined };

/**
 * Limits by subject and kind, shared by all replicas: tokens are leased from Redis and spent here. `take` answers
 * undefined, or the milliseconds to wait. Without Redis each process holds its subjects to the same budget by itself.
 */
export function rateLimits<K extends string>(
  redis: Redis | undefined,
  budgets: Readonly<Record<K, Budget>>,
  now: () => number = Date.now,
) {
  const leases = new LRUCache<string, Lease>({ max: subjectsMax });
  /** What this process granted by itself while Redis was away: when each bucket is full again. */
  const alone = new LRUCache<string, number>({ max: subjectsMax });

  let awayUntilMs = 0;

  async function renew(kind: K, subject: bigint, lease: Lease): Promise<void> {
    const budget = budgets[kind];
    const wanted = Math.max(1, Math.min(leaseMax, Math.floor(budget.burst / leaseMax)));
    const isAway = awayUntilMs > now();
    const granted = await (isAway
      ? Promise.reject(new Error("away"))
      : soon(lend(kind, subject, budget, wanted))
    ).catch(() => {
      if (!isAway) awayUntilMs = now() + awayMs;
      return lendAlone(`${kind} ${subject}`, budget, wanted);
    });
    lease.left = Math.max(0, granted);
    lease.untilMs = now() + leaseMs;
    lease.waitUntilMs = granted < 0 ? now() - granted : 0;
  }

  async function lend(kind: K, subject: bigint, { perSecond, burst }: Budget, wanted: number): Promise<number> {
    if (redis === undefined) throw new Error("no Redis");
    const pipeline = redis.pipeline();
    redis.call(pipeline, grant, [redis.key(`rate.${kind}`, subject)], [now(), 1000 / perSecond, burst, wanted]);
    return Number((await redis.run(pipeline))[0]);
  }

  /** The script's arithmetic, in this process. */
  function lendAlone(name: string, { perSecond, burst }: Budget, wanted: number): number {
    const each = 1000 / perSecond;
    const full = Math.max(alone.get(name) ?? 0, now());
    const free = Math.floor((now() + burst * each - full) / each + 1e-6);
    if (free < 1) return -Math.max(1, Math.ceil(full + each - burst * each - now()));
    const granted = Math.min(free, wanted);
    alone.set(name, full + granted * each);
    return granted;
  }

  return {
    /** Spends one token of a subject; where there is none, how many milliseconds until there is. */
    async take(kind: K, subject: string): Promise<number | undefined> {
      const name = subject.length <= nameMax ? `${kind} ${subject}` : `${kind} ${hashOf(subject)}`;
      const known = leases.get(name);
      const lease: Lease = known ?? { left: 0, untilMs: 0, waitUntilMs: 0, asking: undefined };
      if (known === undefined) leases.set(name, lease);
      for (;;) {
        if (lease.left > 0 && lease.untilMs > now()) {
          lease.left--;
          return undefined;
        }
        if (lease.waitUntilMs > now()) return lease.waitUntilMs - now();
        lease.asking ??= renew(kind, BigInt(`0x${hashOf(subject)}`), lease).finally(() => {
          lease.asking = undefined;
        });
        await lease.asking;
      }
    },
  };
}

/** The answer, if it comes in time. What comes later is nobody's: its tokens are lost to their subject. */
async function soon<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error("Redis takes too long")), lendMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
