import type { FileHandle } from "node:fs/promises";

/** A part of a file to be overwritten. */
export type Erasure = { readonly at: number; readonly bytes: Buffer };

/** What a container says of what is in it. */
export type Track = {
  /** 0 where it does not say. */
  readonly durationMs: number;
  /** Of its picture; 0 where it has none. */
  readonly width: number;
  readonly height: number;
  readonly hasVideo: boolean;
  readonly hasAudio: boolean;
  /** Where it tells of places and people rather than of pictures and sound. */
  readonly erasures: readonly Erasure[];
};

/** The bytes of a file from `at` on: fewer where it ends. */
export async function bytesAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}
