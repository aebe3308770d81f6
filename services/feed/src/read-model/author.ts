import type { CallOptions } from "@connectrpc/connect";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { authorTimelines } from "#lib/readmodel/families.ts";
import { sliceOf } from "#lib/readmodel/timeline.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { Candidates } from "./home.ts";
import type { Truth } from "./truth.ts";

const timelineCounts = cacheCounts("author_timeline");

type Needs = { readonly redis: Redis; readonly truth: Truth };

/** What one author made public below a place: from the author's timeline, and from the database where that ends. */
export function authorCandidates(needs: Needs) {
  return async (
    authorId: bigint,
    before: bigint | undefined,
    count: number,
    options: CallOptions,
  ): Promise<Candidates> => {
    const [found] = await authorsCandidates(needs, [authorId], before, count, options);
    return found as Candidates;
  };
}

/** What some authors made public just above a place, in their order: from their timelines, and from the database below those. */
export async function authorsAbove(
  { redis, truth }: Needs,
  authorIds: readonly bigint[],
  after: bigint,
  count: number,
  options: CallOptions,
): Promise<Candidates[]> {
  if (authorIds.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const authorId of authorIds) authorTimelines.readAbove(redis, pipeline, authorId, after, count);
  const slices = (await redis.run(pipeline)).map(sliceOf);
  const missingCount = slices.filter(({ seal }) => seal === undefined).length;
  timelineCounts(slices.length - missingCount, missingCount);
  const isWhole = (nth: number) => after >= (slices[nth]?.seal?.lowWatermark ?? after + 1n);
  const asked = authorIds.filter((_, nth) => !isWhole(nth));
  const lists = await truth.activitiesAbove(asked, after, count, options);
  return authorIds.map((authorId, nth) => {
    if (isWhole(nth)) return nearestOf(slices[nth]?.entries ?? [], count);
    const { ids = [] } = lists[asked.indexOf(authorId)] ?? {};
    return nearestOf(
      ids.map((activityId) => ({ activityId, authorId })),
      count,
    );
  });
}

const nearestOf = (newestFirst: Candidates["entries"], count: number): Candidates => ({
  entries: newestFirst.toReversed(),
  ended: newestFirst.length < count,
});

/** The same of several authors, in their order: one round trip, and one batch of calls for those whose timeline ends. */
export async function authorsCandidates(
  { redis, truth }: Needs,
  authorIds: readonly bigint[],
  before: bigint | undefined,
  count: number,
  options: CallOptions,
): Promise<Candidates[]> {
  if (authorIds.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const authorId of authorIds) {
    if (before === undefined) authorTimelines.readHead(redis, pipeline, authorId, count);
    else authorTimelines.readBelow(redis, pipeline, authorId, before, count);
  }
  const slices = (await redis.run(pipeline)).map(sliceOf);
  const missingCount = slices.filter(({ seal }) => seal === undefined).length;
  timelineCounts(slices.length - missingCount, missingCount);
  const isWhole = (nth: number) => {
    const { entries, seal } = slices[nth] as (typeof slices)[number];
    return seal !== undefined && (entries.length >= count || seal.lowWatermark === 0n);
  };
  const asked = authorIds.filter((_, nth) => !isWhole(nth));
  const lists = await truth.activities(asked, before ?? 0n, count, options);
  return authorIds.map((authorId, nth) => {
    const entries = slices[nth]?.entries ?? [];
    if (isWhole(nth)) return { entries, ended: entries.length < count };
    const list = lists[asked.indexOf(authorId)];
    return {
      entries: (list?.ids ?? []).map((activityId) => ({ activityId, authorId })),
      ended: list?.complete ?? true,
    };
  });
}
