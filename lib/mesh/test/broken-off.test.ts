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

const answered = { ":status": 200, "content-type": "application/grpc" };

/** A peer that answers its first `broken` calls in some way that is none, as Envoy passes on a replica killed just then. */
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
    if (isBroken) return how(stream);
    stream.respond(answered, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    const body = toBinary(FollowUserResponseSchema, create(FollowUserResponseSchema, {}));
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, body.length]), body]));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = grpcTransport({ address, caller: "bff", key });
  try {
    await work(createClient(GraphService, transport), () => calls);
  } finally {
    transport.close();
    server.close();
  }
}

const options = () => onBehalfOfNobody("test", 5_000);
const afterHeaders = (then: (stream: ServerHttp2Stream) => void) => (stream: ServerHttp2Stream) => {
  stream.respond(answered);
  setImmediate(then, stream);
};
const resets = afterHeaders((stream) => stream.close(2));
const drops = afterHeaders((stream) => stream.session?.destroy());
/** Envoy's words, 1.40. */
const says = (reason: string) => (stream: ServerHttp2Stream) => {
  const message = `upstream connect error or disconnect/reset before headers. ${reason}`;
  stream.respond({ ...answered, "grpc-status": "14", "grpc-message": message }, { endStream: true });
};
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

for (const [reason, calls] of [
  ["reset reason: connection termination", 2],
  ["reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused", 2],
  ["retried and the latest reset reason: connection termination", 1],
  ["reset reason: overflow", 1],
] as const) {
  test(`a call that Envoy gave up on (${reason}) is sent ${calls === 2 ? "once more" : "no more"}`, () =>
    dyingPeer(2, says(reason), async (client, seen) => {
      assert.equal(await codeOf(client.followUser({ userId: "1" }, options())), Code.Unavailable);
      assert.equal(seen(), calls);
    }));
}
