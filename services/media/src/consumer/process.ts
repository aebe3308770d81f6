import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Kind, State } from "#gen/skein/media/v1/media_pb.ts";
import { pause } from "#lib/events/lease.ts";
import type { createDecoder } from "#lib/media/decoder.ts";
import type { MediaKind } from "#lib/media/kinds.ts";
import { Refusal } from "#lib/media/refusal.ts";
import type { Log } from "#lib/mesh/log.ts";
import { counter, inTime } from "#lib/mesh/metrics.ts";
import type { Loop } from "#lib/mesh/run.ts";
import type { Objects } from "#lib/storage/objects.ts";
import { objectOf } from "../handlers/download.ts";
import type { StoredMedia } from "../store/media.ts";
import type { MediaStore } from "../store.ts";

/** Uploads taken up in one look. */
const leftMax = 20;
/** How often it is looked whether somebody else is done. */
const lookMs = 100;
/** After as many tries, over two hours, it is the upload. */
const triesMax = 10;
const againSecondsMax = 900;

const processedTotal = counter({
  name: "skein_media_processed_total",
  help: "Uploads that were processed, by what became of them: ready, failed, or put off because something was away.",
  labels: ["outcome"],
});

/** What each kind is called where it is decoded. */
const kinds: Readonly<Partial<Record<Kind, MediaKind>>> = {
  [Kind.PHOTO]: "photo",
  [Kind.VIDEO]: "video",
  [Kind.REEL]: "reel",
  [Kind.VOICE]: "voice",
  [Kind.AUDIO]: "audio",
  [Kind.FILE]: "file",
};

type Needs = {
  readonly store: MediaStore;
  readonly objects: Objects;
  readonly decoder: ReturnType<typeof createDecoder>;
  readonly spool: string;
  readonly sweepMs: number;
  readonly log: Log;
};

export type Processing = ReturnType<typeof createProcessing>;

/** Makes of whole uploads what is kept of them: at once where they came, and by the sweep where somebody died over one. */
export function createProcessing({ store, objects, decoder, spool, sweepMs, log }: Needs) {
  /** Does the work where nobody else does, and answers why it failed; empty where it did not, or is not done yet. */
  async function process(id: bigint): Promise<string> {
    if (!(await store.claim(id))) return (await store.byId(id))?.failure ?? "";
    const media = await store.byId(id);
    if (media === undefined) return "";
    try {
      await keep(media);
      processedTotal.labels("ready").inc();
      return "";
    } catch (reason) {
      if (!(reason instanceof Refusal)) return await putOff(media, reason);
      return await fail(media, reason.reason);
    }
  }

  /** The same, and where somebody else has it, what they make of it. */
  async function outcome(id: bigint, endMs: number): Promise<string> {
    for (;;) {
      const failure = await process(id);
      const isUnderWay = (await store.byId(id))?.state === State.PROCESSING;
      if (!isUnderWay || Date.now() > endMs) return failure;
      await sleep(lookMs);
    }
  }

  async function keep(media: StoredMedia): Promise<void> {
    const dir = path.join(spool, randomUUID());
    const whole = path.join(dir, "upload");
    const made = path.join(dir, "made");
    await mkdir(made, { recursive: true });
    try {
      await assemble(media, whole);
      const prepared = await decoder.decode({ file: whole, dir: made, kind: kinds[media.kind] ?? "file" });
      for (const { name } of prepared.variants) {
        const file = path.join(made, name);
        await objects.put(objectOf(media.handle, name), file, (await stat(file)).size);
      }
      if (!(await store.ready(media.id, prepared))) return;
      await removeParts(media.id);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  async function assemble({ id, sizeBytes }: StoredMedia, file: string): Promise<void> {
    let at = 0;
    for (const part of await store.parts(id)) {
      const bytes = await objects.get(part.object);
      if (bytes === undefined || part.start !== at) throw new Error(`part ${part.object} is not there`);
      await pipeline(bytes, createWriteStream(file, { flags: "a" }));
      at += part.sizeBytes;
    }
    const { size } = await stat(file);
    if (size !== sizeBytes) throw new Error(`${size} bytes of ${sizeBytes} are there`);
  }

  /** Also what was put there and never told of. */
  async function removeParts(id: bigint): Promise<void> {
    for (const key of await objects.list(`parts/${id}/`)) await objects.delete(key);
  }

  async function fail(media: StoredMedia, failure: string): Promise<string> {
    await store.failed(media.id, failure);
    processedTotal.labels("failed").inc();
    await removeParts(media.id).catch((error: unknown) => log.warn("parts stay until it is collected", { error }));
    return failure;
  }

  async function putOff(media: StoredMedia, error: unknown): Promise<string> {
    const tries = await store.tries(media.id);
    log.warn("an upload is put off", { media: String(media.id), tries, error });
    processedTotal.labels("put off").inc();
    if (tries >= triesMax) return await fail(media, "unprocessable");
    await store.putOff(media.id, Math.min(againSecondsMax, 2 ** tries));
    return "";
  }

  const loop: Loop = async (signal) => {
    while (!signal.aborted) {
      const ids = await store.left(leftMax).catch(() => []);
      for (const id of ids) {
        if (signal.aborted) return;
        await process(id).catch((error: unknown) => log.warn("an upload is left", { error }));
      }
      await pause(sweepMs, signal);
    }
  };

  return {
    loop,
    removeParts,
    /** Why it failed; empty where it did not, or nobody knows so soon. Whoever works on it goes on. */
    async within(id: bigint, ms: number): Promise<string> {
      const work = outcome(id, Date.now() + ms).catch((error: unknown) => {
        log.warn("an upload is left", { error });
        return "";
      });
      return await inTime(ms, () => work).catch(() => "");
    },
    begin: (id: bigint): void => void process(id).catch((error: unknown) => log.warn("an upload is left", { error })),
  };
}
