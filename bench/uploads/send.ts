import { randomUUID } from "node:crypto";
import sharp from "sharp";
import { goodFiles } from "#lib/media/test/files.ts";
import { malformed } from "#lib/media/test/malformed.ts";
import { register } from "../../tests/support/person.ts";
import { randomOf } from "../../tools/seed/random.ts";

/** What came of some uploads. */
export type Tally = {
  /** Of the last request of each, by status. */
  readonly answers: Record<string, number>;
  /** Addresses of what was kept and does not decode. */
  readonly undecodable: string[];
  kept: number;
  forms: number;
  cut: number;
  abandoned: number;
};

type Plan = { readonly edge: string; readonly count: number; readonly lanes: number; readonly seed: number };
type Person = Awaited<ReturnType<typeof register>>;
type Made = { media: { id: string }; upload: { url: string } };
type Found = { state: string; media: { variants: { url: string }[] } };

const tus = { "tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream" };

/** Sends all of them, several at once, each lane a person of its own. */
export async function uploadAll(plan: Plan, said: (done: number) => void): Promise<Tally> {
  const { edge, count, lanes, seed } = plan;
  const next = malformed(
    seed,
    (await goodFiles()).map(({ bytes }) => bytes),
  );
  const random = randomOf("uploads", seed);
  const tally: Tally = { answers: {}, undecodable: [], kept: 0, forms: 0, cut: 0, abandoned: 0 };
  let begun = 0;
  let done = 0;
  const lane = async (): Promise<void> => {
    const person = await register(edge);
    while (begun++ < count) {
      const bytes = next();
      const how = random.next();
      const cutAt = how < 0.2 ? random.below(bytes.length) : undefined;
      const kind = random.next() < 0.75 ? "PHOTO" : "VIDEO";
      if (bytes.length > 0) await one({ edge, person, bytes, kind, cutAt, isLeft: how < 0.1 }, tally);
      said(++done);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return tally;
}

type One = {
  readonly edge: string;
  readonly person: Person;
  readonly bytes: Buffer;
  readonly kind: string;
  readonly cutAt: number | undefined;
  readonly isLeft: boolean;
};

async function one({ edge, person, bytes, kind, cutAt, isLeft }: One, tally: Tally): Promise<void> {
  const body = { kind: `MEDIA_KIND_${kind}`, sizeBytes: bytes.length };
  const { body: made } = await person.call<Made>("POST", "/v1/media", { body, key: randomUUID() });
  const url = `${edge}${made.upload.url}`;
  let offset = 0;
  if (cutAt !== undefined) {
    await cutOff(url, bytes, cutAt);
    if (isLeft) {
      tally.abandoned++;
      return;
    }
    tally.cut++;
    offset = await offsetOf(url);
  }
  let answer = await patch(url, bytes, offset);
  // What was cut may still be on its way to the disk.
  while (answer.status === 409) answer = await patch(url, bytes, await offsetOf(url));
  tally.answers[answer.status] = (tally.answers[answer.status] ?? 0) + 1;
  if (answer.status === 204) await judge({ edge, person, id: made.media.id, isPhoto: kind === "PHOTO" }, tally);
}

/** Sends the head of a body, and goes away in the middle of it. */
async function cutOff(url: string, bytes: Buffer, cutAt: number): Promise<void> {
  const leaving = new AbortController();
  const body = new ReadableStream({
    async pull(controller) {
      if (cutAt > 0) controller.enqueue(bytes.subarray(0, cutAt));
      await new Promise(setImmediate);
      leaving.abort();
    },
  });
  const headers = { ...tus, "upload-offset": "0" };
  await fetch(url, { method: "PATCH", headers, body, duplex: "half", signal: leaving.signal }).catch(() => undefined);
}

const patch = async (url: string, bytes: Buffer, offset: number): Promise<Response> => {
  const headers = { ...tus, "upload-offset": String(offset) };
  const answer = await fetch(url, { method: "PATCH", headers, body: new Uint8Array(bytes.subarray(offset)) });
  await answer.arrayBuffer();
  return answer;
};

const offsetOf = async (url: string): Promise<number> =>
  Number((await fetch(url, { method: "HEAD", headers: tus })).headers.get("upload-offset"));

type Judged = { readonly edge: string; readonly person: Person; readonly id: string; readonly isPhoto: boolean };

/** Fetches every form of what was kept; a photo's must decode without a warning. */
async function judge({ edge, person, id, isPhoto }: Judged, tally: Tally): Promise<void> {
  const { body } = await person.call<Found>("GET", `/v1/media/${id}`);
  if (body.state !== "MEDIA_STATE_READY") {
    tally.undecodable.push(`${id} is ${body.state}`);
    return;
  }
  tally.kept++;
  for (const { url } of body.media.variants) {
    tally.forms++;
    const answer = await fetch(`${edge}${url}`);
    const bytes = Buffer.from(await answer.arrayBuffer());
    const isFine = answer.ok && (!isPhoto || (await decodes(bytes)));
    if (!isFine) tally.undecodable.push(url);
  }
}

const decodes = (bytes: Buffer): Promise<boolean> =>
  sharp(bytes, { failOn: "warning", pages: -1 })
    .stats()
    .then(
      () => true,
      () => false,
    );
