import { setTimeout as sleep } from "node:timers/promises";
import { lag, lagOf } from "#lib/readmodel/lag.ts";
import type { Redis } from "#lib/storage/redis.ts";

/** Between two looks. */
const lookMs = 2;
/** A fan-out that takes longer is not waited for. */
const fannedMs = 120_000;

/** Watches the lag: an activity leaves it when its fan-out is finished, which is when it is in every active follower's timeline. */
export function watchFanned(redis: Redis) {
  const waiting = new Map<string, { done: (time: number) => void; sinceMs: number }>();
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      const sentMs = performance.now();
      const [answer] = await redis.run(lag.read(redis, redis.pipeline()));
      const here = new Set(lagOf(answer).map(({ activityId }) => String(activityId)));
      for (const [id, { done, sinceMs }] of waiting) {
        // A look that was sent before the post was answered says nothing of it.
        if ((here.has(id) || sentMs < sinceMs) && performance.now() - sinceMs < fannedMs) continue;
        waiting.delete(id);
        done(performance.now());
      }
      await sleep(lookMs);
    }
  })();
  return {
    /** When it is so, by `performance.now()`. Ask once the post is answered. */
    until: (id: string): Promise<number> =>
      new Promise((done) => waiting.set(id, { done, sinceMs: performance.now() })),
    async stop(): Promise<void> {
      isOver = true;
      await looking;
    },
  };
}
