import type { IncomingMessage, ServerResponse } from "node:http";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { readBytes } from "./body.ts";
import type { Asked } from "./connect.ts";
import { DoorContext } from "./context.ts";
import { parse } from "./message.ts";
import { admit, type Gate, perform } from "./policy.ts";
import { isRendered, type Rendered } from "./rendered.ts";
import type { Rpc } from "./rpc.ts";
import type { Exchange } from "./rpc-door.ts";

const timeoutForm = /^[0-9]{1,10}$/;

/**
 * Whether a request is a unary call of Connect as its clients send it (https://connectrpc.com/docs/protocol/#unary-request):
 * protobuf, not compressed, over HTTP/1.1. Those are answered here, at a fifth of what connect-node costs; everything else, and every
 * refusal, is left to it.
 */
export function isPlain({ method, headers, httpVersionMajor }: Exchange["req"]): boolean {
  const { "content-encoding": encoding, "connect-timeout-ms": timeout } = headers;
  return (
    httpVersionMajor === 1 &&
    method === "POST" &&
    headers["content-type"] === "application/proto" &&
    headers["connect-protocol-version"] === "1" &&
    (encoding === undefined || encoding === "identity") &&
    (timeout === undefined || (typeof timeout === "string" && timeoutForm.test(timeout)))
  );
}

type Reply = MessageInitShape<Rpc["method"]["output"]> | Rendered;

/** Meets what the policy demands in the order of the other doors, and writes the answer; rejects before anything is written. */
export async function answerPlainly(asked: Asked, gate: Gate): Promise<void> {
  const { rpc } = asked;
  const { method } = rpc;
  const [req, res] = [asked.req as IncomingMessage, asked.res as ServerResponse];
  asked.viewerId = await admit(rpc, req, gate);
  const request = parse(rpc, await readBytes(req), false);
  const timeout = req.headers["connect-timeout-ms"];
  const timeoutMs = timeout === undefined ? undefined : Number(timeout);
  let written: Iterable<[string, string]> = [];
  const reply = await perform(rpc, { ...asked, head: req, timeoutMs }, gate, async (call) => {
    const handling = new DoorContext({ protocolName: "connect", method, call, req, res });
    const answer = (await rpc.handler(request as never, handling)) as Reply;
    written = handling.written;
    return answer;
  });
  const bytes = isRendered(reply) ? reply.binary() : toBinary(method.output, create(method.output, reply));
  asked.answered = true;
  for (const [name, value] of written) res.setHeader(name, value);
  res.setHeader("Content-Type", "application/proto");
  res.setHeader("Content-Length", bytes.length);
  res.writeHead(200);
  res.end(bytes);
}
