import { randomInt } from "node:crypto";
import { invalid } from "#lib/mesh/errors.ts";

/** 2025-01-01T00:00:00Z: the first millisecond an id can name. 42 bits of them last until 2164. */
const epochMs = Date.UTC(2025, 0, 1);
/** Two million ids a millisecond; a clash is a duplicate key, and the insert is tried again. */
const randomBits = 21n;

let last = 0n;

/**
 * A new id: 42 bits of time, 21 of chance, no coordination (after Snowflake, with chance in place of a worker number).
 * Ids of one process grow, so an author's own posts keep their order.
 */
export function newId(nowMs = Date.now()): bigint {
  const candidate = (BigInt(nowMs - epochMs) << randomBits) | BigInt(randomInt(1 << 21));
  last = candidate > last ? candidate : last + 1n + BigInt(randomInt(64));
  return last;
}

/** An id as of another time (import): in order by its time, apart by chance. */
export const idAt = (timeMs: number): bigint =>
  (BigInt(Math.max(0, timeMs - epochMs)) << randomBits) | BigInt(randomInt(1 << 21));

/** The least id that can be made in a millisecond. */
export const leastIdAt = (timeMs: number): bigint => BigInt(Math.max(0, Math.floor(timeMs) - epochMs)) << randomBits;

/** How far the clocks of two machines may be apart. */
export const clocksMs = 3_000;

/** The millisecond an id was made in. */
export const timeOf = (id: bigint): number => Number(id >> randomBits) + epochMs;

const idForm = /^[1-9][0-9]{0,18}$/;
const idMax = (1n << 63n) - 1n;

/** The id a text names, or undefined where it names none. */
export function parseId(text: string): bigint | undefined {
  if (!idForm.test(text)) return undefined;
  const id = BigInt(text);
  return id <= idMax ? id : undefined;
}

/** The id of a request's field; INVALID_ARGUMENT where it is none. */
export function idOf(text: string, field: string): bigint {
  const id = parseId(text);
  if (id === undefined) throw invalid(field, "must be an id");
  return id;
}

/** Partitions of every stream, for good: the number is part of subjects and of each row's shard. */
export const shards = 64;

/** The share of work an id belongs to; `of` is a power of two. The lowest bits are chance, so shares are even. */
export const shareOf = (id: bigint, of: number): number => Number(id & BigInt(of - 1));
