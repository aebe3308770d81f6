import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";
import { type Readable, Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { Allowed } from "./address.ts";
import { NoPreview } from "./refusal.ts";
import type { Resolve } from "./resolve.ts";

/** Answers that send on to another address, and are followed. */
const redirectsMax = 5;
const headerBytesMax = 16 * 1024;
/** Of one address, as facets have it; one that a page names may be no longer. */
const urlMax = 2_048;

const agentName = "SkeinPreview/1.0";

/** What is asked for, and how much of it is taken. */
type Wanted = {
  readonly accept: string;
  /** Of the answer, once it is unpacked. */
  readonly bytesMax: number;
  /** Whether what is beyond them is left out; where it is not, an answer that is longer is unusable. */
  readonly cut: boolean;
  /** For everything: names, redirects, the body. */
  readonly signal: AbortSignal;
};

type Fetched = {
  /** Where it came from at last. */
  readonly url: URL;
  readonly contentType: string;
  readonly body: Buffer;
};

export type Get = (url: string, wanted: Wanted) => Promise<Fetched>;

/**
 * Fetches what strangers name, so that it can ask nobody but the public: names are resolved here, the address is checked, and the
 * connection goes to that address and no other; so for each of five redirects. http and https at their own ports, no cookies, no
 * credentials, no proxy. A NoPreview where it is refused, away, or not there.
 */
export function getter({ allowed, resolve }: { readonly allowed: Allowed; readonly resolve: Resolve }): Get {
  return async (sent, wanted) => {
    let url = mustBeWeb(sent);
    for (let hop = 0; hop <= redirectsMax; hop++) {
      const res = await ask(url, await addressOf(url, wanted.signal), wanted);
      const { statusCode = 0, headers } = res;
      if (isRedirect(statusCode) && headers.location !== undefined) {
        res.destroy();
        url = mustBeWeb(headers.location, url);
        continue;
      }
      if (statusCode !== 200) {
        res.destroy();
        throw new NoPreview(isPassing(statusCode) ? "away" : "unusable", `answered ${statusCode}`);
      }
      return { url, contentType: headers["content-type"] ?? "", body: await bodyOf(res, wanted) };
    }
    throw new NoPreview("unusable", `more than ${redirectsMax} redirects`);
  };

  /** The one address that is asked: of the public network, at the port of the web. */
  async function addressOf({ hostname, protocol, port }: URL, signal: AbortSignal): Promise<string> {
    const literal = hostname.replace(/^\[|\]$/g, "");
    const addresses = isIP(literal) === 0 ? await resolve(literal, signal) : [literal];
    const address = addresses.find(allowed.address);
    if (address === undefined) throw new NoPreview("url-not-allowed", "not of the public network");
    // The parser of URLs leaves the port of the scheme out.
    const isUsual = port === "" || (port === "80" && protocol === "https:") || (port === "443" && protocol === "http:");
    if (!isUsual && !allowed.anyPort(address)) throw new NoPreview("url-not-allowed", `port ${port}`);
    return address;
  }
}

/** http or https, without a name and a password before the host. */
function mustBeWeb(sent: string, base?: URL): URL {
  const url = URL.canParse(sent, base?.href) ? new URL(sent, base?.href) : undefined;
  if (url === undefined || url.href.length > urlMax) throw new NoPreview("url-not-allowed", "no address");
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new NoPreview("url-not-allowed", url.protocol);
  if (url.username !== "" || url.password !== "") throw new NoPreview("url-not-allowed", "names somebody");
  return url;
}

const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);
/** Answers that say nothing of what is there. */
const isPassing = (status: number): boolean => status === 408 || status === 429 || status >= 500;

function ask(url: URL, address: string, { accept, signal }: Wanted): Promise<IncomingMessage> {
  const isHttps = url.protocol === "https:";
  const name = url.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown) => reject(new NoPreview("away", "does not answer", { cause }));
    const req = (isHttps ? requestHttps : requestHttp)({
      // The address, not the name: nobody resolves it a second time.
      host: address,
      port: url.port === "" ? (isHttps ? 443 : 80) : Number(url.port),
      path: `${url.pathname}${url.search}`,
      // The certificate is of the name.
      ...(isHttps && isIP(name) === 0 && { servername: name }),
      headers: {
        host: url.host,
        "user-agent": agentName,
        accept,
        "accept-encoding": "gzip, deflate, br",
        connection: "close",
      },
      agent: false,
      maxHeaderSize: headerBytesMax,
      signal,
    });
    req.once("response", resolve);
    req.on("error", failed);
    req.end();
  });
}

/** The body, unpacked, up to its limit; reading ends there, whatever is still to come. */
async function bodyOf(res: IncomingMessage, { bytesMax, cut }: Wanted): Promise<Buffer> {
  const packed = limited(res, bytesMax);
  const streams: Readable[] = [packed, res];
  const parts: Buffer[] = [];
  let length = 0;
  try {
    const body = unpacked(packed, res.headers["content-encoding"] ?? "");
    streams.unshift(body);
    for await (const part of body) {
      parts.push(part as Buffer);
      length += (part as Buffer).length;
      if (length > bytesMax) break;
    }
  } catch (cause) {
    // What came but cannot be unpacked comes the same again.
    throw cause instanceof NoPreview ? cause : new NoPreview("unusable", "cannot be unpacked", { cause });
  } finally {
    for (const stream of streams) stream.destroy();
  }
  if (length > bytesMax && !cut) throw new NoPreview("unusable", `more than ${bytesMax} bytes`);
  return Buffer.concat(parts).subarray(0, bytesMax);
}

/** As it came over the wire: no more of it is read than may come out, so that what unpacks to nothing ends, too. */
function limited(res: IncomingMessage, bytesMax: number): Readable {
  let length = 0;
  const counted = new Transform({
    transform(part: Buffer, _encoding, done) {
      if (length <= bytesMax) {
        length += part.length;
        this.push(part);
        if (length > bytesMax) this.push(null);
      }
      done();
    },
  });
  res.on("error", (cause) => counted.destroy(new NoPreview("away", "breaks off", { cause })));
  return res.pipe(counted);
}

function unpacked(packed: Readable, encoding: string): Readable {
  const unpacker = unpackers[encoding.trim().toLowerCase()];
  if (unpacker === undefined) throw new NoPreview("unusable", `packed as ${encoding.slice(0, 40)}`);
  const stream = unpacker();
  if (stream === undefined) return packed;
  packed.on("error", (reason) => stream.destroy(reason));
  return packed.pipe(stream);
}

const unpackers: Readonly<Record<string, () => Transform | undefined>> = {
  "": () => undefined,
  identity: () => undefined,
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};
