/** What bytes say they are, by how they begin. Nothing that is not named here is ever offered to a decoder. */
export type Format =
  | "jpeg"
  | "png"
  | "webp"
  | "gif"
  | "avif"
  | "mp4"
  | "webm"
  | "ogg"
  | "mp3"
  | "wav"
  | "flac"
  | undefined;

/** Bytes that `sniff` looks at. */
export const headBytes = 64;

/** The format that a file begins as. It is a claim, to be proven by who decodes it. */
export function sniff(head: Buffer): Format {
  const text = head.toString("latin1");
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (/^GIF8[79]a/.test(text)) return "gif";
  if (text.startsWith("RIFF")) return riff[text.slice(8, 12)];
  if (text.slice(4, 8) === "ftyp") return /^(?:avif|avis)/.test(text.slice(8)) ? "avif" : "mp4";
  if (text.startsWith("\x1a\x45\xdf\xa3")) return "webm";
  if (text.startsWith("OggS")) return "ogg";
  if (text.startsWith("fLaC")) return "flac";
  if (text.startsWith("ID3") || isMpegFrame(head)) return "mp3";
  return undefined;
}

const riff: Readonly<Record<string, Format>> = { WEBP: "webp", WAVE: "wav" };

/** Eleven bits of sync, a version, layer III, a bit rate and a sampling rate that exist (ISO 11172-3 §2.4.1.3). */
const isMpegFrame = ([first = 0, second = 0, third = 0]: Uint8Array): boolean =>
  first === 0xff && (second & 0xe6) === 0xe2 && third >> 4 !== 0xf && third >> 4 !== 0 && (third & 0x0c) !== 0x0c;
