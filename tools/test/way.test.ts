import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { test } from "node:test";
import { openWay } from "../chaos/way.ts";

/** Pieces that the server says one after the other; more than fit into one turn of a timer. */
const pieces = 400;

test("what a slow way carries comes in the order it was said, also when it becomes fast", {
  timeout: 30_000,
}, async (context) => {
  const server = createServer(async (socket) => {
    for (let nth = 0; nth < pieces; nth++) {
      socket.write(`${nth} `);
      await new Promise((next) => setTimeout(next, 1));
    }
    socket.end();
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
  let said = "";
  client.on("data", (bytes) => {
    said += bytes;
    way.turn("clear");
  });
  await once(client, "end");
  assert.deepEqual(
    said.trim().split(" ").map(Number),
    Array.from({ length: pieces }, (_, nth) => nth),
  );
});
