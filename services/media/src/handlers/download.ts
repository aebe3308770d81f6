import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Objects } from "#lib/storage/objects.ts";
import type { Route } from "./http.ts";
import { HttpProblem } from "./problem.ts";

/** 128 random bits, and the name of a form: only what we give. */
const pathForm = /^([A-Za-z0-9_-]{22})\/([a-z0-9]{1,16}\.([a-z0-9]{2,4}))$/;

const types: Readonly<Record<string, string>> = {
  jpg: "image/jpeg",
  webp: "image/webp",
  mp4: "video/mp4",
  webm: "video/webm",
  m4a: "audio/mp4",
  ogg: "audio/ogg",
  mp3: "audio/mpeg",
  wav: "audio/wav",
  flac: "audio/flac",
};

/** Where an object of a handle is. */
export const objectOf = (handle: string, name: string): string => `m/${handle}/${name}`;

/**
 * Gives bytes to whoever knows their address. They never change, so they may be kept for good. What is no picture, sound or video
 * of ours is saved and never shown.
 */
export function downloads(objects: Objects): Route {
  return async (req, res, rest) => {
    if (req.method !== "GET" && req.method !== "HEAD") {
      throw new HttpProblem(405, "method-not-allowed", "GET or HEAD", { allow: "GET, HEAD" });
    }
    const [, handle = "", name = "", extension = ""] = pathForm.exec(rest) ?? [];
    const key = objectOf(handle, name);
    const sizeBytes = handle === "" ? undefined : await objects.head(key);
    if (sizeBytes === undefined) throw new HttpProblem(404, "not-found", "no such media");

    const etag = `"${handle}.${name}"`;
    const headers = {
      "cache-control": "public, max-age=31536000, immutable",
      etag,
      "accept-ranges": "bytes",
      "content-type": types[extension] ?? "application/octet-stream",
      // Opened by itself, a picture is a picture: nothing in it runs.
      "content-security-policy": "default-src 'none'; sandbox",
      "cross-origin-resource-policy": "cross-origin",
      ...(types[extension] === undefined && { "content-disposition": "attachment" }),
    };
    if (isKnown(req, etag)) return void res.writeHead(304, headers).end();
    const range = rangeOf(req, etag, sizeBytes);
    const { start, end } = range ?? { start: 0, end: sizeBytes - 1 };
    const length = { "content-length": String(end - start + 1) };
    const part = range && { "content-range": `bytes ${start}-${end}/${sizeBytes}` };
    const bytes = req.method === "HEAD" ? undefined : await objects.get(key, range);
    if (bytes === undefined && req.method === "GET") throw new HttpProblem(404, "not-found", "no such media");
    res.writeHead(range === undefined ? 200 : 206, { ...headers, ...length, ...part });
    if (bytes === undefined) return void res.end();
    // Whoever goes away in the middle is no failure of ours.
    await pipeline(bytes, res).catch(() => res.destroy());
  };
}

function isKnown({ headers }: IncomingMessage, etag: string): boolean {
  const known = headers["if-none-match"];
  return (
    known !== undefined && (known === "*" || known.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag))
  );
}

/** The one range that is asked for (RFC 9110 §14); several, and what is no range, are answered whole. */
function rangeOf(
  { headers }: IncomingMessage,
  etag: string,
  sizeBytes: number,
): { start: number; end: number } | undefined {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.range ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  const condition = headers["if-range"];
  if (condition !== undefined && condition !== etag) return undefined;
  const start = first === "" ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (start > end || (first === "" && Number(last) === 0)) {
    if (first !== "" && last !== "" && Number(first) > Number(last)) return undefined;
    throw new HttpProblem(416, "range-not-satisfiable", `there are ${sizeBytes} bytes`, {
      "content-range": `bytes */${sizeBytes}`,
    });
  }
  return { start, end };
}
