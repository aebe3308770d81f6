import { execFile } from "node:child_process";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { prepareImage } from "./image.ts";
import type { Prepared } from "./kinds.ts";

/** A first picture comes within a second; a file that keeps ffmpeg longer gets none. */
const posterMs = 10_000;

/**
 * A still of a video as `poster.jpg`, with its placeholder, by the ffmpeg on PATH. Undefined where there is none, or it finds no
 * picture: a video is good without.
 */
export async function posterOf(file: string, dir: string): Promise<Prepared | undefined> {
  const still = path.join(dir, "still.png");
  const forms = path.join(dir, "still");
  try {
    // The protocols that a playlist inside the file could name are not there.
    const args = ["-v", "error", "-nostdin", "-protocol_whitelist", "file", "-threads", "1", "-i", file];
    await promisify(execFile)("ffmpeg", [...args, "-frames:v", "1", "-vf", "scale='min(1080,iw)':-2", still], {
      timeout: posterMs,
      killSignal: "SIGKILL",
    });
    await mkdir(forms);
    const prepared = await prepareImage(still, forms, "photo");
    const full = prepared.variants.at(-1);
    if (full === undefined) return undefined;
    const name = `poster${path.extname(full.name)}`;
    await rename(path.join(forms, full.name), path.join(dir, name));
    return { ...prepared, variants: [{ ...full, name }] };
  } catch {
    return undefined;
  } finally {
    await rm(still, { force: true });
    await rm(forms, { recursive: true, force: true });
  }
}
