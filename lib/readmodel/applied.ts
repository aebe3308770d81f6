import { setTimeout as sleep } from "node:timers/promises";
import type { FactRef } from "#lib/mesh/facts.ts";
import { type Redis, redisAway } from "#lib/storage/redis.ts";
import type { Owner } from "./trust.ts";

/** How long a reader may ask after a fact. It outlives every consistency token by a minute. */
const lifeSeconds = 360;
/** Between looks; 300 ms in all, then truth is asked. A relay that works needs some 10. */
const looksMs = [5, 10, 20, 40, 75, 150];

const owners: readonly string[] = ["graph", "post", "like", "comment"] satisfies Owner[];

const keyOf = (redis: Redis, { noun, id }: Pick<FactRef, "noun" | "id">): string => redis.key(`applied.${noun}`, id);

/**
 * `applied.<noun>:<fact>`: everything that a fact changes in Redis is there. Owner: the noun's relay, after it has projected.
 * Missing: nobody knows, so truth is asked.
 */
export async function markApplied(redis: Redis, noun: string, ids: readonly bigint[]): Promise<void> {
  if (ids.length === 0) return;
  const pipeline = redis.pipeline();
  for (const id of ids) pipeline.set(keyOf(redis, { noun, id }), "", "EX", lifeSeconds);
  await redis.run(pipeline);
}

/** Waits until facts are applied, those of nouns that feeds read. Rejects as if Redis were away where they are not in time. */
export async function untilApplied(redis: Redis, facts: readonly FactRef[]): Promise<void> {
  const ours = facts.filter(({ noun }) => owners.includes(noun));
  if (ours.length === 0) return;
  for (let nth = 0; ; nth++) {
    const [found] = await redis.run(redis.pipeline().mget(...ours.map((one) => keyOf(redis, one))));
    if ((found as (string | null)[]).every((value) => value !== null)) return;
    const waitMs = looksMs[nth];
    if (waitMs === undefined) throw redisAway("its read models are older than what the reader has seen");
    await sleep(waitMs);
  }
}
