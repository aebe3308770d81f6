import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeSpans, type Span } from "../../infra/otel/spans.ts";

/** A place for spans, over HTTP as every process sends them: what came is in `spans`. */
export type Receiver = AsyncDisposable & { readonly url: string; readonly spans: readonly Span[] };

export async function receiveSpans(): Promise<Receiver> {
  const spans: Span[] = [];
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    try {
      spans.push(...decodeSpans(req.headers["content-type"], Buffer.concat(chunks)));
      res.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    } catch (reason) {
      res.writeHead(400).end(String(reason));
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}
