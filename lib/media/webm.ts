import type { FileHandle } from "node:fs/promises";
import { bytesAt, type Erasure, type Track } from "./bytes-at.ts";

/** Elements walked in one file: ten minutes have about 40,000 blocks. */
const elementsMax = 200_000;
/** Bytes of an element that is looked into: a name, a number, the head of a block. */
const lookBytes = 64;
/** A head has at most four bytes of id and eight of size. */
const headBytesMax = 12;
/** Read at once, because elements are small and a read each would be slow. */
const windowBytes = 256 * 1024;

const ids = {
  ebml: 0x1a45dfa3,
  docType: 0x4282,
  segment: 0x18538067,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  duration: 0x4489,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackType: 0x83,
  video: 0xe0,
  pixelWidth: 0xb0,
  pixelHeight: 0xba,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  blockGroup: 0xa0,
  block: 0xa1,
  simpleBlock: 0xa3,
  tags: 0x1254c367,
} as const;

/** What is walked into; all else is passed over. */
const parents = new Set<number>([
  ids.ebml,
  ids.segment,
  ids.info,
  ids.tracks,
  ids.trackEntry,
  ids.video,
  ids.cluster,
  ids.blockGroup,
]);
/** Only these may leave their size open (RFC 8794 §6.2): they last until the next of their kind. */
const openEnded = new Set<number>([ids.segment, ids.cluster]);

type Head = { readonly id: number; readonly headBytes: number; readonly size: number | undefined };

/**
 * Reads a WebM (RFC 8794, RFC 9559): its elements must fill the file exactly. What does not say how long it lasts, as browsers
 * record it, lasts until its last block. Undefined where it is none. Decodes nothing.
 */
export async function readWebm(file: FileHandle, sizeBytes: number): Promise<Track | undefined> {
  const found = { width: 0, height: 0, hasVideo: false, hasAudio: false, docType: "", blocks: 0 };
  const erasures: Erasure[] = [];
  let scaleNs = 1_000_000;
  let said = 0;
  let clusterTime = 0;
  let lastTime = 0;
  const read = windowed(file);

  let elements = 0;
  for (let at = 0; at < sizeBytes; ) {
    const head = headIn(await read(at, headBytesMax));
    if (head === undefined || ++elements > elementsMax) return undefined;
    if (elements === 1 && head.id !== ids.ebml) return undefined;
    const body = at + head.headBytes;
    if (head.size === undefined ? !openEnded.has(head.id) : body + head.size > sizeBytes) return undefined;
    if (head.id === ids.tags) erasures.push(...voidOf(at, head));
    if (parents.has(head.id)) at = body;
    else {
      const size = head.size as number;
      note(head.id, await read(body, Math.min(size, lookBytes)));
      at = body + size;
    }
  }
  const { docType, blocks, ...track } = found;
  if (docType !== "webm" || blocks === 0) return undefined;
  const durationMs = Math.round(((said || lastTime) * scaleNs) / 1e6);
  return { ...track, durationMs, erasures };

  function note(id: number, body: Buffer): void {
    if (id === ids.docType) found.docType = body.toString("latin1").replace(/\0+$/, "");
    if (id === ids.timestampScale) scaleNs = numberIn(body) || scaleNs;
    if (id === ids.duration) said = floatIn(body);
    if (id === ids.trackType && numberIn(body) === 1) found.hasVideo = true;
    if (id === ids.trackType && numberIn(body) === 2) found.hasAudio = true;
    if (id === ids.pixelWidth) found.width = Math.max(found.width, numberIn(body));
    if (id === ids.pixelHeight) found.height = Math.max(found.height, numberIn(body));
    if (id === ids.timestamp) clusterTime = numberIn(body);
    if (id === ids.block || id === ids.simpleBlock) {
      found.blocks++;
      const trackBytes = lengthOfSize(body[0] ?? 0);
      if (trackBytes === undefined || body.length < trackBytes + 2) return;
      lastTime = Math.max(lastTime, clusterTime + body.readInt16BE(trackBytes));
    }
  }
}

/** Reads by windows; what is asked for lies mostly in the one before. */
function windowed(file: FileHandle): (at: number, length: number) => Promise<Buffer> {
  let start = 0;
  let held: Buffer = Buffer.alloc(0);
  return async (at, length) => {
    if (at < start || at + length > start + held.length) {
      start = at;
      held = await bytesAt(file, at, Math.max(length, windowBytes));
    }
    return held.subarray(at - start, at - start + length);
  };
}

function headIn(bytes: Buffer): Head | undefined {
  const idBytes = lengthOfSize(bytes[0] ?? 0);
  if (idBytes === undefined || idBytes > 4 || bytes.length < idBytes + 1) return undefined;
  const sizeBytes = lengthOfSize(bytes[idBytes] ?? 0);
  if (sizeBytes === undefined || bytes.length < idBytes + sizeBytes) return undefined;
  const id = bytes.readUIntBE(0, idBytes);
  let size = BigInt(bytes[idBytes] as number) & ((1n << BigInt(8 - sizeBytes)) - 1n);
  for (const byte of bytes.subarray(idBytes + 1, idBytes + sizeBytes)) size = (size << 8n) | BigInt(byte);
  const isOpen = size === (1n << BigInt(7 * sizeBytes)) - 1n;
  return { id, headBytes: idBytes + sizeBytes, size: isOpen ? undefined : Number(size) };
}

/** How many bytes a number has whose first byte this is: one more than it has leading zeros. */
function lengthOfSize(first: number): number | undefined {
  return first === 0 ? undefined : Math.clz32(first) - 24 + 1;
}

const numberIn = (body: Buffer): number => (body.length === 0 || body.length > 6 ? 0 : body.readUIntBE(0, body.length));

function floatIn(body: Buffer): number {
  const value = body.length === 4 ? body.readFloatBE() : body.length === 8 ? body.readDoubleBE() : 0;
  return Number.isFinite(value) && value > 0 ? value : 0;
}

/** The same bytes as a Void element (RFC 8794 §11.3.2); what is too short for one tells nothing either. */
function voidOf(at: number, { headBytes, size = 0 }: Head): Erasure[] {
  const whole = headBytes + size;
  if (whole < 9) return [];
  const bytes = Buffer.alloc(whole);
  bytes[0] = 0xec;
  bytes.writeBigUInt64BE(BigInt(whole - 9) | (1n << 56n), 1);
  return [{ at, bytes }];
}
