import type { CallOptions } from "@connectrpc/connect";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { authorTimelines } from "#lib/readmodel/families.ts";
import { sliceOf } from "#lib/readmodel/timeline.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { Candidates } from "./home.ts";
import type { Truth } from "./truth.ts";

const timelineCounts = cacheCounts("author_timeline");

/** What one author made public below a place: from the author's timeline, and from the database where that ends. */
export function authorCandidates({ redis, truth }: { redis: Redis; truth: Truth }) {
  return async (
    authorId: bigint,
    before: bigint | undefined,
    count: number,
    options: CallOptions,
  ): Promise<Candidates> => {
    const pipeline = redis.pipeline();
    if (before === undefined) authorTimelines.readHead(redis, pipeline, authorId, count);
    else authorTimelines.readBelow(redis, pipeline, authorId, before, count);
    const answers = await redis.run(pipeline);
    const { entries, seal } = sliceOf(answers[0]);
    const reached = entries.length < count;
    timelineCounts(seal === undefined ? 0 : 1, seal === undefined ? 1 : 0);
    if (seal !== undefined && (!reached || seal.lowWatermark === 0n)) return { entries, ended: reached };
    const [list] = await truth.activities([authorId], before ?? 0n, count, options);
    return {
      entries: (list?.ids ?? []).map((activityId) => ({ activityId, authorId })),
      ended: list?.complete ?? true,
    };
  };
}
