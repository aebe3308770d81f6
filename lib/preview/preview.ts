import { type Allowed, allowing } from "./address.ts";
import { type Get, getter } from "./get.ts";
import { type Said, saidBy } from "./page.ts";
import { NoPreview } from "./refusal.ts";
import { resolver } from "./resolve.ts";
import { decoded } from "./text.ts";

/** For everything that one address takes: names, redirects, bytes. */
const totalMsUsual = 5_000;
/** Of a page: what describes it stands at its head. */
const pageBytesMax = 512 * 1024;
const imageBytesMax = 5 * 1024 * 1024;

export type Previews = {
  /** What a page says of itself; of its picture the absolute address. A NoPreview where it cannot be had. */
  page(url: string): Promise<Said>;
  /** The bytes of a picture, to be decoded. A NoPreview where they cannot be had. */
  image(url: string): Promise<Buffer>;
};

/**
 * What the web says of itself, asked as a stranger asks who expects no good. `networks` are asked beside the public one (CIDR, with
 * commas), `nameServers` in the place of the system's.
 */
export function createPreviews({
  networks,
  nameServers = [],
  totalMs = totalMsUsual,
}: {
  readonly networks: string;
  readonly nameServers?: readonly string[];
  readonly totalMs?: number;
}): Previews {
  const allowed: Allowed = allowing(networks);
  const get: Get = getter({ allowed, resolve: resolver(nameServers) });
  return {
    async page(sent) {
      const accept = "text/html,application/xhtml+xml;q=0.9";
      const wanted = { accept, bytesMax: pageBytesMax, cut: true, signal: AbortSignal.timeout(totalMs) };
      const { url, contentType, body } = await get(sent, wanted);
      if (!/^text\/html\s*(?:;|$)/i.test(contentType)) throw new NoPreview("unusable", "no page");
      const said = saidBy(decoded(body, contentType));
      if (said === undefined) throw new NoPreview("unusable", "has no title");
      return { ...said, image: absolute(said.image, url) };
    },

    async image(url) {
      const accept = "image/avif,image/webp,image/png,image/jpeg,image/gif";
      const signal = AbortSignal.timeout(totalMs);
      return (await get(url, { accept, bytesMax: imageBytesMax, cut: false, signal })).body;
    },
  };
}

/** Relative to the page, not to what the page says is its base. */
const absolute = (image: Said["image"], base: URL): Said["image"] =>
  image !== undefined && URL.canParse(image.url, base.href)
    ? { ...image, url: new URL(image.url, base.href).href }
    : undefined;
