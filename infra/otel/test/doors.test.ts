import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ExportTraceServiceRequestSchema,
  ExportTraceServiceResponseSchema,
} from "#gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { until } from "#lib/harness/until.ts";
import { fromJaeger, type JaegerTrace } from "../jaeger.ts";
import { encodeSpans } from "../line.ts";
import { queryApi } from "../query.ts";
import { otlpReceiver } from "../receiver.ts";
import { bodyMaxBytes } from "../spans.ts";
import { openStore } from "../store.ts";
import { spanOf, traceIdOf } from "./span.ts";

const json = { "content-type": "application/json" };

test("what is sent, plain or packed, is answered by the query API as it was", async (context) => {
  const { otlp, query } = await open(context);
  const parent = spanOf(1, { service: "post", instance: "post-2" });
  const links = [{ traceId: traceIdOf(7), spanId: parent.spanId }];
  const attributes = { "skein.aggregate": "post:1", tries: 2, share: 0.5, isRepeated: true };
  const child = spanOf(1, { parentId: parent.spanId, kind: "consumer", error: "Unavailable", attributes, links });
  const root = await fetch(`${otlp}/v1/traces`, { method: "POST", headers: json, body: encodeSpans([parent]) });
  assert.deepEqual([root.status, root.headers.get("content-type"), await root.json()], [200, json["content-type"], {}]);
  const headers = { ...json, "content-encoding": "gzip" };
  await fetch(`${otlp}/v1/traces`, { method: "POST", headers, body: gzipSync(encodeSpans([child])) });
  const { data } = (await (await fetch(`${query}/api/traces/${traceIdOf(1)}`)).json()) as { data: JaegerTrace[] };
  assert.deepEqual(data.flatMap(fromJaeger), [parent, child]);
  const tags = encodeURIComponent('{"skein.aggregate":"post:1"}');
  const search = `${query}/api/traces?tags=${tags}&end=${Number.MAX_SAFE_INTEGER}&lookback=99999d&limit=5`;
  const found = (await (await fetch(search)).json()) as { data: JaegerTrace[] };
  assert.deepEqual(found.data, data);
  assert.deepEqual(((await (await fetch(`${query}/api/services`)).json()) as { data: string[] }).data, ["post"]);
});

test("spans without ids are told as a partial success, in the type that was sent", async (context) => {
  const { otlp } = await open(context);
  const message = create(ExportTraceServiceRequestSchema, { resourceSpans: [{ scopeSpans: [{ spans: [{}] }] }] });
  const body = Buffer.from(toBinary(ExportTraceServiceRequestSchema, message));
  const type = "application/x-protobuf";
  const response = await fetch(`${otlp}/v1/traces`, { method: "POST", headers: { "content-type": type }, body });
  assert.deepEqual([response.status, response.headers.get("content-type")], [200, type]);
  const told = fromBinary(ExportTraceServiceResponseSchema, new Uint8Array(await response.arrayBuffer()));
  assert.equal(told.partialSuccess?.rejectedSpans, 1n);
});

test("what can never be taken is refused for good, and too much at once for now", async (context) => {
  const { otlp } = await open(context);
  const send = async (body: Buffer, headers: Record<string, string> = json) =>
    (await fetch(`${otlp}/v1/traces`, { method: "POST", headers, body })).status;
  const tooLarge = Buffer.alloc(bodyMaxBytes + 1, 0x20);
  assert.equal(await send(Buffer.from("{")), 400);
  assert.equal(await send(Buffer.from("{}"), { "content-type": "text/plain" }), 415);
  assert.equal(await send(tooLarge), 413);
  assert.equal(await send(gzipSync(tooLarge), { ...json, "content-encoding": "gzip" }), 413);
  assert.equal(await send(Buffer.from("{}"), { ...json, "content-encoding": "gzip" }), 400);
  assert.equal((await fetch(`${otlp}/v1/traces`)).status, 405);

  // Eight that have begun and do not go on.
  const slow = Array.from({ length: 8 }, () => request(`${otlp}/v1/traces`, { method: "POST", headers: json }));
  for (const each of slow) each.on("error", () => {}).write("{");
  await until("the ninth is told to come again", async () => (await send(Buffer.from("{}"))) === 503);
  for (const each of slow) each.destroy();
  await until("there is room again", async () => (await send(Buffer.from("{}"))) === 200);
});

test("wrong queries are named, and nothing but the page is served", async (context) => {
  const { query } = await open(context);
  const status = async (path: string) => (await fetch(query + path)).status;
  assert.equal(await status(`/api/traces/${traceIdOf(9)}`), 404);
  for (const wrong of ["/api/traces/xyz", "/api/traces?tags=[", "/api/traces?limit=x", "/api/traces?minDuration=5"]) {
    assert.equal(await status(wrong), 400, wrong);
  }
  for (const none of ["/static/%2e%2e/config.ts", "/static/", "/config.ts", "/static/../../spans.ts"]) {
    assert.equal(await status(none), 404, none);
  }
  assert.equal((await fetch(`${query}/api/services`, { method: "POST" })).status, 405);
});

test("the page and all that it loads is served, under a policy that runs nothing else", async (context) => {
  const { query } = await open(context);
  const wanted = ["/", `/trace/${traceIdOf(1)}`];
  const served = new Map<string, string>();
  for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
    const response = await fetch(query + path);
    const text = await response.text();
    assert.equal(response.status, 200, path);
    assert.match(response.headers.get("content-security-policy") ?? "", /default-src 'none'; script-src 'self';/);
    const type = path.endsWith(".mjs") ? "text/javascript" : path.endsWith(".css") ? "text/css" : "text/html";
    assert.ok(response.headers.get("content-type")?.startsWith(type), path);
    served.set(path, text);
    const named = /(?:src|href)="(\/static\/[^"]+)"|from "\.(\/[^"]+)"/g;
    for (const [, asset, module] of text.matchAll(named)) {
      const next = asset ?? `/static${module}`;
      if (!served.has(next)) wanted.push(next);
    }
  }
  assert.ok(served.size > 8, [...served.keys()].join(" "));
  const html = served.get("/") ?? "";
  assert.match(html, /<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self';/);
  assert.doesNotMatch(html, /<script(?![^>]*src=)|<style|\son[a-z]+=|\sstyle=/);
});

async function open(context: TestContext): Promise<{ otlp: string; query: string }> {
  const dir = await mkdtemp(join(tmpdir(), "skein-traces-"));
  const store = openStore({ dir });
  context.after(() => store.close());
  context.after(() => rm(dir, { recursive: true }));
  const failed = (error: unknown) => assert.fail(String(error));
  const otlp = await listen(context, otlpReceiver({ keep: store.append, failed }));
  return { otlp, query: await listen(context, queryApi({ store, failed })) };
}

async function listen(context: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
