import type { Log } from "#lib/mesh/log.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { inPassing } from "./passing.ts";
import { versionedFamily } from "./versioned.ts";

/** How many there are of some further kinds, by kind; those of which there are none may be left out. */
type KindCounts = ReadonlyMap<number, number>;

/**
 * How many there are, and as of which fold; `pending` is what was committed since, where it was asked for. `others` are those of
 * further kinds, which the value does not count.
 */
export type Count = {
  readonly version: number;
  readonly value: number;
  readonly pending?: number;
  readonly others?: KindCounts;
  readonly pendingOthers?: KindCounts;
};

/** As of now, as far as it is known. */
export const totalOf = ({ value, pending = 0 }: Count): number => Math.max(0, value + pending);

/** The same of the further kinds, by ascending kind, without those of which there are none. */
export function othersOf({
  others = none,
  pendingOthers = none,
}: Count): readonly (readonly [kind: number, n: number])[] {
  if (others.size === 0 && pendingOthers.size === 0) return nobody;
  return [...new Set([...others.keys(), ...pendingOthers.keys()])]
    .sort((a, b) => a - b)
    .map((kind) => [kind, (others.get(kind) ?? 0) + (pendingOthers.get(kind) ?? 0)] as const)
    .filter(([, n]) => n > 0);
}

const none: KindCounts = new Map();
const nobody: ReturnType<typeof othersOf> = [];

/** Thirty days; a count not asked for that long is read from truth again. */
const lifeSeconds = 30 * 86_400;
const valueMax = 0xffff_ffff;
/** Version and value; then, for each further kind of which there are some, the kind and how many. */
const headBytes = 8;
const kindBytes = 5;

/**
 * `cnt.like:<post>`: version (4 bytes) and how many like it (4); then each other way in which somebody reacts (1) and how many do
 * (4), so that a post that is only liked takes 8. Owner: like, whose relay writes it with each fold. Missing:
 * like.BatchGetLikes fills it, also with 0.
 */
export const likeCounts = countFamily("cnt.like");

/**
 * `cnt.comment:<post>`: the same for comments; in the place of other kinds what its author limits replies to (`besideCount`). Owner:
 * comment, whose relay writes it with each fold, and which writes it before it answers a change of the thread. Missing:
 * comment.BatchGetCommentCounts fills it.
 */
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

/** What is folded of a count. One beyond four bytes stays at the greatest. */
export function encodeCount({ version, value, others }: Count): Buffer {
  const kinds = othersOf({ version, value, ...(others && { others }) });
  const bytes = Buffer.alloc(headBytes + kindBytes * kinds.length);
  bytes.writeUInt32BE(version, 0);
  bytes.writeUInt32BE(bounded(value), 4);
  for (const [nth, [kind, n]] of kinds.entries()) {
    bytes.writeUInt8(kind, headBytes + kindBytes * nth);
    bytes.writeUInt32BE(bounded(n), headBytes + kindBytes * nth + 1);
  }
  return bytes;
}

const bounded = (value: number): number => Math.min(Math.max(0, value), valueMax);

export function decodeCount(bytes: Buffer): Count {
  const count = { version: bytes.readUInt32BE(0), value: bytes.readUInt32BE(4) };
  if (bytes.length === headBytes) return count;
  const others = new Map<number, number>();
  for (let at = headBytes; at < bytes.length; at += kindBytes)
    others.set(bytes.readUInt8(at), bytes.readUInt32BE(at + 1));
  return { ...count, others };
}
