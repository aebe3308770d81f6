//! Connect and gRPC: frames and messages that no client would send.

import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { as, connectCall, connectError, envelope, grpcCall, problem, type Rows, send, type World } from "./wire.ts";

const create = "PostService/CreatePost";
const text = (value: string): Buffer => Buffer.concat([Buffer.from([0x0a, value.length]), Buffer.from(value)]);
const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");

/** A message that is none is the caller's fault, by each protocol. */
async function malformed(world: World, message: Buffer): Promise<void> {
  connectError(await connectCall(world, create, message), 400, "invalid_argument");
  assert.equal((await grpcCall(world, create, envelope(message))).status, "3");
}

const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));

/** Streams of one connection, opened at once and cut off, until the edge has had enough. */
async function resets(world: World, count: number): Promise<void> {
  const session = http2.connect(world.system.edge);
  // The edge may end it by a reset: an error, which `once` would take for a failure of the wait.
  session.on("error", () => {});
  const closed = new Promise((done) => session.once("close", done));
  for (let n = 0; n < count && !session.destroyed; n++) {
    const stream = session.request({ ":path": "/v1/feed" });
    stream.on("error", () => {});
    stream.close(http2.constants.NGHTTP2_CANCEL);
    if (n % 50 === 49) await new Promise(setImmediate);
  }
  await closed;
}

export const rpcRows: Rows = {
  "N-01": (world) => malformed(world, bytes("0a0561")),
  "N-02": async (world) => {
    for (const hex of ["0001", "0f", "0c", "08ffffffffffffffffffff01", "0aff01"]) await malformed(world, bytes(hex));
  },
  "N-04": async (world) => {
    const groups = Buffer.concat([Buffer.alloc(20_000, 0x13), Buffer.alloc(20_000, 0x14)]);
    await malformed(world, groups);
  },
  "N-06": async (world) => {
    const { id } = await world.ada.post("to be reacted to");
    for (const kind of ["e707", "ffffffffffffffffff01"]) {
      const message = Buffer.concat([text(id), bytes("10"), bytes(kind)]);
      connectError(await connectCall(world, "LikeService/ReactToPost", message), 400, "invalid_argument");
      assert.equal((await grpcCall(world, "LikeService/ReactToPost", envelope(message))).status, "3");
    }
    for (const kind of [999, -1, 1.5, "REACTION_KIND_NONE", ["REACTION_KIND_LIKE"]]) {
      const headers = as(world.ada, { "content-type": "application/json" });
      const sent = { method: "PUT", headers, body: JSON.stringify({ kind }) };
      problem(await send(world, `/v1/posts/${id}/reaction`, sent), 400, "validation", "/kind");
    }
  },
  "N-09": async (world) => {
    connectError(await connectCall(world, create, bomb, { "content-encoding": "gzip" }), 429, "resource_exhausted");
    assert.equal((await grpcCall(world, create, envelope(bomb, 1), { "grpc-encoding": "gzip" })).status, "8");
  },
  "N-11": async (world) => {
    for (const version of ["9", ""]) {
      const answer = await connectCall(world, create, text("a"), { "connect-protocol-version": version });
      connectError(answer, 400, "invalid_argument");
    }
  },
  "N-13": async (world) => {
    for (const method of ["GET", "PUT"]) {
      const answer = await send(world, `/skein.api.v1.${create}?encoding=json&base64=1&message=%25`, { method });
      assert.deepEqual([answer.status, answer.headers.allow], [405, "POST"]);
    }
  },
  "N-16": async (world) => {
    const { port } = new URL(world.system.edge);
    for (let n = 0; n < 20; n++) {
      const socket = connect(Number(port), "127.0.0.1");
      await once(socket, "connect");
      socket.write(`GET /v1/users/${world.ada.id} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      // Gone before the request is read, while it is handled, and when its answer has begun.
      if (n % 3 === 1) await new Promise(setImmediate);
      if (n % 3 === 2) await once(socket, "data");
      socket.destroy();
    }
    assert.equal((await send(world, `/v1/users/${world.ada.id}`)).status, 200);
  },
  "G-03": async (world) => {
    assert.equal((await grpcCall(world, create, envelope(text("a"), 1))).status, "13");
    const { status, headers } = await grpcCall(world, create, envelope(text("a"), 1), { "grpc-encoding": "snappy" });
    assert.deepEqual([status, headers["grpc-accept-encoding"]], ["12", "gzip"]);
  },
  "G-04": async (world) => {
    assert.equal((await grpcCall(world, create, Buffer.alloc(0))).status, "12");
    const two = Buffer.concat([envelope(text("a")), envelope(text("b"))]);
    assert.equal((await grpcCall(world, create, two)).status, "12");
  },
  "G-06": async (world) => {
    for (const timeout of ["1n", "1u"]) {
      const { status } = await grpcCall(world, create, envelope(text("late")), { "grpc-timeout": timeout });
      // Edge and BFF both count the client's time; where it is over in the middle of an answer, the stream is cut, or the
      // call counts as reset. The client's own clock says DEADLINE_EXCEEDED long before either.
      assert.match(status, /^(4|14)$|NGHTTP2_INTERNAL_ERROR$/);
    }
  },
  "G-07": async (world) => {
    const large = await grpcCall(world, create, envelope(text("a")), { big: "a".repeat(20_000) });
    assert.notEqual(large.status, "0");
    const binary = await grpcCall(world, create, envelope(text("a")), { "own-bin": "%%%" });
    assert.ok(["0", "3", "8", "13"].includes(binary.status), binary.status);
    assert.equal((await grpcCall(world, create, envelope(text("fine")))).status, "0");
  },
  "G-08": async (world) => {
    await resets(world, 5_000);
    assert.equal((await send(world, `/v1/users/${world.ada.id}`)).status, 200, "others are served");
  },
  "G-09": async (world) => {
    const session = http2.connect(world.system.edge);
    await once(session, "remoteSettings");
    assert.equal(session.remoteSettings.maxConcurrentStreams, 100);
    const statuses = await Promise.all(
      Array.from({ length: 150 }, async () => {
        const stream = session.request({ ":path": `/v1/users/${world.ada.id}` });
        const [headers] = await once(stream, "response");
        stream.resume();
        return headers[":status"];
      }),
    );
    // What does not fit waits for a stream; a place behind the edge may be refused meanwhile, as anybody's.
    assert.deepEqual(
      statuses.filter((status) => ![200, 503, 504].includes(Number(status))),
      [],
    );
    assert.ok(statuses.includes(200));
    session.close();
  },
};
