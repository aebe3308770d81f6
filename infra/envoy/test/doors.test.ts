//! The edge between the protocols: which cluster a call goes to, and what Envoy's own errors look like at each door.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import http2 from "node:http2";
import { after, before, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { type Address, edgeConfig } from "../config.ts";
import { freeAddresses, healthy, nth, type Running, startEnvoy } from "./running.ts";

const getUser = "/skein.api.v1.UserService/GetUser";
const createPost = "/skein.api.v1.PostService/CreatePost";
const logIn = "/skein.api.v1.AuthService/LogIn";
const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

let listen: Address;
let envoy: Running;
let web: Server;
let sessions: Set<http2.ServerHttp2Session>;
let h2: http2.Http2Server;
let client: grpc.Client;
/** What each port heard, and what it does with it. */
const heard = { http: 0, grpc: 0 };
let mode: "sound" | "hang" | "reset" | "busy" = "sound";

before(async () => {
  const addresses = await freeAddresses(4);
  listen = nth(addresses, 0);
  web = await startWeb(nth(addresses, 2));
  h2 = await startGrpc(nth(addresses, 3));
  const [bff, bffGrpc] = [[nth(addresses, 2)], [nth(addresses, 3)]];
  envoy = await startEnvoy(edgeConfig({ listen, admin: nth(addresses, 1), bff, bffGrpc }), nth(addresses, 1));
  await Promise.all([healthy(nth(addresses, 1), "bff", 1), healthy(nth(addresses, 1), "bff-grpc", 1)]);
  client = new grpc.Client(`${listen.host}:${listen.port}`, grpc.credentials.createInsecure());
});

after(async () => {
  client?.close();
  await envoy?.[Symbol.asyncDispose]();
  web?.closeAllConnections();
  web?.close();
  for (const session of sessions ?? []) session.destroy();
  h2?.close();
});

async function startWeb({ port, host }: Address): Promise<Server> {
  const server = createServer((req, res) => {
    if (req.url === "/healthz") return void res.end();
    heard.http += 1;
    if (mode === "hang") return;
    if (mode === "reset") return void req.socket.destroy();
    res.writeHead(mode === "busy" ? 503 : 200, { "content-type": "application/json" }).end("{}");
  });
  await once(server.listen(port, host), "listening");
  return server;
}

/** A gRPC server by hand: an empty message for every call, an echo for reflection. */
async function startGrpc({ port, host }: Address): Promise<http2.Http2Server> {
  const server = http2.createServer();
  sessions = new Set();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    if (headers[":path"] === "/healthz") return void stream.respond({ ":status": 200 }, { endStream: true });
    heard.grpc += 1;
    if (mode === "hang") return;
    if (mode === "reset") return void stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    const head = { ":status": 200, "content-type": "application/grpc" };
    if (mode === "busy") return void stream.respond({ ...head, "grpc-status": "14" }, { endStream: true });
    stream.respond(head, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    if (headers[":path"] === reflection) stream.pipe(stream);
    else stream.end(Buffer.alloc(5));
  });
  await once(server.listen(port, host), "listening");
  return server;
}

const whole = (bytes: Buffer): Buffer => bytes;

/** Calls by gRPC. */
function call(rpc: string, metadata = new grpc.Metadata()): Promise<{ code: grpc.status; ms: number }> {
  const start = Date.now();
  return new Promise((resolve) => {
    client.makeUnaryRequest(rpc, whole, whole, Buffer.alloc(0), metadata, {}, (err) =>
      resolve({ code: err?.code ?? grpc.status.OK, ms: Date.now() - start }),
    );
  });
}

/** Asks by HTTP/1.1, as Connect and gRPC-web do. */
function ask(path: string, type: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number | undefined; headers: Record<string, unknown>; body: Buffer }>(
    (resolve, reject) => {
      const sent = { "content-type": type, ...headers };
      const req = request({ ...listen, path, headers: sent, method: "POST", agent: false }, async (res) => {
        const chunks: Buffer[] = [];
        for await (const chunk of res) chunks.push(chunk);
        resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks) });
      });
      req.on("error", reject).end("{}");
    },
  );
}

/** The status in a body of gRPC-web that is trailers only: their frame, and nothing else. */
const statusIn = (body: Buffer): string | undefined =>
  body[0] === 0x80 && body.readUInt32BE(1) === body.length - 5
    ? /^grpc-status: (\d+)\r\n/.exec(body.subarray(5).toString())?.[1]
    : undefined;

async function during<T>(what: typeof mode, work: () => Promise<T>): Promise<T> {
  mode = what;
  Object.assign(heard, { http: 0, grpc: 0 });
  try {
    return await work();
  } finally {
    mode = "sound";
  }
}

test("gRPC goes where trailers are spoken, all else to HTTP/1.1", async () => {
  await during("sound", async () => {
    assert.equal((await call(getUser)).code, grpc.status.OK);
    assert.equal(
      (await call("/skein.api.v1.UserService/Nothing")).code,
      grpc.status.OK,
      "it is the BFF that refuses it",
    );
    assert.deepEqual(heard, { http: 0, grpc: 2 });
    for (const type of ["application/json", "application/proto", "application/grpc-web+proto"])
      await ask(getUser, type);
    assert.deepEqual(heard, { http: 3, grpc: 2 });
  });
});

test("a conversation goes both ways", async () => {
  const stream = client.makeBidiStreamRequest(reflection, whole, whole);
  for (const text of ["one", "two"]) {
    stream.write(Buffer.from(text));
    const [answer] = await once(stream, "data");
    assert.equal(String(answer), text);
  }
  stream.end();
  await once(stream, "end");
});

test("the policy's timeout ends a call with the code of its door", async () => {
  await during("hang", async () => {
    const [native, connect, grpcWeb] = await Promise.all([
      call(getUser),
      ask(getUser, "application/json"),
      ask(getUser, "application/grpc-web+proto"),
    ]);
    assert.equal(native.code, grpc.status.DEADLINE_EXCEEDED);
    assert.ok(native.ms > 2_900, `took ${native.ms} ms`);
    assert.deepEqual([connect.status, JSON.parse(String(connect.body)).code], [504, "deadline_exceeded"]);
    assert.deepEqual([grpcWeb.status, statusIn(grpcWeb.body)], [200, "4"]);
    assert.equal(grpcWeb.headers["content-type"], "application/grpc-web+proto");
    const metadata = new grpc.Metadata();
    metadata.set("grpc-timeout", "300m");
    const soon = await call(getUser, metadata);
    assert.equal(soon.code, grpc.status.DEADLINE_EXCEEDED);
    assert.ok(soon.ms < 2_900, `took ${soon.ms} ms`);
  });
});

test("a reset is tried again where the contract says so, an answer never", async () => {
  for (const [rpc, tries] of [
    [getUser, 2],
    [createPost, 2],
    [logIn, 1],
  ] as const) {
    await during("reset", async () => {
      assert.equal((await call(rpc)).code, grpc.status.UNAVAILABLE);
      const { status, body } = await ask(rpc, "application/json");
      assert.deepEqual([status, JSON.parse(String(body)).code], [503, "unavailable"]);
      assert.equal(statusIn((await ask(rpc, "application/grpc-web+proto")).body), "14");
      assert.deepEqual(heard, { http: 2 * tries, grpc: tries }, rpc);
    });
  }
  await during("busy", async () => {
    assert.equal((await call(getUser)).code, grpc.status.UNAVAILABLE);
    assert.equal((await ask(getUser, "application/json")).status, 503);
    assert.deepEqual(heard, { http: 1, grpc: 1 });
  });
});

test("what the edge refuses itself has the form of its door", async () => {
  const stranger = { host: "evil.example" };
  const problem = await ask("/v1/auth/login", "application/json", stranger);
  assert.deepEqual([problem.status, problem.headers["content-type"]], [421, "application/problem+json"]);
  const connect = await ask(logIn, "application/json", stranger);
  assert.deepEqual([connect.status, JSON.parse(String(connect.body)).code], [421, "permission_denied"]);
  assert.equal(statusIn((await ask(logIn, "application/grpc-web", stranger)).body), "7");
  const { port } = listen;
  const native = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    "grpc.default_authority": "evil.example",
  });
  const { code } = await new Promise<grpc.ServiceError>((resolve) =>
    native.makeUnaryRequest(getUser, whole, whole, Buffer.alloc(0), (err) => resolve(err as grpc.ServiceError)),
  );
  native.close();
  assert.ok(code > 0);
});
