import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { openWay } from "../chaos/way.ts";

/** Pieces that the server says after somebody heard the first one: by then the way is fast, and slow ones are still on it. */
const piecesAfter = 100;

test("what a slow way carries comes in the order it was said, also when it becomes fast", {
  timeout: 30_000,
}, async (context) => {
  let said = "";
  let pieces = 0;
  let isAllSaid = false;
  const server = createServer(async (socket) => {
    socket.on("error", () => undefined);
    const say = async () => {
      socket.write(`${pieces++} `);
      await new Promise(setImmediate);
    };
    while (said === "") await say();
    for (let nth = 0; nth < piecesAfter; nth++) await say();
    isAllSaid = true;
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const way = await openWay({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
  way.turn("latency");
  const client = connect(way.port, "127.0.0.1").setNoDelay(true);
  context.after(async () => {
    client.destroy();
    await way.close();
    server.close();
  });
  client.on("data", (bytes) => {
    said += bytes;
    way.turn("clear");
  });
  const due = () => Array.from({ length: pieces }, (_, nth) => `${nth} `).join("");
  await until("all of it has come", () => isAllSaid && said.length === due().length);
  assert.equal(said, due());
});
