import { randomUUID } from "node:crypto";
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { create } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { Kind, LinkPreviewSchema, type Media, MediaSchema } from "#gen/skein/media/v1/media_pb.ts";
import type { createDecoder } from "#lib/media/decoder.ts";
import { Refusal } from "#lib/media/refusal.ts";
import { explain, invalid } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";
import { counter } from "#lib/mesh/metrics.ts";
import { turnstile } from "#lib/mesh/turnstile.ts";
import type { Previews } from "#lib/preview/preview.ts";
import { NoPreview } from "#lib/preview/refusal.ts";
import type { Objects } from "#lib/storage/objects.ts";
import type { Fetching, KnownPreview } from "../store/preview.ts";
import type { MediaStore } from "../store.ts";
import { objectOf } from "./download.ts";

/** An answer is good for a day, also that there is none; who did not answer, or whose picture did not, is asked again after a minute. */
const goodSeconds = 86_400;
const awaySeconds = 60;
/** Fetches of one process, and how many more wait. */
const fetches = { insideMax: 32, outsideMax: 100 };
/** Of one host: nobody is to notice that many people talk of them, and one that is slow is to hold up few others. */
const hostFetches = { insideMax: 4, outsideMax: 12 };
const urlMax = 2_048;

const fetchedTotal = counter({
  name: "skein_media_previews_total",
  help: "Pages fetched for previews, by what came of it: ready, or why there is none.",
  labels: ["outcome"],
});

type Needs = {
  readonly store: MediaStore;
  readonly objects: Objects;
  readonly decoder: Pick<ReturnType<typeof createDecoder>, "decode">;
  readonly previews: Previews;
  readonly spool: string;
  readonly log: Log;
};

/** Answers what the page behind an address says of itself: one fetch of it at a time and process, kept for whoever asks later. */
export function previewing(needs: Needs) {
  const { store } = needs;
  const flights = new Map<string, Promise<KnownPreview>>();
  const enter = turnstile({ ...fetches, what: "fetches of previews" });
  const enterHost = turnstiles();

  return async (sent: string): Promise<KnownPreview> => {
    const url = addressOf(sent);
    const known = await store.knownPreview(url.href);
    if (known !== undefined) return as(sent, known);
    const flight = flights.get(url.href) ?? begin(url);
    return as(sent, await flight);
  };

  function begin({ href, host }: URL): Promise<KnownPreview> {
    const flight = enterHost(host, () => enter(() => fetched(href, needs)))
      .catch(orLater)
      .finally(() => flights.delete(href));
    flights.set(href, flight);
    return flight;
  }
}

/** Too much at once is an answer, not a failure: who calls comes back, and this process is well. */
function orLater(reason: unknown): KnownPreview {
  if (reason instanceof ConnectError && explain(reason).reason === "overloaded") return { failure: "away" };
  throw reason;
}

/** What it was asked by, also where several addresses are one page. */
const as = (url: string, { preview, failure }: KnownPreview): KnownPreview =>
  preview === undefined ? { failure } : { preview: { ...preview, url }, failure };

/** An address as it is fetched: which part of the page it names is nothing that a server is told. */
function addressOf(sent: string): URL {
  const url = sent.length <= urlMax && URL.canParse(sent) ? new URL(sent) : undefined;
  if (url === undefined) throw invalid("url", `must be an address of at most ${urlMax} characters`);
  url.hash = "";
  return url;
}

async function fetched(url: string, needs: Needs): Promise<KnownPreview> {
  const { store } = needs;
  const fetching = await store.beginPreview(url);
  const { known, isFinal } = await seen(url, fetching, needs);
  fetchedTotal.labels(known.preview === undefined ? known.failure : "ready").inc();
  await store.endPreview(fetching, known, isFinal ? goodSeconds : awaySeconds);
  return known;
}

/** `isFinal`: it will be the same for a while; what did not answer may soon. */
type Seen<T> = { readonly known: T; readonly isFinal: boolean };

async function seen(url: string, fetching: Fetching, needs: Needs): Promise<Seen<KnownPreview>> {
  const { previews, log } = needs;
  try {
    const { title, description, siteName, image } = await previews.page(url);
    const picture = image === undefined ? nothing : await pictureOf(image, fetching, needs);
    const said = { id: fetching.id, url, title, description, siteName };
    const preview = create(LinkPreviewSchema, { ...said, ...(picture.known && { image: picture.known }) });
    return { known: { preview, failure: picture.isFinal ? "" : "away" }, isFinal: picture.isFinal };
  } catch (reason) {
    if (!(reason instanceof NoPreview)) throw reason;
    log.debug("no preview", { error: reason });
    return { known: { failure: reason.reason }, isFinal: isFinal(reason) };
  }
}

const nothing: Seen<undefined> = { known: undefined, isFinal: true };
const isFinal = (reason: unknown): boolean =>
  reason instanceof Refusal || (reason instanceof NoPreview && reason.reason !== "away");

type Image = { readonly url: string; readonly alt: string };

/** The picture of a page, decoded and made anew as any upload is; a preview is worth showing without one, whatever the reason. */
async function pictureOf(
  { url, alt }: Image,
  { id, handle }: Fetching,
  needs: Needs,
): Promise<Seen<Media | undefined>> {
  const { previews, decoder, objects, spool, log } = needs;
  const dir = path.join(spool, randomUUID());
  const [whole, made] = [path.join(dir, "picture"), path.join(dir, "made")];
  try {
    const bytes = await previews.image(url);
    await mkdir(made, { recursive: true });
    await writeFile(whole, bytes);
    const { variants, ...prepared } = await decoder.decode({ file: whole, dir: made, kind: "preview" });
    for (const { name } of variants) {
      const file = path.join(made, name);
      await objects.put(objectOf(handle, name), file, (await stat(file)).size);
    }
    const shown = { id: String(id), kind: Kind.PHOTO, alt, handle, variants: [...variants], ...prepared };
    return { known: create(MediaSchema, shown), isFinal: true };
  } catch (error) {
    log.debug("a preview without its picture", { error });
    return { known: undefined, isFinal: isFinal(error) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A turnstile for each host that is being asked; those that nobody stands at are forgotten. */
function turnstiles() {
  const hosts = new Map<string, { readonly enter: ReturnType<typeof turnstile>; asking: number }>();
  return async <T>(host: string, work: () => Promise<T>): Promise<T> => {
    const at = hosts.get(host) ?? { enter: turnstile({ ...hostFetches, what: "fetches from one host" }), asking: 0 };
    hosts.set(host, at);
    at.asking++;
    try {
      return await at.enter(work);
    } finally {
      if (--at.asking === 0) hosts.delete(host);
    }
  };
}
