import { shards } from "#lib/storage/id.ts";
import { type Redis, redisAway } from "#lib/storage/redis.ts";

/** Who writes what feeds read, each by its relay. */
export type Owner = "graph" | "post" | "like" | "comment";

/**
 * `vouch.<noun>`: by shard, the time (ms of Redis' own clock) up to which everything that its owner committed is in Redis.
 * Owner: the noun's relay, once a second, or more often. Missing: nobody vouches, so Redis is not believed by who just connected.
 */
const keyOf = (redis: Redis, noun: string): string => redis.soleKey(`vouch.${noun}`);

/** Who vouches is back no later than others by more than this: until then they may wait. */
const backMs = 10_000;

/**
 * Vouches for the shards in which nothing is left to be brought to Redis. The time is taken before the look, so whatever was
 * committed by then was seen by it. True where others may wait for it, because Redis was away just now.
 */
export async function vouch(redis: Redis, noun: string, caughtUp: () => Promise<readonly number[]>): Promise<boolean> {
  const since = redis.since();
  const [time] = await redis.run(redis.pipeline().time());
  const [seconds, micros] = time as [number | string, number | string];
  const clean = await caughtUp();
  const ms = Math.floor(Number(seconds) * 1000 + Number(micros) / 1000);
  if (clean.length > 0) {
    await redis.run(redis.pipeline().hset(keyOf(redis, noun), ...clean.flatMap((shard) => [shard, ms])));
  }
  return ms - since < backMs;
}

/**
 * Whether this process may believe what Redis says of some owners' families: not after it was away, until they vouch that
 * they brought in what was committed meanwhile. A server that hung still has what was there before, and no run id tells.
 * The answer rejects as if Redis were still away. Costs nothing once it is believed.
 */
export function trusting(redis: Redis, owners: readonly Owner[]): () => Promise<void> {
  let believedSince: number | undefined;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const since = redis.since();
    const pipeline = redis.pipeline();
    for (const owner of owners) pipeline.hvals(keyOf(redis, owner));
    const vouched = (await redis.run(pipeline)) as string[][];
    if (!vouched.every((times) => times.length === shards && times.every((ms) => Number(ms) > since))) {
      throw redisAway("its owners have not vouched for it since it was away");
    }
    believedSince = since;
  }

  return async () => {
    if (redis.since() === believedSince) return;
    looking ??= look().finally(() => {
      looking = undefined;
    });
    await looking;
  };
}
