import { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { versionedFamily } from "./versioned.ts";

/** The post that a repost passes on, and whose that is: what a page shows in its place. */
export type Reposted = { readonly postId: bigint; readonly authorId: bigint };

/** What a post quotes, and whose that is; both 0 where it was detached. */
export type Quoted = Reposted;

/** How often a post is passed on and kept, as of which fold. */
export type ShareCounts = {
  readonly reposts: number;
  readonly quotes: number;
  readonly saves: number;
  readonly version: number;
};

/** What deciding about a post takes, whoever asks: 13 bytes, and 8 for each person it is for; 29 of a repost or a quote, 16 more once it was passed on or kept. */
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
  /** Of a repost. */
  readonly reposted?: Reposted | undefined;
  /** Of a quote; a card of an older release does not say. */
  readonly quoted?: Quoted | undefined;
  /** Absent where it never was passed on or kept. */
  readonly shares?: ShareCounts | undefined;
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
/** The card goes on, with what changes without a new version. */
const sharedBit = 0x80;
/** Version, reposts, quotes and saves, 4 bytes each. */
const sharesBytes = 16;
const countMax = 0xffff_ffff;
/** No id has the highest bit: the two of a quote are told from people by it, which is that of their first bytes. */
const idBits = 63;
const quotedBit = 1n << BigInt(idBits);
const quotedByte = 0x80;
const quotedBytes = 16;
/** Three bits each. */
const settingMask = 0b111;
/** The reply setting lies in bits 4 to 6: 0, as before there were any, is everyone. */
const replyShift = 4;

/**
 * `card:<post>`: revision (4 bytes), author (8), flags (1; bit 0: tombstone, bits 1 to 3: audience, bits 4 to 6: who
 * may reply, bit 7: it was passed on or kept), then the ids of those whom it is for alone, or who alone may reply (8 each), or of a repost the
 * post that it passes on and whose that is; of a quote, what it quotes and whose that is, with their highest bits set; then, with bit 7, the version and how many repost, quote and keep it (4 each). The revision is the version and how often counts were folded: it grows with
 * each change of either, and without folds it is the version. Owner: post, which writes it before it answers, and with each fold. Missing:
 * post.BatchGetCards fills it.
 */
export const cards = versionedFamily("card", lifeSeconds);

/** Whether it matters whom a post names. */
export const isForNamed = ({ audience, replySetting }: Pick<Card, "audience" | "replySetting">): boolean =>
  audience === Audience.MENTIONED || replySetting === ReplySetting.MENTIONED;

/** Whether it passes another post on. */
export const isRepost = ({ replySetting }: Pick<Card, "replySetting">): boolean => replySetting === ReplySetting.REPOST;

export function encodeCard(card: Card): Buffer {
  const { version, authorId, deleted, audience, replySetting, shares } = card;
  // A tombstone is for nobody, so it is the same whoever makes it.
  const ids = deleted ? nobody : idsOf(card);
  const isShared = shares !== undefined && shares.version > 0;
  const tail = isShared && !deleted ? sharesBytes : 0;
  const at = headBytes + 8 * ids.length;
  const bytes = Buffer.alloc(at + tail);
  bytes.writeUInt32BE(version + (shares?.version ?? 0), 0);
  bytes.writeBigUInt64BE(authorId, 4);
  const flags = deleted ? deletedBit : (audience << audienceShift) | (replySetting << replyShift);
  bytes.writeUInt8(tail === 0 ? flags : flags | sharedBit, 12);
  for (const [nth, id] of ids.entries()) bytes.writeBigUInt64BE(id, headBytes + 8 * nth);
  if (shares === undefined || tail === 0) return bytes;
  const { reposts, quotes, saves } = shares;
  bytes.writeUInt32BE(version, at);
  for (const [nth, count] of [reposts, quotes, saves].entries())
    bytes.writeUInt32BE(Math.min(Math.max(0, count), countMax), at + 4 * (nth + 1));
  return bytes;
}

function idsOf({ audience, replySetting, mentionedIds, reposted, quoted }: Card): readonly bigint[] {
  if (reposted !== undefined) return [reposted.postId, reposted.authorId];
  const people = isForNamed({ audience, replySetting }) ? mentionedIds : nobody;
  return quoted === undefined ? people : [...people, quoted.postId | quotedBit, quoted.authorId | quotedBit];
}

export function decodeCard(bytes: Buffer): Card {
  const flags = bytes.readUInt8(12);
  const card = {
    version: bytes.readUInt32BE(0),
    authorId: bytes.readBigUInt64BE(4),
    deleted: (flags & deletedBit) !== 0,
    audience: (flags >> audienceShift) & settingMask || Audience.PUBLIC,
    replySetting: (flags >> replyShift) & settingMask,
    mentionedIds: nobody,
  };
  if (bytes.length === headBytes) return card;
  const isShared = (flags & sharedBit) !== 0;
  const end = isShared ? bytes.length - sharesBytes : bytes.length;
  const isQuote = end > headBytes && bytes.readUInt8(end - 8) >= quotedByte;
  const people = ((isQuote ? end - quotedBytes : end) - headBytes) / 8;
  const ids = Array.from({ length: people }, (_, nth) => bytes.readBigUInt64BE(headBytes + 8 * nth));
  return {
    ...card,
    ...(people > 0 && named(card, ids)),
    ...(isQuote && { quoted: quotedAt(bytes, end - quotedBytes) }),
    ...(isShared && sharesAt(bytes, end, card.version)),
  };
}

const quotedAt = (bytes: Buffer, at: number): Quoted => ({
  postId: BigInt.asUintN(idBits, bytes.readBigUInt64BE(at)),
  authorId: BigInt.asUintN(idBits, bytes.readBigUInt64BE(at + 8)),
});

function named(
  card: Pick<Card, "replySetting">,
  ids: readonly bigint[],
): Pick<Card, "reposted"> | Pick<Card, "mentionedIds"> {
  if (!isRepost(card)) return { mentionedIds: ids };
  const [postId = 0n, authorId = 0n] = ids;
  return { reposted: { postId, authorId } };
}

function sharesAt(bytes: Buffer, at: number, revision: number): Pick<Card, "version" | "shares"> {
  const version = bytes.readUInt32BE(at);
  const [reposts, quotes, saves] = [
    bytes.readUInt32BE(at + 4),
    bytes.readUInt32BE(at + 8),
    bytes.readUInt32BE(at + 12),
  ];
  return { version, shares: { reposts, quotes, saves, version: revision - version } };
}

/** The same for who shows posts; undefined for a repost of an older release, whose card does not say what it passes on: truth does. */
export function decodeShownCard(bytes: Buffer): Card | undefined {
  const card = decodeCard(bytes);
  return isRepost(card) && !card.deleted && card.reposted === undefined ? undefined : card;
}
