import type { CallOptions } from "@connectrpc/connect";
import { authorTimelines } from "#lib/readmodel/families.ts";
import { entriesMax, type Slice, sliceOf, type TimelineEntry } from "#lib/readmodel/timeline.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { Truth } from "./truth.ts";

/** Authors' lists merged: newest first, complete down to the low watermark (0: all there is). */
export type Merged = { readonly entries: readonly TimelineEntry[]; readonly lowWatermark: bigint };

/** What is known of one author: nothing older than the last id is, unless the list is complete. */
type Known = { readonly authorId: bigint; readonly ids: readonly bigint[]; readonly floor: bigint };

/** Enough for a few pages; a merge that reaches it does not ask deeper. */
const enough = 200;
const depthMin = 8;
const depthMax = 200;
/** Prolific authors are asked deeper this often. */
const roundsMax = 3;

/**
 * Merges what some authors made public: a few entries of each from their timelines (missing ones from truth), then more
 * of those who write so much that their few do not reach deep enough.
 */
export async function mergeAuthors(
  needs: { redis: Redis; truth: Truth },
  authorIds: readonly bigint[],
  options: CallOptions,
): Promise<Merged> {
  let depth = Math.min(depthMax, Math.max(depthMin, Math.ceil((2 * entriesMax) / authorIds.length)));
  let known = await firstOf(needs, authorIds, depth, options);
  for (let round = 1; ; round++) {
    const merged = cut(known);
    if (merged.entries.length >= enough || merged.lowWatermark === 0n || round === roundsMax) return merged;
    depth = Math.min(entriesMax, depth * 4);
    known = await deepened(needs.truth, known, merged.lowWatermark, depth, options);
  }
}

async function firstOf(
  { redis, truth }: { redis: Redis; truth: Truth },
  authorIds: readonly bigint[],
  depth: number,
  options: CallOptions,
): Promise<Known[]> {
  const pipeline = redis.pipeline();
  for (const authorId of authorIds) authorTimelines.readHead(redis, pipeline, authorId, depth);
  const answers = await redis.run(pipeline);
  const slices = authorIds.map((_, nth) => sliceOf(answers[nth]));
  const missing = authorIds.filter((_, nth) => slices[nth]?.seal === undefined);
  const asked = await truth.activities(missing, 0n, depth, options);
  const lists = new Map(missing.map((authorId, nth) => [authorId, asked[nth]]));
  return authorIds.map((authorId, nth) => {
    const list = lists.get(authorId);
    if (list !== undefined) return { authorId, ids: list.ids, floor: list.complete ? 0n : (list.ids.at(-1) ?? 0n) };
    return sliceKnown(authorId, slices[nth] as Slice, depth);
  });
}

function sliceKnown(authorId: bigint, { entries, seal }: Slice, depth: number): Known {
  const ids = entries.map(({ activityId }) => activityId);
  return { authorId, ids, floor: ids.length < depth ? (seal?.lowWatermark ?? 0n) : (ids.at(-1) ?? 0n) };
}

/** Asks deeper for the authors whose lists end above or at where the merge is cut. */
async function deepened(
  truth: Truth,
  known: readonly Known[],
  low: bigint,
  depth: number,
  options: CallOptions,
): Promise<Known[]> {
  const shallow = known.filter(({ floor }) => floor >= low && floor > 0n).map(({ authorId }) => authorId);
  const lists = await truth.activities(shallow, 0n, depth, options);
  const deeper = new Map(shallow.map((authorId, nth) => [authorId, lists[nth]]));
  return known.map((one) => {
    const list = deeper.get(one.authorId);
    return list === undefined
      ? one
      : { authorId: one.authorId, ids: list.ids, floor: list.complete ? 0n : (list.ids.at(-1) ?? 0n) };
  });
}

/** Everything known that nothing unknown can lie between: the cut is the highest floor. */
function cut(known: readonly Known[]): Merged {
  const low = known.reduce((most, { floor }) => (floor > most ? floor : most), 0n);
  const all = known.flatMap(({ authorId, ids }) =>
    ids.filter((id) => id >= low).map((activityId) => ({ activityId, authorId })),
  );
  const entries = all.sort(newestFirst);
  if (entries.length <= entriesMax) return { entries, lowWatermark: low };
  const kept = entries.slice(0, entriesMax);
  return { entries: kept, lowWatermark: kept.at(-1)?.activityId ?? low };
}

export const newestFirst = (a: TimelineEntry, b: TimelineEntry): number =>
  a.activityId === b.activityId ? 0 : a.activityId > b.activityId ? -1 : 1;
