import type { Readable } from "node:stream";

/** Bytes under names. An object is there whole or not at all, and is never changed: only made and removed. */
export type Objects = {
  /** Puts the bytes of a file there, as large as it says; again with the same bytes is the same as once. */
  put(key: string, file: string, sizeBytes: number): Promise<void>;
  /** Its bytes, or those from `start` to `end`, both included; undefined where it is not there. */
  get(key: string, range?: { readonly start: number; readonly end: number }): Promise<Readable | undefined>;
  /** Its size; undefined where it is not there. */
  head(key: string): Promise<number | undefined>;
  /** Removes it; again is the same as once. */
  delete(key: string): Promise<void>;
  /** The keys under a prefix that ends in a slash, at most 1,000. */
  list(prefix: string): Promise<string[]>;
  /** Where a client may PUT exactly so many bytes itself, for so long; undefined where the store has no such door. */
  direct(key: string, sizeBytes: number, seconds: number): Promise<string | undefined>;
};

/** Keys that one listing answers. */
export const listMax = 1_000;

/** A key is a path of ours: no part of it is anybody's words. */
const keyForm = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/;

/** Throws for what is no key: it would be a bug of ours, not a caller's. */
export function mustBeKey(key: string): string {
  if (!keyForm.test(key)) throw new Error(`no key of an object: ${key}`);
  return key;
}

export type ObjectsConfig = {
  /** Where a store speaks S3, with its bucket as the path: https://key:secret@host/bucket. Empty: the directory. */
  readonly s3Endpoint: string;
  readonly s3Region: string;
  readonly dir: string;
  /** The directory takes nothing more where less than this is free. */
  readonly freeBytesMin: number;
};
