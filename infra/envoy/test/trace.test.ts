import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { until } from "#lib/harness/until.ts";
import { type Address, edgeConfig, meshConfig } from "../config.ts";
import { freeAddresses, healthy, nth, startEnvoy } from "./running.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const clients = (flags: string) => `00-${traceId}-b7ad6b7169203331-${flags}`;
const envoys = (flags: string) => new RegExp(`^00-${traceId}-(?!b7ad6b7169203331)[0-9a-f]{16}-${flags}$`);

test("the edge begins traces itself; a client's own is gone on with in development only", async () => {
  for (const [sampledPercent, believesTraces, goesOn, flags] of [
    [100, false, false, "01"],
    [0, false, false, "00"],
    [0, true, true, "01"],
  ] as const) {
    const addresses = await freeAddresses(4);
    const [listen, admin, bff, otlp] = [nth(addresses, 0), nth(addresses, 1), nth(addresses, 2), nth(addresses, 3)];
    await using collector = await collect(otlp);
    let got = "";
    await using _bff = await serve(bff, async (req) => {
      if (req.url !== "/healthz") got = String(req.headers.traceparent);
    });
    await using _envoy = await startEnvoy(
      edgeConfig({ listen, admin, bff: [bff], bffGrpc: [], otlp, sampledPercent, believesTraces }),
      admin,
    );
    await healthy(admin, "bff", 1);
    await fetch(`http://${listen.host}:${listen.port}/v1/feed`, { headers: { traceparent: clients("01") } });
    assert.equal(got.includes(traceId), goesOn);
    assert.ok(got.endsWith(`-${flags}`), got);
    if (flags === "00") continue;
    const kept = Buffer.from(got.slice(3, 35), "hex");
    await until("the span is told", async () => collector.said().includes(kept));
    assert.ok(collector.said().includes("envoy-edge"));
  }
});

test("the mesh keeps what the edge decided", async () => {
  const addresses = await freeAddresses(4);
  const [listen, admin, graph, otlp] = [nth(addresses, 0), nth(addresses, 1), nth(addresses, 2), nth(addresses, 3)];
  await using collector = await collect(otlp);
  const got: string[] = [];
  const server = await startGraph(graph, (metadata) => {
    got.push(String(metadata.get("traceparent")[0]));
    // Errors of a trace that is not sampled find whose child they are here.
    assert.deepEqual(metadata.get("tracestate"), ["skein=b7ad6b7169203331"]);
  });
  const client = new grpc.Client(`${listen.host}:${listen.port}`, grpc.credentials.createInsecure());
  try {
    await using _envoy = await startEnvoy(meshConfig({ listen, admin, services: { graph: [graph] }, otlp }), admin);
    await healthy(admin, "graph", 1);
    for (const flags of ["00", "01"]) {
      const metadata = new grpc.Metadata();
      metadata.set("traceparent", clients(flags));
      metadata.set("tracestate", "skein=b7ad6b7169203331");
      await new Promise<void>((resolve, reject) => {
        const done = (err: Error | null) => (err === null ? resolve() : reject(err));
        client.makeUnaryRequest(getFollowSet, whole, whole, Buffer.alloc(0), metadata, done);
      });
      assert.match(String(got.at(-1)), envoys(flags));
    }
    await until("the span is told", async () => collector.said().includes(Buffer.from(traceId, "hex")));
  } finally {
    client.close();
    server.forceShutdown();
  }
});

const getFollowSet = "/skein.graph.v1.GraphService/GetFollowSet";
const whole = (bytes: Buffer): Buffer => bytes;
const wire = {
  requestSerialize: whole,
  requestDeserialize: whole,
  responseSerialize: whole,
  responseDeserialize: whole,
};
const unary = (path: string) => ({ path, requestStream: false, responseStream: false, ...wire });

async function startGraph({ host, port }: Address, seen: (metadata: grpc.Metadata) => void): Promise<grpc.Server> {
  const server = new grpc.Server();
  type Call = grpc.ServerUnaryCall<Buffer, Buffer>;
  server.addService(
    { check: unary("/grpc.health.v1.Health/Check"), getFollowSet: unary(getFollowSet) },
    {
      check: (_: Call, reply: grpc.sendUnaryData<Buffer>) => reply(null, Buffer.from([8, 1])),
      getFollowSet: (call: Call, reply: grpc.sendUnaryData<Buffer>) => {
        seen(call.metadata);
        reply(null, Buffer.alloc(0));
      },
    },
  );
  await new Promise<void>((resolve, reject) => {
    const done = (err: Error | null) => (err === null ? resolve() : reject(err));
    server.bindAsync(`${host}:${port}`, grpc.ServerCredentials.createInsecure(), done);
  });
  return server;
}

/** A place for spans: OTLP over HTTP, kept as they came. */
async function collect(at: Address): Promise<AsyncDisposable & { said(): Buffer }> {
  const chunks: Buffer[] = [];
  const server = await serve(at, async (req) => {
    assert.equal(req.url, "/v1/traces");
    for await (const chunk of req) chunks.push(chunk);
  });
  return { ...server, said: () => Buffer.concat(chunks), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function serve(
  { host, port }: Address,
  seen: (req: IncomingMessage) => Promise<void>,
): Promise<{ [Symbol.asyncDispose](): Promise<void> }> {
  const server = createServer(async (req, res) => {
    await seen(req);
    res.end();
  });
  await once(server.listen(port, host), "listening");
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}
