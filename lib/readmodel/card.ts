import { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { versionedFamily } from "./versioned.ts";

/** What deciding about a post takes, whoever asks: 13 bytes, and 8 for each person it is for. */
export type Card = {
  readonly version: number;
  readonly authorId: bigint;
  readonly deleted: boolean;
  /** Audience of the contract. */
  readonly audience: number;
  /** Where those whom a post names alone may see it, or reply to it; at most 50. */
  readonly mentionedIds: readonly bigint[];
  /** ReplySetting of the contract; 0 is everyone. */
  readonly replySetting: number;
};

/** What a card says of a post that is for everybody. */
export const forEverybody = { audience: Audience.PUBLIC, mentionedIds: [], replySetting: 0 } as const;

/** Thirty days; a card not asked for that long is read from truth again. */
const lifeSeconds = 30 * 86_400;
const headBytes = 13;
const nobody: readonly bigint[] = [];
const deletedBit = 1;
/** The audience lies in bits 1 to 3: what was written before there were audiences is public. */
const audienceShift = 1;
/** Three bits each. */
const settingMask = 0b111;
/** The reply setting lies in bits 4 to 6: 0, as before there were any, is everyone. */
const replyShift = 4;

/**
 * `card:<post>`: version (4 bytes), author (8), flags (1; bit 0: tombstone, bits 1 to 3: audience, bits 4 to 6: who
 * may reply), then the ids of those whom it is for alone, or who alone may reply (8 each). Owner: post, which writes it before it answers. Missing: post.BatchGetCards fills it.
 */
export const cards = versionedFamily("card", lifeSeconds);

/** Whether it matters whom a post names. */
export const isForNamed = ({ audience, replySetting }: Pick<Card, "audience" | "replySetting">): boolean =>
  audience === Audience.MENTIONED || replySetting === ReplySetting.MENTIONED;

export function encodeCard({ version, authorId, deleted, audience, mentionedIds, replySetting }: Card): Buffer {
  // A tombstone is for nobody, so it is the same whoever makes it.
  const ids = !deleted && isForNamed({ audience, replySetting }) ? mentionedIds : [];
  const bytes = Buffer.alloc(headBytes + 8 * ids.length);
  bytes.writeUInt32BE(version, 0);
  bytes.writeBigUInt64BE(authorId, 4);
  bytes.writeUInt8(deleted ? deletedBit : (audience << audienceShift) | (replySetting << replyShift), 12);
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
    audience: (flags >> audienceShift) & settingMask || Audience.PUBLIC,
    replySetting: (flags >> replyShift) & settingMask,
    mentionedIds:
      mentioned === 0
        ? nobody
        : Array.from({ length: mentioned }, (_, nth) => bytes.readBigUInt64BE(headBytes + 8 * nth)),
  };
}
