import { writeFile } from "node:fs/promises";
import path from "node:path";
import { encode } from "blurhash";
import sharp from "sharp";
import type { Prepared } from "./kinds.ts";
import { Refusal } from "./refusal.ts";

/** One side of a picture. */
const sideMax = 12_000;
/**
 * All pixels of a picture, of all its frames together: 200 MB where each takes four bytes. That of a preview waits among uploads, and is
 * to hold them up no longer than a photo of a phone.
 */
const pixelsMax = { photo: 50_000_000, preview: 20_000_000 } as const;
/** Frames of an animation. */
const framesMax = 500;

/**
 * The longest side of each form, smallest first. One that would be no smaller than the next is left out. The picture of a preview
 * is shown on a card, and stands still.
 */
const forms = {
  photo: [
    { name: "320", side: 320 },
    { name: "1080", side: 1080 },
    { name: "full", side: 4096 },
  ],
  preview: [{ name: "full", side: 800 }],
} as const;

/** Of a placeholder: what is lost at 32 pixels is not in it. */
const hashSide = 32;

// One picture after another, each on one thread: the process is one of several on its machine.
sharp.cache(false);
sharp.concurrency(1);
// libvips reads many formats, some by parsers that nobody hardens: only those that we take are left.
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({
  operation: [
    "VipsForeignLoadJpegFile",
    "VipsForeignLoadPngFile",
    "VipsForeignLoadWebpFile",
    "VipsForeignLoadNsgifFile",
    "VipsForeignLoadHeifFile",
  ],
});

const known = new Set(["jpeg", "png", "webp", "gif", "heif"]);

/**
 * Decodes a picture whole, and writes its forms into a directory: upright, in sRGB, without EXIF, GPS, profiles or anything else
 * that was in the file. Opaque ones are JPEG, transparent and animated ones WebP. A Refusal where it does not decode without a
 * warning, or is larger than 12,000 a side, 50 megapixels or 500 frames.
 */
export async function prepareImage(file: string, dir: string, kind: keyof typeof forms): Promise<Prepared> {
  const { pages, hasAlpha, longest } = await examined(file, kind);
  const isAnimated = pages > 1;
  const open = () => sharp(file, { failOn: "warning", limitInputPixels: pixelsMax[kind], pages: isAnimated ? -1 : 1 });
  const isOpaque = !hasAlpha && !isAnimated;
  const variants: Prepared["variants"][number][] = [];
  for (const [nth, { name, side }] of forms[kind].entries()) {
    const isLast = nth === forms[kind].length - 1 || longest <= side;
    const sized = open().autoOrient().resize({ width: side, height: side, fit: "inside", withoutEnlargement: true });
    const form = isOpaque ? sized.jpeg({ quality: 82 }) : sized.webp({ quality: 80, effort: 2 });
    const { data, info } = await decoding(form.toColourspace("srgb").toBuffer({ resolveWithObject: true }));
    const fullName = `${isLast ? "full" : name}.${isOpaque ? "jpg" : "webp"}`;
    await writeFile(path.join(dir, fullName), data);
    const height = isAnimated ? (info.pageHeight ?? info.height) : info.height;
    variants.push({ name: fullName, width: info.width, height });
    if (isLast) break;
  }
  const { width, height } = variants.at(-1) as { width: number; height: number };
  const last = path.join(dir, variants[0]?.name ?? "");
  return { width, height, durationMs: 0, blurhash: await blurhashOf(last), variants };
}

/** What its header says, held to the limits before a pixel is decoded. */
async function examined(file: string, kind: keyof typeof forms) {
  const head = await decoding(sharp(file, { failOn: "warning", limitInputPixels: false, pages: -1 }).metadata());
  const { format, compression, width = 0, hasAlpha = false } = head;
  // Of a sequence of AVIF the first picture is shown, and on a card of any.
  const pages = format === "heif" || kind === "preview" ? 1 : (head.pages ?? 1);
  const height = head.pageHeight ?? head.height ?? 0;
  if (!known.has(format ?? "") || (format === "heif" && compression !== "av1")) {
    throw new Refusal("not-an-image", "of a format that is not taken");
  }
  if (width > sideMax || height > sideMax) throw new Refusal("image-too-large", `a side of more than ${sideMax}`);
  if (width * height * pages > pixelsMax[kind]) {
    throw new Refusal("image-too-large", `more than ${pixelsMax[kind]} pixels`);
  }
  if (pages > framesMax) throw new Refusal("image-too-large", `more than ${framesMax} frames`);
  return { pages, hasAlpha, longest: Math.max(width, height) };
}

/** Whatever the decoder says is the bytes' fault: what is ours (a full disk, no memory) does not come from it. */
async function decoding<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Refusal(/pixel limit/.test(message) ? "image-too-large" : "not-an-image", message);
  }
}

/** Of the smallest form, which decodes. */
async function blurhashOf(file: string): Promise<string> {
  const small = sharp(file).resize({ width: hashSide, height: hashSide, fit: "inside" }).ensureAlpha();
  const { data, info } = await small.raw().toBuffer({ resolveWithObject: true });
  const [x, y] = info.width < info.height ? [3, 4] : [4, 3];
  return encode(new Uint8ClampedArray(data), info.width, info.height, x, y);
}
