import { randomUUID } from "node:crypto";
import { copyFile, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import path from "node:path";
import { unavailable } from "#lib/mesh/errors.ts";
import { listMax, mustBeKey, type Objects, type ObjectsConfig } from "./object.ts";

/** Objects as files of one directory, which every process of the service must reach. UNAVAILABLE where the disk does not do its part. */
export function diskObjects({ dir, freeBytesMin }: Pick<ObjectsConfig, "dir" | "freeBytesMin">): Objects {
  const placeOf = (key: string): string => path.join(dir, ...mustBeKey(key).split("/"));

  async function mustHaveRoom(sizeBytes: number): Promise<void> {
    await mkdir(dir, { recursive: true });
    const { bavail, bsize } = await statfs(dir);
    if (bavail * bsize < freeBytesMin + sizeBytes) throw new Error(`less than ${freeBytesMin} bytes are free`);
  }

  return {
    put: (key, file, sizeBytes) =>
      told(async () => {
        await mustHaveRoom(sizeBytes);
        const place = placeOf(key);
        const coming = path.join(dir, "coming", randomUUID());
        await mkdir(path.dirname(coming), { recursive: true });
        await mkdir(path.dirname(place), { recursive: true });
        try {
          await copyFile(file, coming);
          await synced(coming);
          await rename(coming, place);
          await synced(path.dirname(place));
        } finally {
          await rm(coming, { force: true });
        }
      }),

    get: (key, range) =>
      told(async () => {
        const file = await open(placeOf(key)).catch(absent);
        return file?.createReadStream({ ...(range && { start: range.start, end: range.end }) });
      }),

    head: (key) => told(async () => (await stat(placeOf(key)).catch(absent))?.size),

    delete: (key) =>
      told(async () => {
        const place = placeOf(key);
        await rm(place, { force: true });
        // The last one out takes the directory along.
        const parent = path.dirname(place);
        if ((await readdir(parent).catch(absent))?.length === 0) await rm(parent, { recursive: true, force: true });
      }),

    list: (prefix) =>
      told(async () => {
        const names = (await readdir(path.join(dir, ...prefix.split("/"))).catch(absent)) ?? [];
        return names.slice(0, listMax).map((name) => `${prefix}${name}`);
      }),

    direct: async () => undefined,
  };
}

/** On the disk, not only on its way there: what was acknowledged outlives a power cut. */
async function synced(place: string): Promise<void> {
  const handle = await open(place);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function absent(reason: unknown): undefined {
  const { code } = reason as NodeJS.ErrnoException;
  if (code === "ENOENT") return undefined;
  throw reason;
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (reason) {
    throw unavailable("the object store", reason);
  }
}
