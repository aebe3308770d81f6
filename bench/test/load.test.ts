import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { bareDeck } from "../load/deck.ts";
import { drive } from "../load/drive.ts";
import { createHistogram } from "../load/histogram.ts";

async function serving(t: { after(done: () => void): void }, answer: http.RequestListener): Promise<number> {
  const server = http.createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test("an open loop counts what waits behind a slow answer, from when it was due", async (t) => {
  let asked = 0;
  const order = { host: "127.0.0.1", deck: bareDeck, connections: 1, rate: 100, seconds: 0.8 };
  const port = await serving(t, async (_, response) => {
    const heardMs = performance.now();
    const due = () => (performance.now() - heardMs) * (order.rate / 1_000);
    if (asked++ === 0) await until("forty more are due", () => due() >= 40);
    response.end("ok");
  });
  const { answers, failed, latencies } = await drive({ ...order, port });
  assert.deepEqual([answers, failed], [80, 0]);
  const histogram = createHistogram(latencies);
  // Of eighty requests forty were due while the first was held, a hundredth of a second apart.
  assert.ok(histogram.atMs(0.7) > 50, `${histogram.atMs(0.7)} ms`);
  assert.ok(histogram.atMs(1) >= 400, `${histogram.atMs(1)} ms`);
});

test("a closed loop counts what failed and what broke off, and goes on", async (t) => {
  let asked = 0;
  const port = await serving(t, (request, response) => {
    const nth = asked++ % 10;
    if (nth === 3) response.writeHead(503, { "content-length": 2 }).end("no");
    else if (nth === 7) request.socket.destroy();
    else response.end("ok");
  });
  const { answers, failed, statuses } = await drive({
    host: "127.0.0.1",
    port,
    deck: bareDeck,
    connections: 3,
    seconds: 0.5,
  });
  assert.ok(answers > 0 && (statuses[503] ?? 0) > 0 && (statuses[0] ?? 0) > 0);
  assert.equal(failed, (statuses[503] ?? 0) + (statuses[0] ?? 0));
});

test("a histogram keeps values to 2 % and adds up", () => {
  const [low, high] = [createHistogram(), createHistogram()];
  for (let ms = 1; ms <= 500; ms++) low.record(ms * 1_000);
  for (let ms = 501; ms <= 1_000; ms++) high.record(ms * 1_000);
  low.add(high.counts);
  for (const share of [0.01, 0.5, 0.99, 1]) {
    const shown = low.atMs(share);
    assert.ok(Math.abs(shown - share * 1_000) <= share * 20, `${share}: ${shown}`);
  }
});
