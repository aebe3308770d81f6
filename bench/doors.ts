//! What a call costs the BFF at each door: `node bench/doors.ts`. One process answers the same page of 20 posts from memory, the
//! other asks with ready-made bytes; what is measured is the answering process's own CPU.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { FeedReason, FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { createLog } from "#lib/mesh/log.ts";
import { createApp } from "../bff/src/app.ts";
import { createConsistency } from "../bff/src/door/consistency.ts";
import { rpcsOf } from "../bff/src/door/rpc.ts";
import { createRpcDoor } from "../bff/src/door/rpc-door.ts";
import { naming } from "../bff/src/middleware/request-id.ts";
import { createAdmission } from "../bff/src/middleware/shed.ts";
import { listen } from "../bff/src/server.ts";

const warmUp = 1_000;
const calls = 4_000;
const atOnce = 8;
const path = "/skein.api.v1.FeedService/ListHomeFeed";
const empty = Buffer.alloc(5);
const connect = { "connect-protocol-version": "1" };

if (process.send === undefined) await measure();
else await answerCalls();

/** The BFF without what is behind it, and with a session that knows everybody. */
async function answerCalls(): Promise<void> {
  const author = { id: "125074528210207813", username: "ada_lovelace", displayName: "Ada Lovelace" };
  const items = Array.from({ length: 20 }, (_, n) => ({
    activityId: String(125074528210207813n + BigInt(n)),
    reason: FeedReason.FOLLOWING,
    post: {
      id: String(125074528210207813n + BigInt(n)),
      version: 1,
      author,
      text: `A post of some length, as people write them, number ${n} 🧶`.repeat(2),
      createTime: timestampFromMs(1_795_000_000_000),
      viewer: { own: false, liked: false },
    },
  }));
  const unasked = () => ({});
  const rpcs = rpcsOf(FeedService, {
    listHomeFeed: () => ({ items, nextPageToken: "next" }),
    listListFeed: unasked,
    countNewItems: unasked,
    setReadPosition: unasked,
    getReadPosition: unasked,
  });
  const log = createLog({ name: "bench", level: "error" });
  const readiness = { serving: true };
  const admission = createAdmission({ isLate: () => false });
  const limits = { draw: async () => {}, drawPassword: async () => {} };
  const session = { viewerOf: async () => "1" };
  const consistency = createConsistency(Buffer.alloc(32, 1).toString("base64url"));
  const parts = { log, rpcs, readiness, admission, session, limits, consistency, name: naming(() => false) };
  const rpcDoor = createRpcDoor({ ...parts, reflects: false });
  const server = await listen({
    app: createApp(parts),
    rpcDoor,
    log,
    readiness,
    host: "127.0.0.1",
    port: 0,
    grpcPort: 0,
    drainMs: 0,
  });
  process.once("disconnect", () => process.exit());
  process.on("message", () => process.send?.(process.cpuUsage()));
  process.send?.({ port: server.port, grpcPort: server.grpcPort });
}

async function measure(): Promise<void> {
  const child = fork(import.meta.filename);
  const [{ port, grpcPort }] = (await once(child, "message")) as [{ port: number; grpcPort: number }];
  const agent = new http.Agent({ keepAlive: true, maxSockets: atOnce });
  const session = http2.connect(`http://127.0.0.1:${grpcPort}`);
  const post =
    (type: string, body: Buffer, more = {}) =>
    () =>
      ask({ port, agent, path, method: "POST", headers: { "content-type": type, ...more } }, body);
  const doors: Record<string, () => Promise<unknown>> = {
    JSON: () => ask({ port, agent, path: "/v1/feed" }),
    "Connect, JSON": post("application/json", Buffer.from("{}"), connect),
    "Connect, protobuf": post("application/proto", Buffer.alloc(0), connect),
    "gRPC-web": post("application/grpc-web+proto", empty),
    gRPC: () => stream(session),
  };
  console.log(`CPU of the BFF a call, ${calls} calls, ${atOnce} at once, a page of 20 posts`);
  let first: number | undefined;
  for (const [name, call] of Object.entries(doors)) {
    await run(call, warmUp);
    const before = await cpuOf(child);
    await run(call, calls);
    const spent = ((await cpuOf(child)) - before) / calls;
    first ??= spent;
    console.log(`${name.padEnd(18)} ${spent.toFixed(0).padStart(5)} µs  ${(spent / first).toFixed(2)}`);
  }
  session.close();
  agent.destroy();
  child.kill();
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send("how much?");
  const [{ user, system }] = (await once(child, "message")) as [NodeJS.CpuUsage];
  return user + system;
}

async function run(call: () => Promise<unknown>, count: number): Promise<void> {
  let left = count;
  const lane = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

function ask(options: http.RequestOptions, body?: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${options.path}: ${response.statusCode}`));
      response.resume().once("end", () => resolve());
    });
    request.once("error", reject).end(body);
  });
}

function stream(session: http2.ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    const head = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    const request = session.request(head);
    request.once("trailers", (trailers) => {
      if (trailers["grpc-status"] !== "0") reject(new Error(`gRPC: ${trailers["grpc-status"]}`));
    });
    request.resume().once("error", reject).once("close", resolve);
    request.end(empty);
  });
}
