import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { Code, type ConnectError } from "@connectrpc/connect";
import { problem } from "#lib/mesh/errors.ts";

/** One body, at any door: eight times the longest post with every byte escaped. */
export const bodyBytesMax = 256 * 1024;

const refuse = (reason: string, message: string): ConnectError => problem(Code.InvalidArgument, reason, message);

/** A BOM is not stripped: RFC 8259 §8.1 forbids it, and the parser then says so. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a JSON request. What is not announced as UTF-8 JSON is refused before a byte of it is read. */
export async function readJsonText(req: IncomingMessage): Promise<string> {
  const { headers } = req;
  if (!hasBody(req)) throw refuse("malformed-json", "the body is empty: send a JSON object");
  checkMediaType(headers["content-type"] ?? "");
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding.toLowerCase() !== "identity") throw refuse("bad-encoding", "send the body without Content-Encoding");
  return jsonText(await readBytes(req));
}

/** Whether a body is announced: RFC 9112 §6.3. */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;

/** Bytes as the text they must be: UTF-8, and not empty. */
export function jsonText(bytes: Uint8Array): string {
  if (bytes.length === 0) throw refuse("malformed-json", "the body is empty: send a JSON object");
  try {
    return utf8.decode(bytes);
  } catch {
    throw refuse("invalid-utf8", "the body is not UTF-8");
  }
}

const gone = (): ConnectError => problem(Code.Canceled, "canceled", "the client went away");

export const tooLarge = (): ConnectError =>
  problem(Code.ResourceExhausted, "payload-too-large", `at most ${bodyBytesMax} bytes`);

/** Strict, because a form or a plain text is what another site may send with a visitor's credentials unasked. */
function checkMediaType(header: string): void {
  const [type = "", ...parameters] = header.split(";").map((part) => part.trim().toLowerCase());
  if (type !== "application/json") throw refuse("unsupported-media-type", "send application/json");
  for (const parameter of parameters) {
    const [name, value = ""] = parameter.split("=");
    if (name === "charset" && value.replaceAll('"', "") !== "utf-8") throw refuse("unsupported-charset", "send UTF-8");
  }
}

/**
 * All bytes, up to the limit. The connection survives a refusal: Node drains what is left within its request timeout,
 * whereas closing at once could reset the connection before the client has read the answer.
 */
export function readBytes(req: Readable & { readonly headers: IncomingHttpHeaders }): Promise<Buffer> {
  if (Number(req.headers["content-length"] ?? 0) > bodyBytesMax) return Promise.reject(tooLarge());
  // One that is gone already says so no more.
  if (req.destroyed) return Promise.reject(gone());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    req.on("data", (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= bodyBytesMax) chunks.push(chunk);
      else reject(tooLarge());
    });
    req.once("end", () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    const cut = () => reject(gone());
    req.once("error", cut).once("close", cut);
  });
}
