import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, statfs } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Env } from "./command.ts";
import { LaunchFailure, writeFailure } from "./failure.ts";

/** All servers unpacked take 350 MB; half as much again leaves room for the packages themselves. */
const freeSpaceMinBytes = 500 * 1024 * 1024;
/** A build takes minutes; what is older was left by a run that was killed. */
const scratchAgeMaxMs = 24 * 3600 * 1000;

export function cacheDirOf(env: Env): string {
  return env.SKEIN_CACHE || join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "skein");
}

/**
 * A directory that is built once and shared by all clones. It is built aside and renamed: a reader never sees half of
 * one, and of two builders at once the second finds the first one's.
 */
export async function cached({
  cacheDir,
  name,
  build,
}: {
  cacheDir: string;
  name: string;
  build: (scratchDir: string) => Promise<void>;
}): Promise<string> {
  const dir = join(cacheDir, name);
  if (existsSync(dir)) return dir;
  const scratchDir = await makeScratch(cacheDir, name);
  try {
    await build(scratchDir);
    await rename(scratchDir, dir);
  } catch (error) {
    if (!existsSync(dir)) throw writeFailure(error, cacheDir, "set SKEIN_CACHE to a directory you can write");
  } finally {
    await rm(scratchDir, { recursive: true, force: true });
  }
  return dir;
}

export async function makeScratch(cacheDir: string, name: string): Promise<string> {
  try {
    await mkdir(cacheDir, { recursive: true });
    await removeOldScratch(cacheDir);
    await requireSpace(cacheDir);
    return await mkdtemp(join(cacheDir, `.${name}-`));
  } catch (error) {
    throw writeFailure(error, cacheDir, "set SKEIN_CACHE to a directory you can write");
  }
}

export async function requireSpace(dir: string, minBytes: number = freeSpaceMinBytes): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  const freeBytes = bavail * bsize;
  if (freeBytes >= minBytes) return;
  const [free, needed] = [freeBytes, minBytes].map((bytes) => `${Math.floor(bytes / 1024 / 1024)} MB`);
  throw new LaunchFailure(`only ${free} are free on the disk that holds ${dir}; ${needed} are needed`);
}

/** Libraries differ between systems, and a home may be shared by several: the system is part of a name in the cache. */
export async function systemName(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const field = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, "m").exec(text)?.[1] ?? "";
  return `${field("ID") || process.platform}${field("VERSION_ID")}-${process.arch}`;
}

async function removeOldScratch(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    if (!name.startsWith(".")) continue;
    const path = join(cacheDir, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > scratchAgeMaxMs) {
      await rm(path, { recursive: true, force: true });
    }
  }
}
