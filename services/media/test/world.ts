import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { type OutgoingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { type CreateMediaResponse, Kind, type Media, State } from "#gen/skein/media/v1/media_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { peopleOf } from "#lib/harness/people.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";

let place: Scratch;
/** The media service of this test file, and the services that it asks and that ask it. */
export let system: Booted<"graph" | "media" | "post" | "comment">;
/** Where they lie. */
export let dir: string;

/** Opens a world; `env` is told to its services. */
export function world(env: Readonly<Record<string, string>> = {}): void {
  before(async () => {
    place = scratch(process.env);
    dir = path.join(tmpdir(), `skein-${place.deployment}`);
    const told = { MEDIA_SWEEP_MS: "100", ...env };
    system = await boot(place, ["graph", "media", "post", "comment"], { env: told });
    somebody = await peopleOf(system);
  });
  after(async () => {
    await system?.stop();
    await place?.close();
  });
}

export const as = (viewerId?: string) => system.as(viewerId);
/** Somebody new, with an account. */
export let somebody: () => string;
export const rows = (sql: string, ...params: string[]) => system.db("media").query(sql, params);

let keys = 0;
export const newKey = () => `key-${++keys}`;

export type Announced = { owner?: string; kind?: Kind; sizeBytes?: number; alt?: string; key?: string };

export function announce({
  owner = somebody(),
  kind = Kind.PHOTO,
  sizeBytes = 1_000,
  alt = "",
  key = newKey(),
}: Announced = {}): Promise<CreateMediaResponse> {
  const request = { kind, sizeBytes: BigInt(sizeBytes), alt, idempotencyKey: key };
  return system.clients.media.createMedia(request, as(owner));
}

type Answer = { readonly status: number; readonly headers: Record<string, string | undefined>; readonly body: Buffer };
type Sent = {
  readonly method: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer;
  /** So much of the body is sent, and when it has arrived the connection is cut. */
  readonly cutAt?: number;
  /** So much of the body is sent, and then nothing more. */
  readonly stallAt?: number;
};

/** Asks the door for bytes. A request that is cut answers undefined. */
export function http(sent: Sent & { readonly cutAt: number }): Promise<undefined>;
export function http(sent: Sent): Promise<Answer>;
export function http({ method, path: at, headers = {}, body, cutAt, stallAt }: Sent): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": body.length };
    const all = Object.entries({ ...length, ...headers }).filter(([, value]) => value !== undefined);
    const to = { host: "127.0.0.1", port: system.bytesPort, method, path: at, headers: Object.fromEntries(all) };
    const req = request(to, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("end", () =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers as Answer["headers"],
          body: Buffer.concat(chunks),
        }),
      );
      res.on("error", reject);
    });
    req.on("error", (reason) => (cutAt === undefined ? reject(reason) : resolve(undefined)));
    if (stallAt !== undefined) req.write(body?.subarray(0, stallAt) ?? "");
    else if (cutAt === undefined) req.end(body);
    else {
      req.write(body?.subarray(0, cutAt) ?? "");
      const arrived = () => spooled().some((sizeBytes) => sizeBytes >= cutAt);
      until("what was sent has arrived", arrived).then(() => req.destroy(), reject);
    }
  });
}

/** The sizes of what is on its way. */
export const spooled = (): number[] => {
  const spool = path.join(dir, "spool", "media-1");
  return readdirSync(spool).map((name) => statSync(path.join(spool, name), { throwIfNoEntry: false })?.size ?? 0);
};

const tus = { "tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream" };

/** Sends bytes of an upload from an offset on. */
export const patch = (at: string, body: Buffer, offset = 0, headers: OutgoingHttpHeaders = {}) =>
  http({ method: "PATCH", path: at, body, headers: { ...tus, "upload-offset": offset, ...headers } });

export const cut = (at: string, body: Buffer, offset: number, cutAt: number) =>
  http({ method: "PATCH", path: at, body, cutAt, headers: { ...tus, "upload-offset": offset } });

export const stalled = (at: string, body: Buffer, stallAt: number) =>
  http({ method: "PATCH", path: at, body, stallAt, headers: { ...tus, "upload-offset": 0 } });

/** How much of an upload is there. */
export async function offsetOf(at: string): Promise<number> {
  const { status, headers } = await http({ method: "HEAD", path: at, headers: tus });
  assert.equal(status, 200);
  return Number(headers["upload-offset"]);
}

/** Uploads at once, and answers what it has become. */
export async function uploaded(body: Buffer, { owner = somebody(), ...of }: Announced = {}): Promise<Media> {
  const { upload, media } = await announce({ ...of, owner, sizeBytes: body.length });
  const { status, body: said } = await patch(upload?.path ?? "", body);
  assert.equal(status, 204, said.toString());
  return await ready(media?.id ?? "", owner);
}

/** Media that is ready, when it is. */
export async function ready(mediaId: string, owner: string): Promise<Media> {
  let found = await system.clients.media.getMedia({ mediaId }, as(owner));
  await until(`media ${mediaId} is ready`, async () => {
    found = await system.clients.media.getMedia({ mediaId }, as(owner));
    return found.state === State.READY;
  });
  return found.media as Media;
}

/** Fetches one form of some media. */
export const fetchForm = ({ handle }: Media, name: string, headers: OutgoingHttpHeaders = {}, method = "GET") =>
  http({ method, path: `/media/${handle}/${name}`, headers });

/** The reason of a refusal. */
export const reasonOf = ({ body }: Answer): string =>
  String((JSON.parse(body.toString()) as { type: string }).type).replace("/problems/", "");
