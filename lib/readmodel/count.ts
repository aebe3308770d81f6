import type { Log } from "#lib/mesh/log.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { inPassing } from "./passing.ts";
import { versionedFamily } from "./versioned.ts";

/** How many there are, and as of which fold; `pending` is what was committed since, where it was asked for. */
export type Count = { readonly version: number; readonly value: number; readonly pending?: number };

/** As of now, as far as it is known. */
export const totalOf = ({ value, pending = 0 }: Count): number => Math.max(0, value + pending);

/** Thirty days; a count not asked for that long is read from truth again. */
const lifeSeconds = 30 * 86_400;
const valueMax = 0xffff_ffff;

/**
 * `cnt.like:<post>`: version (4 bytes) and how many like it (4). Owner: like, whose relay writes it with each fold.
 * Missing: like.BatchGetLikes fills it, also with 0.
 */
export const likeCounts = countFamily("cnt.like");

/** `cnt.comment:<post>`: the same for comments. Owner: comment. Missing: comment.BatchGetCommentCounts fills it. */
export const commentCounts = countFamily("cnt.comment");

/** Reads counts from truth; what was never counted is not in the map. */
type Truth = (ids: readonly bigint[]) => Promise<ReadonlyMap<bigint, Count>>;

function countFamily(family: string) {
  const kept = versionedFamily(family, lifeSeconds);
  return {
    ...kept,

    /** Counts from truth, left in the read model; what was never counted has 0. Without Redis the answer is the same. */
    load(
      { redis, log }: { redis: Redis; log: Log },
      ids: readonly bigint[],
      truth: Truth,
    ): Promise<Map<bigint, Count>> {
      return inPassing(
        { log, what: family },
        () => kept.fill(redis, ids),
        async () => {
          const found = await truth(ids);
          return new Map(ids.map((id) => [id, found.get(id) ?? { version: 0, value: 0 }]));
        },
        (keep, counts) => keep(entriesOf(counts)),
      );
    },

    /** Brings counts up to what was folded: the relay's part, which is repeated where it fails. */
    async catchUp(redis: Redis, ids: readonly bigint[], truth: Truth): Promise<void> {
      if (ids.length === 0) return;
      const keep = await kept.fill(redis, ids);
      await keep(entriesOf(await truth(ids)));
    },
  };
}

const entriesOf = (counts: ReadonlyMap<bigint, Count>) =>
  [...counts].map(([id, count]) => ({ id, value: encodeCount(count) }));

/** A count beyond four bytes stays at the greatest. */
export function encodeCount({ version, value }: Count): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(version, 0);
  bytes.writeUInt32BE(Math.min(Math.max(0, value), valueMax), 4);
  return bytes;
}

export const decodeCount = (bytes: Buffer): Count => ({
  version: bytes.readUInt32BE(0),
  value: bytes.readUInt32BE(4),
});
