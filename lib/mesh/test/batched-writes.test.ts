import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { type Client, createClient, type HandlerContext } from "@connectrpc/connect";
import { LikeService } from "#gen/skein/like/v1/like_pb.ts";
import { callOf, newTraceparent, valuesOf, viewerOf } from "../call.ts";
import { newTold, type Told } from "../facts.ts";
import { createLog } from "../log.ts";
import { type Running, run } from "../run.ts";
import { host } from "../serve.ts";
import { meshTokens } from "../token.ts";
import { grpcTransport } from "../transport.ts";

const key = randomBytes(32).toString("base64url");
const log = createLog({ name: "test", level: "error", write: () => {} });

let running: Running;
let transport: ReturnType<typeof grpcTransport>;
let likes: Client<typeof LikeService>;
/** How each viewer's likes ended, in order. */
const ended: [viewer: string, how: "told" | "given up"][] = [];

/** Tells a fact of its viewer; the first of viewer 9 ends when nobody waits for it any more. */
async function like(_: unknown, ctx: HandlerContext) {
  const viewer = viewerOf(ctx);
  if (viewer === "9" && !ended.some(([who]) => who === "9")) {
    await once(ctx.signal, "abort");
    ended.push([viewer, "given up"]);
    ctx.signal.throwIfAborted();
  }
  callOf(ctx).told?.facts.set(viewer, { noun: "like", shard: 1, id: BigInt(viewer) });
  ended.push([viewer, "told"]);
  return {};
}

before(async () => {
  // The batch is the mesh's work; the others are not called.
  const names = LikeService.methods.map(({ localName }) => localName).filter((name) => name !== "batchLike");
  const others = Object.fromEntries(names.map((name) => [name, () => ({})]));
  running = await run({
    log,
    tokens: meshTokens(key),
    host: "127.0.0.1",
    port: 0,
    services: [host(LikeService, { ...others, like })],
    loops: [],
    ready: async () => {},
    drainMs: 0,
    close: [],
  });
  transport = grpcTransport({ address: `http://127.0.0.1:${running.port}`, caller: "bff", key });
  likes = createClient(LikeService, transport);
});
after(async () => {
  transport?.close();
  await running?.stop();
});

/** Likes for a viewer; the ids of the facts that were told of it. */
async function likeAs(viewerId: string): Promise<bigint[]> {
  const told: Told = newTold("");
  const traceparent = newTraceparent();
  const call = { viewerId, caller: "door", deadline: Date.now() + 3_000, traceparent, requestId: viewerId, told };
  await likes.like({}, { contextValues: valuesOf(call) });
  return Array.from(told.facts.values(), ({ id }) => id);
}

test("each write of a batch names its own facts to its own caller", async () => {
  const told = await Promise.all(["1", "2", "3"].map(likeAs));
  assert.deepEqual(told, [[1n], [2n], [3n]]);
});

test("a write that is late is given up before it is sent again, and holds nobody back for good", async () => {
  const told = await Promise.all(["7", "8", "9"].map(likeAs));
  assert.deepEqual(told, [[7n], [8n], [9n]]);
  assert.deepEqual(
    ended.filter(([who]) => who === "9").map(([, how]) => how),
    ["given up", "told"],
  );
});
