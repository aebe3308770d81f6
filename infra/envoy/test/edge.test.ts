import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server } from "node:http";
import http2 from "node:http2";
import { connect } from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { type Address, edgeConfig } from "../config.ts";
import { envoyBinary, freeAddresses, healthy, nth, type Running, startEnvoy, stat } from "./running.ts";

let listen: Address;
let admin: Address;
let bffs: Address[];
let servers: Server[];
let envoy: Running;
/** What the BFF saw, latest last. */
const seen: IncomingMessage[] = [];
let hits = 0;
const askedFor = (url: string): number => seen.filter((req) => req.url === url).length;

before(async () => {
  const addresses = await freeAddresses(4);
  listen = nth(addresses, 0);
  admin = nth(addresses, 1);
  bffs = addresses.slice(2);
  servers = await Promise.all(bffs.map(startBff));
  envoy = await startEnvoy(edgeConfig({ listen, admin, bff: bffs, bffGrpc: [] }), admin);
  await healthy(admin, "bff", 2);
});

after(async () => {
  await envoy?.[Symbol.asyncDispose]();
  for (const server of servers ?? []) {
    server.closeAllConnections();
    server.close();
  }
});

/** A BFF that echoes; its paths say what else it does. */
async function startBff({ port }: Address): Promise<Server> {
  const server = createServer(async (req, res) => {
    if (req.url === "/healthz") return void res.end();
    hits += 1;
    seen.push(req);
    if (req.url?.includes("slow")) return;
    if (req.url?.includes("stuck") && askedFor(req.url) === 1) return;
    if (req.url?.includes("late")) {
      if (askedFor(req.url) > 1) return;
      await until("the other BFF is asked, too", () => askedFor(req.url ?? "") > 1);
    }
    if (req.url?.includes("reset")) return void req.socket.destroy();
    if (req.url?.includes("busy")) return void res.writeHead(503).end("busy");
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify({ url: req.url, padding: "a".repeat(2000) }));
  });
  server.keepAliveTimeout = 75_000;
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

type Answer = { status: number | undefined; headers: IncomingHttpHeaders; body: string };

function ask(url: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request({ ...listen, path: url, headers, method, agent: false }, async (res) => {
      let body = "";
      for await (const chunk of res) body += chunk;
      resolve({ status: res.statusCode, headers: res.headers, body });
    });
    req.on("error", reject).end();
  });
}

function assertProblem(answer: Answer, status: number, type: string): void {
  assert.equal(answer.status, status);
  assert.equal(answer.headers["content-type"], "application/problem+json");
  const body = JSON.parse(answer.body);
  assert.equal(body.status, status);
  assert.equal(body.type, `/problems/${type}`);
  assert.equal(typeof body.title, "string");
  assert.match(body.instance, /^\/requests\/(-|[0-9a-f-]{36})$/);
}

test("Envoy accepts the configuration without a warning", () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), "skein-envoy-"));
  const file = path.join(dir, "edge.json");
  writeFileSync(file, JSON.stringify(edgeConfig({ listen, admin, bff: bffs, bffGrpc: bffs, otlp: listen })));
  const run = spawnSync(envoyBinary(), ["--mode", "validate", "-c", file, "--log-level", "warn"], { encoding: "utf8" });
  rmSync(dir, { recursive: true });
  assert.equal(run.status, 0, run.stderr);
  assert.equal(run.stderr, "");
});

test("two Envoys never share a port", async () => {
  const [other] = await freeAddresses(1);
  assert.ok(other !== undefined);
  await assert.rejects(
    startEnvoy(edgeConfig({ listen, admin: other, bff: bffs, bffGrpc: [] }), other),
    /Address already in use/,
  );
});

test("a call that takes longer than its policy says is 504 in problem details", async () => {
  const start = Date.now();
  assertProblem(await ask("/v1/users/slow"), 504, "deadline-exceeded");
  assert.ok(Date.now() - start > 2900, `took ${Date.now() - start} ms`);
});

test("what one BFF holds is asked of the other where it may run twice; a read that is only slow is heard", async () => {
  const calls = [
    { path: "/v1/users/stuck", method: "GET", status: 200, times: 2 },
    { path: "/v1/posts?stuck", method: "POST", status: 200, times: 2 },
    { path: "/v1/users/stuck/follow", method: "PUT", status: 504, times: 1 },
    { path: "/v1/users/late", method: "GET", status: 200, times: 2 },
  ];
  const answers = await Promise.all(calls.map(({ path, method }) => ask(path, {}, method)));
  assert.deepEqual(
    answers.map(({ status }, nth) => ({ ...calls[nth], status, times: askedFor(calls[nth]?.path ?? "") })),
    calls,
  );
});

test("headers that mean something inside do not come from outside", async () => {
  const spoofed = {
    "skein-viewer": "1",
    "Skein-Caller": "feed",
    "x-skein-anything": "1",
    "x-user-id": "1",
    "x-auth-request-user": "1",
    "x-internal-call": "1",
    "x-forwarded-user": "root",
    "x-envoy-retry-on": "5xx",
    forwarded: "for=10.0.0.1",
    "x-real-ip": "10.0.0.1",
    "x-http-method-override": "DELETE",
    "x-original-url": "/admin",
  };
  const kept = { authorization: "Bearer t", "idempotency-key": "k", origin: "http://localhost", "user-agent": "x" };
  await ask("/v1/users/anna", { ...spoofed, ...kept });
  const got = seen.at(-1)?.headers ?? {};
  for (const name of Object.keys(spoofed)) assert.equal(got[name.toLowerCase()], undefined, name);
  for (const [name, value] of Object.entries(kept)) assert.equal(got[name], value, name);
});

test("a client cannot ask Envoy to retry or to hurry", async () => {
  hits = 0;
  const asked = { "x-envoy-retry-on": "5xx", "x-envoy-max-retries": "8", "x-envoy-upstream-rq-timeout-ms": "1" };
  const answer = await ask("/v1/users/busy", asked);
  assert.equal(answer.status, 503);
  assert.equal(answer.body, "busy");
  assert.equal(hits, 1);
});

test("a BFF that sheds keeps its place", async () => {
  for (let n = 0; n < 12; n += 1) assert.equal((await ask("/v1/users/busy")).status, 503);
  assert.equal(await stat(admin, "cluster.bff.outlier_detection.ejections_active"), 0);
});

test("HTTP/2 without TLS is spoken too", async () => {
  const session = http2.connect(`http://${listen.host}:${listen.port}`);
  const stream = session.request({ ":path": "/v1/users/anna" });
  const [headers] = await once(stream, "response");
  assert.equal(headers[":status"], 200);
  assert.equal(session.remoteSettings.maxConcurrentStreams, 100);
  stream.resume();
  await once(stream, "close");
  session.close();
});

test("a reset is tried again where the contract says so, and nowhere else", async () => {
  for (const [path, method] of [
    ["/v1/users/reset", "GET"],
    ["/v1/posts?reset", "POST"],
    ["/v1/users/reset/follow", "PUT"],
  ] as const) {
    hits = 0;
    assertProblem(await ask(path, {}, method), 503, "unavailable");
    assert.equal(hits, 2, path);
  }
  hits = 0;
  const answer = await ask("/v1/auth/login?reset", {}, "POST");
  assertProblem(answer, 503, "unavailable");
  assert.equal(answer.headers["retry-after"], "1");
  assert.equal(hits, 1);
  await until(
    "nobody is ejected",
    async () => (await stat(admin, "cluster.bff.outlier_detection.ejections_active")) === 0,
  );
});

test("paths are made plain, and refused where they hide something", async () => {
  assertProblem(await ask("/a/..%2fadmin"), 400, "bad-request");
  assertProblem(await ask("/a/..%5Cadmin"), 400, "bad-request");
  assert.equal(JSON.parse((await ask("//v1//users/./x/../anna")).body).url, "/v1/users/anna");
});

test("what HTTP allows and we do not is refused in problem details", async () => {
  assertProblem(await ask("/v1/feed", { a_b: "1" }), 400, "bad-request");
  assertProblem(await ask("/v1/feed", { big: "a".repeat(17 * 1024) }), 431, "headers-too-large");
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`h${n}`, "1"]));
  assertProblem(await ask("/v1/feed", many), 431, "headers-too-large");
  assertProblem(await ask("/v1/feed", { host: "evil.example" }), 421, "misdirected-request");
  assertProblem(await ask("/v1/feed", { connection: "upgrade", upgrade: "websocket" }), 403, "forbidden");
  assert.match(await raw("GET /v1/feed HTTP/1.0\r\n\r\n"), /^HTTP\/1.1 426 /);
  assert.match(await raw("POST /v1/posts HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n"), /^HTTP\/1.1 400 /);
  const smuggled =
    "POST /v1/posts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  assert.match(await raw(smuggled), /^HTTP\/1.1 400 /);
});

async function raw(bytes: string): Promise<string> {
  const socket = connect(listen.port, listen.host);
  socket.write(bytes);
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  return answer;
}

test("the request id is the edge's own, and the client is told", async () => {
  const refused = await ask("/v1/feed", { host: "evil.example", "x-request-id": "mine" });
  assert.equal(JSON.parse(refused.body).instance, `/requests/${refused.headers["x-request-id"]}`);
  const answer = await ask("/v1/users/anna", { "x-request-id": "mine" });
  const id = seen.at(-1)?.headers["x-request-id"];
  assert.match(String(id), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(answer.headers["x-request-id"], id);
  assert.equal(answer.headers.server, "skein");
  assert.equal(answer.headers["x-envoy-upstream-service-time"], undefined);
});

test("a client's trace context ends here: it could fill the store of traces", async () => {
  await ask("/v1/users/anna", {
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "skein=b7ad6b7169203331",
  });
  const headers = seen.at(-1)?.headers;
  assert.deepEqual([headers?.traceparent, headers?.tracestate], [undefined, undefined]);
});

test("only the edge compresses, brotli before gzip, and only what is worth it", async () => {
  assert.equal((await ask("/v1/feed", { "accept-encoding": "gzip, br" })).headers["content-encoding"], "br");
  assert.equal(seen.at(-1)?.headers["accept-encoding"], undefined);
  assert.equal((await ask("/v1/feed", { "accept-encoding": "gzip" })).headers["content-encoding"], "gzip");
  assert.equal((await ask("/v1/feed")).headers["content-encoding"], undefined);
});

test("what no contract names goes to the BFF, which says so itself", async () => {
  assert.equal(JSON.parse((await ask("/nowhere")).body).url, "/nowhere");
  assert.equal(JSON.parse((await ask("/v1/feed", {}, "PATCH")).body).url, "/v1/feed");
});

test("/healthz says whether a BFF is well, and the loss of one is not felt", async () => {
  assert.equal((await ask("/healthz")).status, 200);
  const first = nth(servers, 0);
  first.closeAllConnections();
  await once(first.close(), "close");
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask("/v1/posts", {}, "POST")));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const second = nth(servers, 1);
  second.closeAllConnections();
  await once(second.close(), "close");
  await healthy(admin, "bff", 0);
  const start = Date.now();
  const refused = await ask("/v1/feed");
  assertProblem(refused, 503, "unavailable");
  assert.equal(refused.headers["retry-after"], "1");
  // Not after a timeout of 3 s.
  assert.ok(Date.now() - start < 2900);
  assert.equal((await ask("/healthz")).status, 503);
});
