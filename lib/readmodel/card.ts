import { versionedFamily } from "./versioned.ts";

/** What deciding about a post takes, whoever asks: 13 bytes. */
export type Card = { readonly version: number; readonly authorId: bigint; readonly deleted: boolean };

/** Thirty days; a card not asked for that long is read from truth again. */
const lifeSeconds = 30 * 86_400;
const deletedBit = 1;

/**
 * `card:<post>`: version (4 bytes), author (8), flags (1; bit 0: tombstone, the others are kept for audiences). Owner:
 * post, which writes it before it answers. Missing: post.BatchGetPosts fills it.
 */
export const cards = versionedFamily("card", lifeSeconds);

export function encodeCard({ version, authorId, deleted }: Card): Buffer {
  const bytes = Buffer.alloc(13);
  bytes.writeUInt32BE(version, 0);
  bytes.writeBigUInt64BE(authorId, 4);
  bytes.writeUInt8(deleted ? deletedBit : 0, 12);
  return bytes;
}

export const decodeCard = (bytes: Buffer): Card => ({
  version: bytes.readUInt32BE(0),
  authorId: bytes.readBigUInt64BE(4),
  deleted: (bytes.readUInt8(12) & deletedBit) !== 0,
});
