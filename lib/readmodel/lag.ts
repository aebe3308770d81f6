import { timeOf } from "#lib/storage/id.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { decodeEntry, encodeEntry, type TimelineEntry } from "./timeline.ts";

/** Entries a read merges by itself; where there are more, timelines count only if they were made since (`completeSince`). */
const lagMax = 512;
/** From the making of an activity's id to its place in the lag, at most: the time a create may take, and two clocks. */
const lateMs = 3_000;

/** An import of old posts, or a log that is told again from its start, must not push out what was just posted. */
const ageMaxMs = 600_000;

/**
 * `lag`: activities that are public and not yet in every follower's timeline, by time. The post service adds one with
 * the post, before it answers; feed takes it away when its fan-out is finished. Reads merge what concerns their viewer,
 * so a slow fan-out is a longer read and never a missing post. Lost with Redis: timelines are rebuilt from truth then.
 */
export const lag = {
  add(
    redis: Redis,
    pipeline: ReturnType<Redis["pipeline"]>,
    entries: readonly TimelineEntry[],
    nowMs = Date.now(),
  ): void {
    const fresh = entries.filter(({ activityId }) => timeOf(activityId) >= nowMs - ageMaxMs);
    if (fresh.length === 0) return;
    pipeline.zadd(redis.soleKey("lag"), "NX", ...fresh.flatMap((entry) => [nowMs, encodeEntry(entry)]));
  },

  remove(redis: Redis, pipeline: ReturnType<Redis["pipeline"]>, entries: readonly TimelineEntry[]): void {
    pipeline.zrem(redis.soleKey("lag"), ...entries.map(encodeEntry));
  },

  /** The newest entries; `lagOf` reads the answer. */
  read: (redis: Redis, pipeline: ReturnType<Redis["pipeline"]>) =>
    pipeline.zrevrangeBuffer(redis.soleKey("lag"), 0, lagMax - 1),

  /** Since when an entry is here; `sinceOf` reads the answer. */
  since: (redis: Redis, pipeline: ReturnType<Redis["pipeline"]>, entry: TimelineEntry) =>
    pipeline.zscore(redis.soleKey("lag"), encodeEntry(entry)),

  /** How many there are, and since when the oldest is here. */
  async size(redis: Redis): Promise<{ entries: number; oldestMs: number | undefined }> {
    const key = redis.soleKey("lag");
    const [entries, oldest] = await redis.run(redis.pipeline().zcard(key).zrange(key, "0", "0", "WITHSCORES"));
    const score = (oldest as string[])[1];
    return { entries: Number(entries), oldestMs: score === undefined ? undefined : Number(score) };
  },

  /** Entries that have been here since before a moment, oldest first: forgotten ones. */
  async olderThan(redis: Redis, timeMs: number, limit: number): Promise<TimelineEntry[]> {
    const pipeline = redis.pipeline().zrangebyscoreBuffer(redis.soleKey("lag"), 0, timeMs, "LIMIT", 0, limit);
    return lagOf((await redis.run(pipeline))[0]);
  },
};

export const lagOf = (answer: unknown): TimelineEntry[] =>
  ((answer as Buffer[] | null) ?? []).map((bytes) => decodeEntry(bytes));

/**
 * Since when the entries of a read are all there are (ms): what a timeline made before that lacks may be missing in both. 0 where
 * the whole lag was read.
 */
export function completeSince(entries: readonly TimelineEntry[]): number {
  const last = entries.length < lagMax ? undefined : entries.at(-1);
  return last === undefined ? 0 : timeOf(last.activityId) + lateMs;
}

/** Epoch milliseconds; undefined where it is not in the lag. */
export const sinceOf = (answer: unknown): number | undefined => (answer === null ? undefined : Number(answer));
