import type { Redis } from "#lib/storage/redis.ts";

/**
 * `place.<noun>`: how far each consumer of a noun's facts is, by consumer and shard. A relay that begins a new
 * incarnation begins it at the lowest. Lost with Redis: then from the start, which is slow and right.
 */
export const places = {
  async tell(redis: Redis, noun: string, consumer: string, positions: ReadonlyMap<number, bigint>): Promise<void> {
    if (positions.size === 0) return;
    const fields = [...positions].flatMap(([shard, position]) => [`${consumer}:${shard}`, String(position)]);
    await redis.run(redis.pipeline().hset(redis.soleKey(`place.${noun}`), ...fields));
  },

  async lowest(redis: Redis, noun: string): Promise<ReadonlyMap<number, bigint>> {
    const [all] = await redis.run(redis.pipeline().hgetall(redis.soleKey(`place.${noun}`)));
    const lowest = new Map<number, bigint>();
    for (const [field, text] of Object.entries((all as Record<string, string> | null) ?? {})) {
      const shard = Number(field.slice(field.lastIndexOf(":") + 1));
      const position = BigInt(text);
      if (position < (lowest.get(shard) ?? position + 1n)) lowest.set(shard, position);
    }
    return lowest;
  },
};
