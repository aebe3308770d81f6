import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { versionedFamily } from "./versioned.ts";

/** What deciding about a post takes, whoever asks: 13 bytes, and 8 for each person it is for. */
export type Card = {
  readonly version: number;
  readonly authorId: bigint;
  readonly deleted: boolean;
  /** Audience of the contract. */
  readonly audience: number;
  /** With AUDIENCE_MENTIONED; at most 50. */
  readonly mentionedIds: readonly bigint[];
};

/** What a card says of a post that is for everybody. */
export const forEverybody = { audience: Audience.PUBLIC, mentionedIds: [] } as const;

/** Thirty days; a card not asked for that long is read from truth again. */
const lifeSeconds = 30 * 86_400;
const headBytes = 13;
const nobody: readonly bigint[] = [];
const deletedBit = 1;
/** The audience lies in bits 1 to 3: what was written before there were audiences is public. */
const audienceShift = 1;
const audienceMask = 0b111;

/**
 * `card:<post>`: version (4 bytes), author (8), flags (1; bit 0: tombstone, bits 1 to 3: audience), then the ids of those
 * whom it is for alone (8 each). Owner: post, which writes it before it answers. Missing: post.BatchGetCards fills it.
 */
export const cards = versionedFamily("card", lifeSeconds);

export function encodeCard({ version, authorId, deleted, audience, mentionedIds }: Card): Buffer {
  // A tombstone is for nobody, so it is the same whoever makes it.
  const ids = deleted ? [] : mentionedIds;
  const bytes = Buffer.alloc(headBytes + 8 * ids.length);
  bytes.writeUInt32BE(version, 0);
  bytes.writeBigUInt64BE(authorId, 4);
  bytes.writeUInt8(deleted ? deletedBit : audience << audienceShift, 12);
  for (const [nth, id] of ids.entries()) bytes.writeBigUInt64BE(id, headBytes + 8 * nth);
  return bytes;
}

export function decodeCard(bytes: Buffer): Card {
  const flags = bytes.readUInt8(12);
  const mentioned = (bytes.length - headBytes) / 8;
  return {
    version: bytes.readUInt32BE(0),
    authorId: bytes.readBigUInt64BE(4),
    deleted: (flags & deletedBit) !== 0,
    audience: (flags >> audienceShift) & audienceMask || Audience.PUBLIC,
    mentionedIds:
      mentioned === 0
        ? nobody
        : Array.from({ length: mentioned }, (_, nth) => bytes.readBigUInt64BE(headBytes + 8 * nth)),
  };
}
