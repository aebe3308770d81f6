import { fromBinary, type Message } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { compressionGzip } from "@connectrpc/connect-node";
import { problem } from "#lib/mesh/errors.ts";
import { bodyBytesMax, jsonText, tooLarge } from "./body.ts";
import { messageFromJson } from "./json.ts";
import type { Rpc } from "./rpc.ts";

/** What a request may be compressed with. An answer is not compressed here: that is the edge's work. */
export const compressions = [compressionGzip];

/** Flags and length before a message of gRPC and gRPC-web. */
const envelopeBytes = 5;

/**
 * Holds the one message of a request to what the JSON door holds it to: bounded also when unpacked, UTF-8, no unknown or
 * repeated JSON key. connect-node alone would call a broken message INTERNAL, ignore unknown JSON fields and mend bad UTF-8.
 * What is no single message (an envelope too many, too short, of unknown compression) is left to connect-node,
 * which refuses it as its protocols say.
 */
export async function checkMessage(rpc: Rpc, headers: Headers, body: Uint8Array): Promise<void> {
  const type = headers.get("content-type") ?? "";
  const [packed, encoding] = /^application\/grpc/i.test(type)
    ? [messageIn(body), isCompressed(body) ? headers.get("grpc-encoding") : "identity"]
    : [body, headers.get("content-encoding") ?? "identity"];
  if (packed === undefined || encoding === null) return;
  const bytes = await unpack(packed, encoding);
  if (bytes !== undefined) parse(rpc, bytes, /json/i.test(type));
}

const isCompressed = (body: Uint8Array): boolean => body[0] === 1;

/**
 * The bytes of the message in an envelope, where it is the only one and whole. Flags other than "compressed" are refused:
 * connect-node passes over such an envelope, or over the flag, and would then answer a message that nobody here has seen.
 */
function messageIn(body: Uint8Array): Uint8Array | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let first: Uint8Array | undefined;
  let count = 0;
  for (let at = 0; at < body.length; count++) {
    if ((body[at] ?? 0) > 1) throw refuse("malformed-message", "an envelope of a request has unknown flags");
    if (body.length - at < envelopeBytes) return undefined;
    const end = at + envelopeBytes + view.getUint32(at + 1);
    if (end > body.length) return undefined;
    first ??= body.subarray(at + envelopeBytes, end);
    at = end;
  }
  return count === 1 ? first : undefined;
}

async function unpack(packed: Uint8Array, encoding: string): Promise<Uint8Array | undefined> {
  if (encoding === "identity") return packed;
  const found = compressions.find(({ name }) => name === encoding);
  if (found === undefined) return undefined;
  return await found.decompress(packed, bodyBytesMax).catch((reason: { code?: unknown }) => {
    throw reason.code === Code.ResourceExhausted
      ? tooLarge()
      : refuse("bad-encoding", `the message is not ${encoding}`);
  });
}

/** The message of a request, in protobuf or as JSON. */
export function parse({ method }: Pick<Rpc, "method">, bytes: Uint8Array, isJson: boolean): Message {
  if (bytes.length > bodyBytesMax) throw tooLarge();
  if (isJson) return messageFromJson(method.input, jsonText(bytes));
  try {
    return fromBinary(method.input, bytes);
  } catch {
    throw refuse("malformed-message", `the message is no ${method.input.name}`);
  }
}

const refuse = (reason: string, message: string): ConnectError => problem(Code.InvalidArgument, reason, message);
