import { type FileHandle, open, rename } from "node:fs/promises";
import path from "node:path";
import { bytesAt, type Track } from "./bytes-at.ts";
import { prepareImage } from "./image.ts";
import type { MediaKind, Prepared } from "./kinds.ts";
import { readMp4 } from "./mp4.ts";
import { posterOf } from "./poster.ts";
import { Refusal } from "./refusal.ts";
import { type Format, headBytes, sniff } from "./sniff.ts";
import { readWebm } from "./webm.ts";

/** How long each may last. What does not say how long it lasts is held to its bytes alone. */
const durationMsMax = { video: 600_000, reel: 90_000, voice: 900_000, audio: 3_600_000 } as const;
/** One side of a video. */
const videoSideMax = 8_192;

/** How each format is called in an address. */
const extensions: Readonly<Partial<Record<NonNullable<Format>, string>>> = {
  mp4: "mp4",
  webm: "webm",
  ogg: "ogg",
  mp3: "mp3",
  wav: "wav",
  flac: "flac",
};

/**
 * Makes of an uploaded file what is kept of it, in `dir`, and takes the file itself where it is kept as it is. A Refusal where it
 * is not of its kind, or beyond the limits of it.
 */
export async function prepare(file: string, dir: string, kind: MediaKind): Promise<Prepared> {
  const handle = await open(file, "r+");
  try {
    const format = sniff(await bytesAt(handle, 0, headBytes));
    if (kind === "photo" || kind === "preview") return await photo(format, file, dir, kind);
    if (kind === "file") return await asIs(file, dir, "file.bin");
    const track = await trackOf(format, handle);
    if (kind === "video" || kind === "reel") return await video({ format, track, handle, file, dir, kind });
    if (track === undefined ? !isSound(format) : !track.hasAudio || track.hasVideo) {
      throw new Refusal("not-audio", "not Ogg, MP3, WAV, FLAC, MP4 or WebM with sound alone");
    }
    const { durationMs = 0, erasures = [] } = track ?? {};
    mustEnd(durationMs, durationMsMax[kind]);
    for (const { at, bytes } of erasures) await handle.write(bytes, 0, bytes.length, at);
    const name = `sound.${format === "mp4" ? "m4a" : extensions[format as NonNullable<Format>]}`;
    return { ...(await asIs(file, dir, name)), durationMs };
  } finally {
    await handle.close();
  }
}

async function photo(format: Format, file: string, dir: string, kind: "photo" | "preview"): Promise<Prepared> {
  const isImage = format !== undefined && !(format in extensions);
  if (!isImage) throw new Refusal("not-an-image", "not JPEG, PNG, WebP, AVIF or GIF");
  return await prepareImage(file, dir, kind);
}

type Video = {
  readonly format: Format;
  readonly track: Track | undefined;
  readonly handle: FileHandle;
  readonly file: string;
  readonly dir: string;
  readonly kind: "video" | "reel";
};

/** Kept as it came, but for what it tells of places and people. It is not decoded: a poster, where there is one, is. */
async function video({ format, track, handle, file, dir, kind }: Video): Promise<Prepared> {
  if (track === undefined || !track.hasVideo) throw new Refusal("not-a-video", "not MP4 or WebM with pictures");
  const { width, height, durationMs } = track;
  if (width === 0 || height === 0) throw new Refusal("not-a-video", "has pictures of no size");
  if (width > videoSideMax || height > videoSideMax) {
    throw new Refusal("video-too-large", `a side of more than ${videoSideMax}`);
  }
  if (durationMs === 0) throw new Refusal("not-a-video", "does not say how long it is");
  mustEnd(durationMs, durationMsMax[kind]);
  for (const { at, bytes } of track.erasures) await handle.write(bytes, 0, bytes.length, at);
  const poster = await posterOf(file, dir);
  const { variants } = await asIs(file, dir, `video.${format}`);
  return {
    width,
    height,
    durationMs,
    blurhash: poster?.blurhash ?? "",
    variants: [...(poster?.variants ?? []), ...variants.map((variant) => ({ ...variant, width, height }))],
  };
}

async function trackOf(format: Format, handle: FileHandle): Promise<Track | undefined> {
  if (format !== "mp4" && format !== "webm") return undefined;
  const { size } = await handle.stat();
  return await (format === "mp4" ? readMp4 : readWebm)(handle, size);
}

const isSound = (format: Format): boolean =>
  format === "ogg" || format === "mp3" || format === "wav" || format === "flac";

function mustEnd(durationMs: number, max: number): void {
  if (durationMs > max) throw new Refusal("too-long", `lasts ${durationMs} ms of at most ${max}`);
}

async function asIs(file: string, dir: string, name: string): Promise<Prepared> {
  await rename(file, path.join(dir, name));
  return { width: 0, height: 0, durationMs: 0, blurhash: "", variants: [{ name, width: 0, height: 0 }] };
}
