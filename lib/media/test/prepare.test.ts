import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import sharp from "sharp";
import { createDecoder } from "../decoder.ts";
import type { MediaKind, Prepared } from "../kinds.ts";
import { Refusal } from "../refusal.ts";
import { animation, bomb, goodFiles, mp4, ogg, phonePhoto, picture, webm } from "./files.ts";
import { malformed } from "./malformed.ts";

const place = mkdtempSync(path.join(tmpdir(), "skein-media-"));
const decoder = createDecoder({ path: process.env.PATH ?? "" });
after(() => {
  decoder.close();
  rmSync(place, { recursive: true, force: true });
});

let files = 0;
type Made = Prepared & { readonly read: (name: string) => Buffer };

async function make(bytes: Buffer, kind: MediaKind): Promise<Made> {
  const file = path.join(place, `upload-${++files}`);
  const dir = path.join(place, `made-${files}`);
  writeFileSync(file, bytes);
  mkdirSync(dir);
  const prepared = await decoder.decode({ file, dir, kind });
  return { ...prepared, read: (name) => readFileSync(path.join(dir, name)) };
}

const refuses = (bytes: Buffer, kind: MediaKind, reason: string) =>
  assert.rejects(make(bytes, kind), (thrown) => thrown instanceof Refusal && thrown.reason === reason, reason);

test("a photo is kept upright in three sizes, and nothing of where and with what it was taken", async () => {
  const sent = await phonePhoto(1_600, 1_200);
  assert.ok((await sharp(sent).metadata()).exif, "the photo says where it was taken");
  const { width, height, blurhash, variants, read } = await make(sent, "photo");
  assert.deepEqual([width, height], [1_200, 1_600]);
  assert.deepEqual(variants, [
    { name: "320.jpg", width: 240, height: 320 },
    { name: "1080.jpg", width: 810, height: 1_080 },
    { name: "full.jpg", width: 1_200, height: 1_600 },
  ]);
  assert.match(blurhash, /^[0-9A-Za-z#$%*+,\-.:;=?@[\]^_{|}~]{28}$/);
  for (const { name, width, height } of variants) {
    const { exif, icc, xmp, iptc, orientation, ...shown } = await sharp(read(name)).metadata();
    assert.deepEqual([exif, icc, xmp, iptc, orientation], [undefined, undefined, undefined, undefined, undefined]);
    assert.deepEqual([shown.width, shown.height, shown.format], [width, height, "jpeg"]);
  }
});

test("every format that is taken is taken: small, transparent, animated, of 16 bits, of four inks", async () => {
  const names = async (bytes: Buffer) => (await make(bytes, "photo")).variants.map(({ name }) => name);
  const small = picture(96, 64);
  assert.deepEqual(await names(await small.clone().webp().toBuffer()), ["full.jpg"]);
  assert.deepEqual(await names(await small.clone().avif({ effort: 0 }).toBuffer()), ["full.jpg"]);
  assert.deepEqual(await names(await picture(1, 1).png().toBuffer()), ["full.jpg"]);
  assert.deepEqual(await names(await picture(400, 64, { alpha: true }).png().toBuffer()), ["320.webp", "full.webp"]);
  assert.deepEqual(await names(await small.clone().toColourspace("rgb16").png().toBuffer()), ["full.jpg"]);
  assert.deepEqual(await names(await small.clone().toColourspace("cmyk").jpeg().toBuffer()), ["full.jpg"]);
  const moving = await make(await animation(400, 80, 5), "photo");
  assert.deepEqual([moving.width, moving.height], [400, 80]);
  for (const { name } of moving.variants) assert.equal((await sharp(moving.read(name)).metadata()).pages, 5);
});

test("what is no picture, is cut, or is larger than it looks, is refused before its pixels are made", async () => {
  const jpeg = await picture(300, 200).jpeg().toBuffer();
  const png = await picture(300, 200).png().toBuffer();
  await refuses(Buffer.alloc(0), "photo", "not-an-image");
  await refuses(jpeg.subarray(0, jpeg.length / 2), "photo", "not-an-image");
  const flipped = Buffer.from(png);
  flipped[png.length - 20] = (flipped[png.length - 20] ?? 0) ^ 0xff;
  await refuses(flipped, "photo", "not-an-image");
  await refuses(bomb(30_000, 30_000), "photo", "image-too-large");
  await refuses(bomb(12_001, 1), "photo", "image-too-large");
  await refuses(bomb(8_000, 8_000), "photo", "image-too-large");
  await refuses(await animation(8, 8, 501), "photo", "image-too-large");
  await refuses(Buffer.from("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"), "photo", "not-an-image");
  await refuses(await picture(9, 9).tiff().toBuffer(), "photo", "not-an-image");
  await refuses(mp4(), "photo", "not-an-image");
});

test("a video is kept as it came, with its size and length, and nothing of where it was taken", async () => {
  for (const [name, film] of [
    ["video.mp4", mp4],
    ["video.webm", webm],
  ] as const) {
    const bytes = film({ seconds: 61, place: "+52.5200+013.4050/" });
    const made = await make(bytes, "video");
    assert.deepEqual([made.width, made.height, made.durationMs], [640, 360, 61_000]);
    const kept = made.variants.find((variant) => variant.name === name);
    assert.deepEqual(kept, { name, width: 640, height: 360 });
    assert.equal(made.read(name).length, bytes.length, "no offset moves");
    assert.ok(bytes.includes("+52.5200") && !made.read(name).includes("+52.5200"));
    await make(made.read(name), "video");
    await refuses(film({ seconds: 601 }), "video", "too-long");
    await refuses(film({ seconds: 91 }), "reel", "too-long");
    await refuses(film({ width: 9_000 }), "video", "video-too-large");
    await refuses(bytes.subarray(0, bytes.length - 1), "video", "not-a-video");
  }
  await refuses(mp4({}, ["soun"]), "video", "not-a-video");
  await refuses(await picture(9, 9).png().toBuffer(), "video", "not-a-video");
});

const hasFfmpeg = spawnSync("ffmpeg", ["-version"]).status === 0;

test("a video has a poster where there is an ffmpeg", { skip: !hasFfmpeg && "no ffmpeg on PATH" }, async () => {
  for (const [name, codec] of [
    ["mp4", "mpeg4"],
    ["webm", "libvpx"],
  ] as const) {
    const file = path.join(place, `film.${name}`);
    const args = ["-v", "error", "-f", "lavfi", "-i", "testsrc=duration=2:size=320x240:rate=10", "-c:v", codec, file];
    assert.equal(spawnSync("ffmpeg", args).status, 0);
    const { variants, durationMs, width, height, blurhash, read } = await make(readFileSync(file), "video");
    assert.deepEqual(variants, [
      { name: "poster.jpg", width: 320, height: 240 },
      { name: `video.${name}`, width: 320, height: 240 },
    ]);
    assert.ok(durationMs >= 1_900 && durationMs <= 2_100, `${durationMs} ms`);
    assert.deepEqual([width, height, blurhash.length], [320, 240, 28]);
    assert.equal((await sharp(read("poster.jpg")).metadata()).width, 320);
  }
});

test("sound is sound alone, and a file is anything, under names of ours", async () => {
  const names = async (bytes: Buffer, kind: MediaKind) => (await make(bytes, kind)).variants.map(({ name }) => name);
  assert.deepEqual(await names(ogg(), "voice"), ["sound.ogg"]);
  assert.deepEqual(await names(mp4({}, ["soun"]), "audio"), ["sound.m4a"]);
  assert.equal((await make(webm({ seconds: 7 }, [2]), "voice")).durationMs, 7_000);
  await refuses(webm({ seconds: 901 }, [2]), "voice", "too-long");
  await refuses(mp4(), "audio", "not-audio");
  await refuses(Buffer.from("hello"), "voice", "not-audio");
  assert.deepEqual(await names(Buffer.from("<script>"), "file"), ["file.bin"]);
});

test("a decoder that dies over a file takes nobody along", async () => {
  const bytes = await picture(3_000, 3_000).png().toBuffer();
  const dying = make(bytes, "photo");
  const next = make(await picture(9, 9).png().toBuffer(), "photo");
  const pid = await pidOf();
  process.kill(pid, "SIGKILL");
  await assert.rejects(dying, (thrown) => thrown instanceof Refusal && thrown.reason === "too-costly");
  assert.equal((await next).variants.length, 1);
  assert.notEqual(decoder.pid(), pid);
});

async function pidOf(): Promise<number> {
  for (;;) {
    const pid = decoder.pid();
    if (pid !== undefined) return pid;
    await new Promise(setImmediate);
  }
}

test("of some hundred malformed files none kills the decoder, and what is kept decodes", {
  timeout: 60_000,
}, async () => {
  const next = malformed(
    Number(process.env.SEED ?? 1),
    (await goodFiles()).map(({ bytes }) => bytes),
  );
  await make(await picture(9, 9).png().toBuffer(), "photo");
  const pid = decoder.pid();
  let kept = 0;
  for (let nth = 0; nth < 300; nth++) {
    const kind = nth % 4 === 3 ? "video" : "photo";
    const made = await make(next(), kind).catch((reason: unknown) => {
      assert.ok(reason instanceof Refusal, String(reason));
      assert.notEqual(reason.reason, "too-costly");
    });
    if (made === undefined || kind === "video") continue;
    kept++;
    for (const { name } of made.variants) await sharp(made.read(name), { failOn: "warning", pages: -1 }).stats();
  }
  assert.equal(decoder.pid(), pid);
  assert.ok(kept > 0, "some are good enough");
});
