import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { SpanKind } from "@opentelemetry/api";
import { newTraceparent } from "../call.ts";
import { startTelemetry } from "../telemetry.ts";
import { begin } from "../trace.ts";

test("a sampled span reaches the OTLP receiver, below its parent; one that is not sampled does not", async () => {
  const bodies: string[] = [];
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request
      .on("data", (chunk) => chunks.push(chunk))
      .on("end", () => {
        bodies.push(Buffer.concat(chunks).toString());
        response.setHeader("content-type", "application/json").end("{}");
      });
  });
  await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
  const { port } = receiver.address() as AddressInfo;
  const telemetry = await startTelemetry({ name: "graph-1", otlpUrl: `http://127.0.0.1:${port}` });

  const parent = `${newTraceparent().slice(0, -2)}01`;
  const work = begin("FollowUser", SpanKind.SERVER, parent);
  begin("NotSampled", SpanKind.SERVER, newTraceparent()).end();
  work.end("NotFound");
  await telemetry.close();
  receiver.close();

  const told = bodies.join("\n");
  for (const word of [
    "graph-1",
    "FollowUser",
    parent.slice(3, 35),
    parent.slice(36, 52),
    work.traceparent.slice(36, 52),
  ]) {
    assert.ok(told.includes(word), word);
  }
  assert.ok(!told.includes("NotSampled"));
});
