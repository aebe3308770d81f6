import { randomBytes } from "node:crypto";
import type { Redis, Script } from "#lib/storage/redis.ts";
import { aboveLua, beginLua, headLua, pushLua, sealLua, sliceLua } from "./timeline-lua.ts";

/** What stands in a timeline: an activity (the sort key) and who made it public. 16 bytes. */
export type TimelineEntry = { readonly activityId: bigint; readonly authorId: bigint };

/** An entry and whose timelines it belongs into. */
export type Push = { readonly entry: TimelineEntry; readonly ownerIds: readonly bigint[] };

/** The end of a timeline: complete down to `lowWatermark`, made from relations of `version`, of truth as of `timeMs`. */
export type Seal = { readonly lowWatermark: bigint; readonly version: bigint; readonly timeMs: number };

/** A part of a timeline; without a seal it is missing or being built, and truth decides. */
export type Slice = { readonly entries: readonly TimelineEntry[]; readonly seal: Seal | undefined };

/** Entries kept; below them the database goes on. */
export const entriesMax = 800;
/** Trimming waits until this many more have come, so that most pushes do not trim. */
export const slack = 64;
/** A timeline nobody read for a fortnight is made again at the next visit. */
const lifeSeconds = 14 * 86_400;
/** A build that takes longer has failed; its key runs out. */
const buildSeconds = 60;
/** Timelines one script call pushes to: a few hundred microseconds of Redis. */
const pushKeysMax = 250;

const push: Script = { lua: pushLua };
const begin: Script = { lua: beginLua };
const seal: Script = { lua: sealLua };
const slice: Script = { lua: sliceLua };
const above: Script = { lua: aboveLua };
const head: Script = { lua: headLua };
export const timelineScripts = [push, begin, seal, slice, above, head];

/**
 * A key family of timelines: a list, newest first, whose last element is its seal. A push lands only where the key
 * exists (LPUSHX), in order, once; so a timeline is active because it exists, and a missing one is made at the next
 * visit: begin (the key exists, pushes land) → read truth → seal (merge both). Builders share the key, and the first to end
 * seals; a flush takes the key away, and with it every seal that is still to come.
 */
export function timelineFamily(family: string) {
  const keyOf = (redis: Redis, ownerId: bigint) => redis.key(family, ownerId);
  return {
    keyOf,

    /** Pushes entries to many timelines each, in one pipeline. */
    push(redis: Redis, pipeline: ReturnType<Redis["pipeline"]>, pushes: readonly Push[]): void {
      for (const { keys, parts } of byBucket(redis, pushes, (id) => keyOf(redis, id))) {
        redis.call(pipeline, push, keys, [entriesMax, slack, ...parts.flatMap(({ bytes, count }) => [bytes, count])]);
      }
    },

    /** The newest entries. One command: `sliceOf` reads its answer. */
    readHead(redis: Redis, pipeline: ReturnType<Redis["pipeline"]>, ownerId: bigint, count: number): void {
      redis.callBuffer(pipeline, head, [keyOf(redis, ownerId)], [count]);
    },

    /** The same by its owner: the timeline stays for another fortnight. */
    visitHead(redis: Redis, pipeline: ReturnType<Redis["pipeline"]>, ownerId: bigint, count: number): void {
      redis.callBuffer(pipeline, head, [keyOf(redis, ownerId)], [count, lifeSeconds]);
    },

    /** The entries older than an activity. One command: `sliceOf` reads its answer. */
    readBelow(
      redis: Redis,
      pipeline: ReturnType<Redis["pipeline"]>,
      ownerId: bigint,
      before: bigint,
      count: number,
    ): void {
      redis.callBuffer(pipeline, slice, [keyOf(redis, ownerId)], [encodeId(before), count]);
    },

    /** The entries just newer than an activity, newest first. One command: `sliceOf` reads its answer. */
    readAbove(
      redis: Redis,
      pipeline: ReturnType<Redis["pipeline"]>,
      ownerId: bigint,
      after: bigint,
      count: number,
    ): void {
      redis.callBuffer(pipeline, above, [keyOf(redis, ownerId)], [encodeId(after), count]);
    },

    /** The same by its owner: the timeline stays for another fortnight. */
    visitAbove(
      redis: Redis,
      pipeline: ReturnType<Redis["pipeline"]>,
      ownerId: bigint,
      after: bigint,
      count: number,
    ): void {
      redis.callBuffer(pipeline, above, [keyOf(redis, ownerId)], [encodeId(after), count, lifeSeconds]);
    },

    /**
     * Begins to build timelines; call it before reading truth. The answer seals one with what was read, under the time
     * of the beginning: what became public later was pushed.
     */
    async build(redis: Redis, ownerIds: readonly bigint[]) {
      const time = encodeId(BigInt(Date.now()));
      const pipeline = redis.pipeline();
      const token = randomBytes(8);
      for (const ownerId of ownerIds) redis.callBuffer(pipeline, begin, [keyOf(redis, ownerId)], [token, buildSeconds]);
      const begun = await redis.run(pipeline);
      const tokens = new Map(ownerIds.map((ownerId, nth) => [ownerId, begun[nth] as Buffer]));
      return async (
        built: readonly { ownerId: bigint; entries: readonly TimelineEntry[]; seal: Omit<Seal, "timeMs"> }[],
      ): Promise<void> => {
        const sealing = redis.pipeline();
        for (const { ownerId, entries, seal: end } of built) {
          const blob = Buffer.concat(entries.slice(0, entriesMax).map(encodeEntry));
          redis.call(
            sealing,
            seal,
            [keyOf(redis, ownerId)],
            [
              tokens.get(ownerId) ?? "",
              encodeId(end.lowWatermark),
              Buffer.concat([encodeId(end.version), time]),
              blob,
              entriesMax,
              lifeSeconds,
            ],
          );
        }
        await redis.run(sealing);
      };
    },
  };
}

/** The answer of `readHead`, `readBelow` or `readAbove`: the seal, then entries. A seal of an older form counts as missing. */
export function sliceOf(answer: unknown): Slice {
  const [last, bytes] = answer as (Buffer | null | undefined)[];
  const entries: TimelineEntry[] = [];
  for (let at = 0; bytes && at < bytes.length; at += entryBytes) entries.push(decodeEntry(bytes, at));
  return { entries, seal: last instanceof Buffer && last.length === sealBytes ? decodeSeal(last) : undefined };
}

const entryBytes = 16;
const sealBytes = 25;

export function encodeEntry({ activityId, authorId }: TimelineEntry): Buffer {
  const bytes = Buffer.alloc(entryBytes);
  bytes.writeBigUInt64BE(activityId, 0);
  bytes.writeBigUInt64BE(authorId, 8);
  return bytes;
}

export const decodeEntry = (bytes: Buffer, at = 0): TimelineEntry => ({
  activityId: bytes.readBigUInt64BE(at),
  authorId: bytes.readBigUInt64BE(at + 8),
});

export function encodeSeal({ lowWatermark, version, timeMs }: Seal): Buffer {
  return Buffer.concat([Buffer.from("S"), encodeId(lowWatermark), encodeId(version), encodeId(BigInt(timeMs))]);
}

const decodeSeal = (bytes: Buffer): Seal => ({
  lowWatermark: bytes.readBigUInt64BE(1),
  version: bytes.readBigUInt64BE(9),
  timeMs: Number(bytes.readBigUInt64BE(17)),
});

function encodeId(id: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(id, 0);
  return bytes;
}

/** What one script call pushes: keys, and for how many of them in turn each entry is. */
type Call = { readonly keys: string[]; readonly parts: { readonly bytes: Buffer; count: number }[] };

/** Keys of one script call share a bucket, as Redis Cluster asks. */
function byBucket(redis: Redis, pushes: readonly Push[], keyOf: (id: bigint) => string): Call[] {
  const calls: Call[] = [];
  const open = new Map<number, Call>();
  for (const { entry, ownerIds } of pushes) {
    const bytes = encodeEntry(entry);
    for (const id of ownerIds) {
      const bucket = redis.bucketOf(id);
      let call = open.get(bucket);
      if (call === undefined || call.keys.length === pushKeysMax) {
        call = { keys: [], parts: [] };
        open.set(bucket, call);
        calls.push(call);
      }
      call.keys.push(keyOf(id));
      const last = call.parts.at(-1);
      if (last?.bytes === bytes) last.count++;
      else call.parts.push({ bytes, count: 1 });
    }
  }
  return calls;
}
