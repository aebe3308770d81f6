import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { FollowUserResponseSchema, GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { onBehalfOfNobody } from "../call.ts";
import { grpcTransport } from "../transport.ts";

const key = randomBytes(32).toString("base64url");

/** A peer that dies after the headers of its first `broken` answers, as Envoy passes on a replica killed just then. */
async function dyingPeer(
  broken: number,
  how: (stream: ServerHttp2Stream) => void,
  work: (client: Client<typeof GraphService>, calls: () => number) => Promise<void>,
): Promise<void> {
  let calls = 0;
  const server: Http2Server = createServer();
  server.on("sessionError", () => {});
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    const isBroken = calls++ < broken;
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: !isBroken });
    if (isBroken) {
      setImmediate(how, stream);
      return;
    }
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    const body = toBinary(FollowUserResponseSchema, create(FollowUserResponseSchema, {}));
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, body.length]), body]));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = grpcTransport({ address, caller: "test", key });
  try {
    await work(createClient(GraphService, transport), () => calls);
  } finally {
    transport.close();
    server.close();
  }
}

const options = () => onBehalfOfNobody("test", 5_000);
const resets = (stream: ServerHttp2Stream) => stream.close(2);
const drops = (stream: ServerHttp2Stream) => stream.session?.destroy();
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (reason) => ConnectError.from(reason).code,
  );

for (const [what, how] of [
  ["stream", resets],
  ["connection", drops],
] as const) {
  test(`a call whose ${what} broke off after the headers is sent once more, where its contract allows that`, () =>
    dyingPeer(1, how, async (client, calls) => {
      await client.followUser({ userId: "1" }, options());
      assert.equal(calls(), 2);
    }));

  test(`a ${what} that breaks off twice is UNAVAILABLE, never INTERNAL`, () =>
    dyingPeer(2, how, async (client, calls) => {
      assert.equal(await codeOf(client.followUser({ userId: "1" }, options())), Code.Unavailable);
      assert.equal(calls(), 2);
    }));
}
