import type { FileHandle } from "node:fs/promises";
import { bytesAt, type Erasure, type Track } from "./bytes-at.ts";

/** Boxes walked in one file, in all: fifty times what a long video has. */
const boxesMax = 20_000;
/** The index of a video, read whole: an hour has about two megabytes. */
const moovBytesMax = 16 * 1024 * 1024;
/** Boxes that hold what we look for lie no deeper. */
const depthMax = 8;

type Box = { readonly type: string; readonly at: number; readonly headBytes: number; readonly end: number };

const parents = new Set(["moov", "trak", "mdia", "mvex"]);
/** Who filmed it, where, with what: none of it is needed to play. */
const personal = new Set(["udta", "meta", "uuid"]);

/**
 * Reads an MP4 (ISO 14496-12): its boxes must fill the file exactly, and its index say what is in it. Undefined where they do
 * not. Decodes nothing.
 */
export async function readMp4(file: FileHandle, sizeBytes: number): Promise<Track | undefined> {
  const found = {
    durationMs: 0,
    width: 0,
    height: 0,
    hasVideo: false,
    hasAudio: false,
    hasBytes: false,
    isWhole: false,
  };
  const erasures: Erasure[] = [];
  let boxes = 0;

  for (let at = 0; at < sizeBytes; ) {
    const box = boxIn(await bytesAt(file, at, 16), 0, sizeBytes - at, at);
    if (box === undefined || ++boxes > boxesMax) return undefined;
    if (at === 0 && box.type !== "ftyp") return undefined;
    if (box.type === "mdat" || box.type === "moof") found.hasBytes = true;
    if (personal.has(box.type)) erasures.push(freeOf(box));
    if (box.type === "moov") {
      if (box.end - box.at > moovBytesMax || found.isWhole) return undefined;
      const moov = await bytesAt(file, box.at, box.end - box.at);
      if (!walk(moov, box.headBytes, box.at, 1)) return undefined;
      found.isWhole = true;
    }
    at = box.end;
  }
  const { isWhole, hasBytes, ...track } = found;
  return isWhole && hasBytes ? { ...track, erasures } : undefined;

  /** The boxes of one box, held in memory; false where they do not fill it. */
  function walk(bytes: Buffer, from: number, base: number, depth: number): boolean {
    for (let at = from; at < bytes.length; ) {
      const box = boxIn(bytes.subarray(at), 0, bytes.length - at, base + at);
      if (box === undefined || ++boxes > boxesMax) return false;
      const body = bytes.subarray(at + box.headBytes, at + (box.end - box.at));
      if (personal.has(box.type)) erasures.push(freeOf(box));
      else if (parents.has(box.type)) {
        const inner = bytes.subarray(at, at + (box.end - box.at));
        if (depth > depthMax || !walk(inner, box.headBytes, box.at, depth + 1)) return false;
      } else note(box.type, body);
      at += box.end - box.at;
    }
    return true;
  }

  function note(type: string, body: Buffer): void {
    if (type === "mvhd") found.durationMs = Math.max(found.durationMs, durationOf(body));
    if (type === "tkhd" && body.length >= 84) {
      // 16.16 fixed point, the last eight bytes.
      found.width = Math.max(found.width, body.readUInt32BE(body.length - 8) >>> 16);
      found.height = Math.max(found.height, body.readUInt32BE(body.length - 4) >>> 16);
    }
    if (type === "hdlr" && body.length >= 12) {
      const handler = body.toString("latin1", 8, 12);
      if (handler === "vide") found.hasVideo = true;
      if (handler === "soun") found.hasAudio = true;
    }
  }
}

/** The box at an offset of some bytes; undefined where it is none or leaves its room. `place` is where it lies in the file. */
function boxIn(bytes: Buffer, at: number, room: number, place: number): Box | undefined {
  if (bytes.length < at + 8) return undefined;
  const type = bytes.toString("latin1", at + 4, at + 8);
  if (!/^[\x20-\x7e\xa9]{4}$/.test(type)) return undefined;
  const short = bytes.readUInt32BE(at);
  // 0: to the end. 1: the length follows, in eight bytes.
  if (short === 1 && bytes.length < at + 16) return undefined;
  const length = short === 0 ? room : short === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : short;
  const headBytes = short === 1 ? 16 : 8;
  if (length < headBytes || length > room) return undefined;
  return { type, at: place, headBytes, end: place + length };
}

/** Version, flags, times, timescale, duration: 32 bits each in version 0, in version 1 the times and the duration 64. */
function durationOf(body: Buffer): number {
  const isLong = body[0] === 1;
  if (body.length < (isLong ? 32 : 20)) return 0;
  const scale = body.readUInt32BE(isLong ? 20 : 12);
  const duration = isLong ? Number(body.readBigUInt64BE(24)) : body.readUInt32BE(16);
  return scale === 0 || duration === 0xffff_ffff ? 0 : Math.round((duration * 1000) / scale);
}

/** The same box, as nothing: players pass over `free`, and no offset in the file moves. */
const freeOf = ({ at, headBytes, end }: Box): Erasure => ({
  at: at + 4,
  bytes: Buffer.concat([
    Buffer.from("free", "latin1"),
    // A long head keeps its length.
    ...(headBytes === 16 ? [lengthOf(end - at)] : []),
    Buffer.alloc(end - at - headBytes),
  ]),
});

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(length));
  return bytes;
}
