import assert from "node:assert/strict";
import { subscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { connect, createServer, type Http2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { until } from "#lib/harness/until.ts";
import "../ended-streams.ts";

test("what ended holds nothing, at both ends, and an error after the end is nobody's", async (t) => {
  const ended: Http2Stream[] = [];
  for (const side of ["client", "server"])
    subscribe(`http2.${side}.stream.close`, (message) => ended.push((message as { stream: Http2Stream }).stream));
  const server = createServer().on("stream", (stream) => {
    stream.respond({ ":status": 200 });
    stream.end("well");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.after(() => {
    session.destroy();
    server.close();
  });
  const asked = session.request({ ":path": "/" });
  const heard: string[] = [];
  for (const event of ["data", "end", "close"]) asked.on(event, () => heard.push(event));
  asked.end();
  await until("both ended", () => ended.length === 2 && ended.every(({ closed, destroyed }) => closed && destroyed));
  await until("nobody listens", () => ended.every((stream) => stream.eventNames().join() === "error"));
  assert.deepEqual(heard, ["data", "end", "close"]);
  for (const stream of ended) stream.emit("error", new Error("late"));
});
