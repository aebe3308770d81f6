import { versionedFamily } from "./versioned.ts";

/** How many there are, and as of which fold. */
export type Count = { readonly version: number; readonly value: number };

/** Thirty days; a count not asked for that long is read from truth again. */
const lifeSeconds = 30 * 86_400;
const valueMax = 0xffff_ffff;

/**
 * `cnt.like:<post>`: version (4 bytes) and how many like it (4). Owner: like, whose relay writes it with each fold.
 * Missing: like.BatchGetLikes fills it, also with 0.
 */
export const likeCounts = versionedFamily("cnt.like", lifeSeconds);

/** `cnt.comment:<post>`: the same for comments. Owner: comment. Missing: comment.BatchGetCommentCounts fills it. */
export const commentCounts = versionedFamily("cnt.comment", lifeSeconds);

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
