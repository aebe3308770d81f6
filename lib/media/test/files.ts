//! Files as people upload them, and as nobody should: made here, so that nothing binary is kept in the tree.

import { deflateSync } from "node:zlib";
import sharp, { type Sharp } from "sharp";

/** A picture with something on it: noise would be large, and one colour would hide mistakes. */
export function picture(width: number, height: number, { alpha = false } = {}): Sharp {
  const channels = alpha ? 4 : 3;
  const pixels = Buffer.alloc(width * height * channels);
  for (let at = 0; at < pixels.length; at++) pixels[at] = (Math.floor(at / channels / width) + at * 3) % 251;
  return sharp(pixels, { raw: { width, height, channels } });
}

/** JPEG with the orientation of a phone held upright, and where it was taken. */
export const phonePhoto = (width: number, height: number): Promise<Buffer> =>
  picture(width, height)
    .jpeg()
    .withExif({ IFD0: { Make: "Skein" }, IFD3: { GPSLatitude: "52/1 30/1 0/1", GPSLongitude: "13/1 24/1 0/1" } })
    .withMetadata({ orientation: 6 })
    .toBuffer();

/** GIF of a few frames, each of another colour. */
export async function animation(width: number, height: number, frames: number): Promise<Buffer> {
  const pixels = Buffer.alloc(width * height * frames * 3);
  for (let at = 0; at < pixels.length; at++) pixels[at] = Math.floor(at / (width * height * 3)) * 40;
  const raw = { width, height: height * frames, channels: 3 as const, pageHeight: height };
  return await sharp(pixels, { raw })
    .gif({ delay: Array(frames).fill(100), loop: 0 })
    .toBuffer();
}

const crcTable = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});
const crc = (bytes: Buffer): number => {
  let c = 0xffffffff;
  for (const byte of bytes) c = (crcTable[(c ^ byte) & 0xff] as number) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
};

function chunk(type: string, body: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.from(type, "latin1"), body]);
  return Buffer.concat([u32(body.length), bytes, u32(crc(bytes))]);
}

/** A PNG of one bit a pixel, all of them white: some hundred kilobytes for as many million pixels. */
export function bomb(width: number, height: number): Buffer {
  const head = Buffer.concat([u32(width), u32(height), Buffer.of(1, 0, 0, 0, 0)]);
  const rows = Buffer.alloc(height * (1 + Math.ceil(width / 8)));
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([
    signature,
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const box = (type: string, ...body: Buffer[]): Buffer => {
  const all = Buffer.concat(body);
  return Buffer.concat([u32(all.length + 8), Buffer.from(type, "latin1"), all]);
};

type Film = { readonly seconds?: number; readonly width?: number; readonly height?: number; readonly place?: string };

/** An MP4's boxes around bytes that are no pictures: what says what it is, and where it was taken. */
export function mp4(
  { seconds = 4, width = 640, height = 360, place = "" }: Film = {},
  handlers = ["vide", "soun"],
): Buffer {
  const mvhd = box("mvhd", Buffer.alloc(12), u32(1_000), u32(seconds * 1_000), Buffer.alloc(80));
  const traks = handlers.map((handler) => {
    const size = handler === "vide" ? [u32(width * 65_536), u32(height * 65_536)] : [u32(0), u32(0)];
    const tkhd = box("tkhd", Buffer.alloc(76), ...size);
    return box("trak", tkhd, box("mdia", box("hdlr", Buffer.alloc(8), Buffer.from(handler), Buffer.alloc(13))));
  });
  const udta = place === "" ? [] : [box("udta", box("\xa9xyz", Buffer.from(place)))];
  return Buffer.concat([
    box("ftyp", Buffer.from("isom\0\0\x02\0isommp41", "latin1")),
    box("moov", mvhd, ...traks, ...udta),
    box("mdat", Buffer.alloc(5_000, 7)),
  ]);
}

/** A WebM as a browser records it: no length is said, and it ends with its last block. */
export function webm({ seconds = 4, width = 640, height = 360, place = "" }: Film = {}, types = [1, 2]): Buffer {
  const tracks = types.map((type) => {
    const video = type === 1 ? [element(0xe0, element(0xb0, number(width)), element(0xba, number(height)))] : [];
    return element(0xae, element(0x83, number(type)), ...video);
  });
  const clusters = Array.from({ length: seconds + 1 }, (_, second) =>
    element(
      0x1f43b675,
      element(0xe7, number(second * 1_000)),
      element(0xa3, Buffer.of(0x81, 0, 0, 0x80), Buffer.alloc(200, 9)),
    ),
  );
  const tags = place === "" ? [] : [element(0x1254c367, element(0x7373, Buffer.from(place)))];
  return Buffer.concat([
    element(0x1a45dfa3, element(0x4282, Buffer.from("webm"))),
    element(
      0x18538067,
      element(0x1549a966, element(0x2ad7b1, number(1_000_000))),
      element(0x1654ae6b, ...tracks),
      ...clusters,
      ...tags,
    ),
  ]);
}

function element(id: number, ...body: Buffer[]): Buffer {
  const all = Buffer.concat(body);
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(all.length) | (1n << 56n));
  return Buffer.concat([Buffer.from(id.toString(16), "hex"), size, all]);
}

const number = (value: number): Buffer => u32(value);

/** Opus in Ogg by its looks: sound is not decoded. */
export const ogg = (): Buffer => Buffer.concat([Buffer.from("OggS\0\x02", "latin1"), Buffer.alloc(2_000, 3)]);

/** One good file of each format that is taken, small. */
export async function goodFiles(): Promise<readonly { readonly name: string; readonly bytes: Buffer }[]> {
  const small = () => picture(96, 64);
  return [
    { name: "jpeg", bytes: await small().jpeg().toBuffer() },
    { name: "progressive jpeg", bytes: await small().jpeg({ progressive: true }).toBuffer() },
    { name: "png", bytes: await small().png().toBuffer() },
    { name: "webp", bytes: await small().webp().toBuffer() },
    { name: "avif", bytes: await small().avif({ effort: 0 }).toBuffer() },
    { name: "gif", bytes: await animation(32, 24, 3) },
    { name: "mp4", bytes: mp4() },
    { name: "webm", bytes: webm() },
  ];
}
