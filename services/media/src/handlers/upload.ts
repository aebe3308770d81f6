import { randomUUID } from "node:crypto";
import { open, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import path from "node:path";
import { State } from "#gen/skein/media/v1/media_pb.ts";
import { counter } from "#lib/mesh/metrics.ts";
import type { Objects } from "#lib/storage/objects.ts";
import type { Processing } from "../consumer/process.ts";
import type { StoredMedia } from "../store/media.ts";
import type { MediaStore } from "../store.ts";
import type { Route } from "./http.ts";
import { HttpProblem } from "./problem.ts";
import type { UploadTokens } from "./token.ts";

/** Whoever sent the last byte waits for what becomes of it, so long. */
const outcomeMs = 20_000;
/** Requests that send at once; each writes to the disk. */
const sendersMax = 64;
/** An upload may come in so many parts. */
const partsMax = 1_000;

const receivedBytes = counter({ name: "skein_media_received_bytes_total", help: "Bytes of uploads that were kept." });

/** The tus version spoken: https://tus.io/protocols/resumable-upload (core, creation by RPC). */
const tus = { "tus-resumable": "1.0.0", "cache-control": "no-store" };

type Needs = {
  readonly store: MediaStore;
  readonly objects: Objects;
  readonly tokens: UploadTokens;
  readonly processing: Processing;
  readonly spool: string;
  /** One request may send for so long. */
  readonly sendMs: number;
};

/**
 * Takes uploads by tus 1.0: HEAD says how much is there, PATCH sends from there on. What arrived of a request that was cut or was
 * too slow is kept. The answer to the last byte says what became of it: 204, or 422 with the reason.
 */
export function uploads({ store, objects, tokens, processing, spool, sendMs }: Needs): Route {
  let senders = 0;

  async function find(token: string): Promise<StoredMedia> {
    const id = tokens.read(token);
    const media = id === undefined ? undefined : await store.byId(id);
    if (media === undefined) throw new HttpProblem(404, "not-found", "no such upload", tus);
    return media;
  }

  /** Receives into a file and keeps what came; answers how much there is now, and whether its sender was too slow. */
  async function receive(req: IncomingMessage, media: StoredMedia): Promise<{ received: number; isLate: boolean }> {
    const { id, receivedBytes: start, sizeBytes: whole } = media;
    const file = path.join(spool, randomUUID());
    try {
      const { sizeBytes, isLate } = await spooled(req, { file, room: whole - start, sendMs });
      if (sizeBytes === 0) return { received: start, isLate };
      const part = { start, sizeBytes, object: `parts/${id}/${start}-${randomUUID()}` };
      await objects.put(part.object, file, sizeBytes);
      if (!(await store.addPart(media, part))) {
        await objects.delete(part.object);
        throw new HttpProblem(409, "offset-conflict", "another request was sending from there", tus);
      }
      receivedBytes.inc(sizeBytes);
      return { received: start + sizeBytes, isLate };
    } finally {
      await rm(file, { force: true });
    }
  }

  async function send(req: IncomingMessage, media: StoredMedia): Promise<number> {
    if ((await store.parts(media.id)).length >= partsMax) {
      throw new HttpProblem(400, "too-many-parts", `an upload has at most ${partsMax} parts`, tus);
    }
    if (senders >= sendersMax) throw new HttpProblem(503, "overloaded", "Overloaded", { ...tus, "retry-after": "1" });
    senders++;
    try {
      const { received, isLate } = await receive(req, media);
      const headers = { ...tus, "upload-offset": String(received) };
      if (isLate) throw new HttpProblem(408, "request-timeout", `at most ${sendMs} ms a request; go on`, headers);
      return received;
    } finally {
      senders--;
    }
  }

  return async (req, res, token) => {
    if (req.method === "OPTIONS") {
      return void res.writeHead(204, { ...tus, "tus-version": "1.0.0" }).end();
    }
    if (req.method !== "HEAD" && req.method !== "PATCH") {
      throw new HttpProblem(405, "method-not-allowed", "HEAD, PATCH or OPTIONS", { allow: "HEAD, PATCH, OPTIONS" });
    }
    const media = await find(token);
    if (req.method === "HEAD") {
      const place = { "upload-offset": String(media.receivedBytes), "upload-length": String(media.sizeBytes) };
      return void res.writeHead(200, { ...tus, ...place }).end();
    }
    mustContinue(req, media);
    const received = media.state === State.UPLOADING ? await send(req, media) : media.receivedBytes;
    if (received === media.sizeBytes) mustBeFine(await processing.within(media.id, outcomeMs));
    res.writeHead(204, { ...tus, "upload-offset": String(received) }).end();
  };
}

/** What can be refused before a byte is read. */
function mustContinue(
  { headers }: IncomingMessage,
  { state, receivedBytes: received, sizeBytes, failure }: StoredMedia,
): void {
  if (headers["tus-resumable"] !== "1.0.0") {
    throw new HttpProblem(412, "unsupported-version", "send Tus-Resumable: 1.0.0", { ...tus, "tus-version": "1.0.0" });
  }
  if (headers["content-type"] !== "application/offset+octet-stream") {
    throw new HttpProblem(415, "unsupported-media-type", "send application/offset+octet-stream", tus);
  }
  if (state === State.FAILED) mustBeFine(failure);
  if (headers["upload-offset"] !== String(received)) {
    const place = { ...tus, "upload-offset": String(received) };
    throw new HttpProblem(409, "offset-conflict", `Upload-Offset must be ${received}`, place);
  }
  if (Number(headers["content-length"] ?? 0) > sizeBytes - received) throw tooLarge(sizeBytes);
}

const tooLarge = (sizeBytes: number): HttpProblem =>
  new HttpProblem(413, "payload-too-large", `the upload was announced with ${sizeBytes} bytes`, tus);

/** A failure in the words of the contract; empty where there is none, or none yet. */
function mustBeFine(failure: string): void {
  if (failure !== "") throw new HttpProblem(422, failure, `the upload is refused: ${failure}`, tus);
}

/** Writes a body to a file, chunk by chunk. What is more than there is room for makes it void. */
async function spooled(
  req: IncomingMessage,
  { file, room, sendMs }: { readonly file: string; readonly room: number; readonly sendMs: number },
): Promise<{ sizeBytes: number; isLate: boolean }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((tell) => {
    timer = setTimeout(() => tell("late"), sendMs);
  });
  const handle = await open(file, "wx");
  let sizeBytes = 0;
  try {
    const chunks = req.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
    for (;;) {
      // A connection that breaks ends the body where it is.
      const next = await Promise.race([chunks.next().catch(() => ({ done: true, value: undefined }) as const), late]);
      if (next === "late" || next.done === true) return { sizeBytes, isLate: next === "late" };
      if (sizeBytes + next.value.length > room) throw tooLarge(sizeBytes + room);
      // All of it: a single write may stop short where the disk is nearly full.
      await handle.appendFile(next.value);
      sizeBytes += next.value.length;
    }
  } finally {
    clearTimeout(timer);
    await handle.close();
  }
}
