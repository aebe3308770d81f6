import { type Client, Code } from "@connectrpc/connect";
import { type MediaService, MediaState } from "#gen/skein/api/v1/media_pb.ts";
import type { Media, MediaKind } from "#gen/skein/api/v1/resources_pb.ts";
import { SkeinError } from "./error.ts";

/** What is to be uploaded. */
export type Upload = {
  readonly kind: MediaKind;
  readonly bytes: Uint8Array<ArrayBuffer> | Blob;
  /** For those who do not see it. */
  readonly alt?: string;
  /** Names the upload: the same key goes on where it was cut, also in another process. One is made where none is given. */
  readonly key?: string;
  readonly signal?: AbortSignal;
  /** Called whenever more bytes are there. */
  readonly onProgress?: (sentBytes: number, allBytes: number) => void;
};

/** Bytes of one request: what a slow line (1.4 Mbit/s) sends within the 25 s that the server gives it. */
const partBytes = 4 * 1024 * 1024;
/** Requests in a row that bring nothing. */
const failuresMax = 8;
const firstWaitMs = 100;
/** Media that is not ready by then is slow to decode: ask GetMedia later. */
const readyMsMax = 120_000;
const lookMs = 200;

const tus = { "Tus-Resumable": "1.0.0" };

type Needs = {
  readonly media: Client<typeof MediaService>;
  readonly baseUrl: string;
  readonly fetch: typeof globalThis.fetch;
  readonly wait: (ms: number) => Promise<void>;
};

/**
 * Uploads media and answers it when it is ready to be part of a post. Goes on where a connection breaks or is too slow. Fails
 * with a SkeinError whose reason says what is wrong with the bytes (`not-an-image`, `image-too-large`, …), or `unavailable`
 * after eight requests in a row that brought nothing.
 */
export async function upload({ media, baseUrl, fetch, wait }: Needs, what: Upload): Promise<Media> {
  const { kind, alt = "", key = crypto.randomUUID(), signal, onProgress } = what;
  const bytes = what.bytes instanceof Blob ? what.bytes : new Blob([what.bytes]);
  const options = { headers: { "Idempotency-Key": key }, ...(signal && { signal }) };
  const created = await media.createMedia({ kind, sizeBytes: bytes.size, alt }, options);
  const url = new URL(created.upload?.url ?? "", baseUrl).href;
  const ask = (method: string, more: RequestInit & { headers?: Record<string, string> } = {}) =>
    fetch(url, { ...more, method, headers: { ...tus, ...more.headers }, ...(signal && { signal }) });

  const isWhole = created.state !== MediaState.UPLOADING;
  let offset = isWhole ? bytes.size : await offsetNow();
  for (let failures = 0; offset < bytes.size; ) {
    const before = offset;
    offset = await sent(bytes.slice(offset, offset + partBytes));
    onProgress?.(offset, bytes.size);
    failures = offset > before ? 0 : failures + 1;
    if (failures === failuresMax) throw unavailable();
    if (failures > 0) await wait(firstWaitMs * 2 ** failures);
  }
  return await ready();

  /** Sends a part, and answers how much is there now. */
  async function sent(part: Blob): Promise<number> {
    const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) };
    const answer = await ask("PATCH", { headers, body: part }).catch(passing);
    if (answer === undefined) return await offsetNow();
    if (answer.ok) return Number(answer.headers.get("upload-offset"));
    // Too slow, or somebody else is sending: what came is there.
    if ([408, 409, 502, 503, 504].includes(answer.status)) return await offsetNow();
    throw await refusal(answer);
  }

  async function offsetNow(): Promise<number> {
    for (let tried = 1; ; tried++) {
      const answer = await ask("HEAD").catch(passing);
      if (answer?.ok) return Number(answer.headers.get("upload-offset"));
      if (answer?.status === 404)
        throw new SkeinError("the upload was collected", Code.NotFound, { reason: "not-found" });
      if (tried === failuresMax) throw unavailable();
      await wait(firstWaitMs * 2 ** tried);
    }
  }

  async function ready(): Promise<Media> {
    const end = Date.now() + readyMsMax;
    for (;;) {
      const found = await media.getMedia({ media: created.media?.id ?? "" }, signal && { signal });
      if (found.state === MediaState.READY && found.media !== undefined) return found.media;
      if (found.state === MediaState.FAILED) {
        throw new SkeinError(`the upload is refused: ${found.failure}`, Code.InvalidArgument, {
          reason: found.failure,
        });
      }
      if (Date.now() > end)
        throw new SkeinError("not ready yet", Code.DeadlineExceeded, { reason: "deadline-exceeded" });
      await wait(lookMs);
    }
  }

  /** A connection that broke is tried again; a caller who gave up is not. */
  function passing(reason: unknown): undefined {
    if (signal?.aborted) throw reason;
    return undefined;
  }
}

const unavailable = (): SkeinError =>
  new SkeinError("the upload does not get on", Code.Unavailable, { reason: "unavailable" });

/** A refusal of the door for bytes, which speaks RFC 9457. */
async function refusal(answer: Response): Promise<SkeinError> {
  const problem = (await answer.json().catch(() => ({}))) as { type?: string; detail?: string };
  const reason = problem.type?.replace("/problems/", "") ?? `http-${answer.status}`;
  const code = answer.status === 413 ? Code.ResourceExhausted : Code.InvalidArgument;
  return new SkeinError(problem.detail ?? reason, code, { reason, headers: answer.headers });
}
