import assert from "node:assert/strict";
import http, { type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import http2 from "node:http2";
import { connect } from "node:net";
import type { Person } from "../support/person.ts";
import type { System } from "../support/system.ts";

/** What a row works with: the system, two people of its own table, and bytes as they are. */
export type World = { readonly system: System; readonly ada: Person; readonly ben: Person };
export type Rows = Readonly<Record<string, (world: World) => Promise<void>>>;

export type Answer = {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json: () => Record<string, unknown>;
};
type Sent = { method?: string; headers?: OutgoingHttpHeaders; body?: string | Buffer };

/** One request by HTTP/1.1 on a connection of its own; path and headers go out as they are. */
export const send = ({ system }: World, path: string, { method = "GET", headers = {}, body }: Sent = {}) =>
  new Promise<Answer>((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const { hostname, port } = new URL(system.edge);
    const request = http.request({ hostname, port, path, method, headers: { ...length, ...headers }, agent: false });
    request.once("response", async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      const json = () => JSON.parse(text) as Record<string, unknown>;
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
    });
    request.once("error", reject);
    request.end(body);
  });

/** Bytes, and all that comes back until the other side closes or says enough. */
export const raw = ({ system }: World, bytes: string) =>
  new Promise<string>((resolve) => {
    let text = "";
    const socket = connect(Number(new URL(system.edge).port), "127.0.0.1", () => socket.write(bytes));
    socket.on("data", (chunk) => {
      text += chunk.toString();
      socket.end();
    });
    socket.once("close", () => resolve(text)).once("error", () => resolve(text));
  });

export const as = ({ token }: Person, more: OutgoingHttpHeaders = {}): OutgoingHttpHeaders => ({
  authorization: `Bearer ${token}`,
  ...more,
});

let nth = 0;
/** POST of JSON by Ada, under a key nobody had. */
export const post = (world: World, path: string, body: string | Buffer, headers: OutgoingHttpHeaders = {}) =>
  send(world, path, {
    method: "POST",
    body,
    headers: as(world.ada, { "content-type": "application/json", "idempotency-key": `bad-${nth++}`, ...headers }),
  });
export const write = (world: World, text: string) => post(world, "/v1/posts", JSON.stringify({ text }));

/** A problem of RFC 9457 that tells nothing of what is inside. */
export function problem(answer: Answer, status: number | readonly number[], name?: string, pointer?: string): void {
  assert.ok([status].flat().includes(answer.status), `${answer.status} ${answer.text}`);
  assert.equal(answer.headers["content-type"], "application/problem+json");
  const { type, errors = [] } = answer.json() as { type: string; errors?: { pointer: string }[] };
  if (name !== undefined) assert.equal(type, `/problems/${name}`);
  if (pointer !== undefined)
    assert.ok(
      errors.some((each) => each.pointer === pointer),
      answer.text,
    );
  assert.doesNotMatch(answer.text, /node_modules|\.ts:|\sat \S+ \(|SELECT|mysql|redis/i);
}

/** A unary call by Connect, its body as it is. */
export const connectCall = (world: World, rpc: string, body: string | Buffer, headers: OutgoingHttpHeaders = {}) =>
  send(world, `/skein.api.v1.${rpc}`, {
    method: "POST",
    body,
    headers: as(world.ada, {
      "content-type": "application/proto",
      "connect-protocol-version": "1",
      "idempotency-key": `bad-${nth++}`,
      ...headers,
    }),
  });

export function connectError(answer: Answer, status: number, code: string): void {
  assert.deepEqual([answer.status, answer.json().code], [status, code], answer.text);
  assert.doesNotMatch(answer.text, /node_modules|\.ts:|SELECT/);
}

/** A message in gRPC's envelope. */
export function envelope(message: Buffer, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

type GrpcAnswer = { status: string; headers: Record<string, unknown> };

/** A unary call by gRPC, its frames as they are. The status is that of the stream where it was reset. */
export function grpcCall(
  world: World,
  rpc: string,
  frames: Buffer,
  headers: OutgoingHttpHeaders = {},
): Promise<GrpcAnswer> {
  const session = http2.connect(world.system.edge);
  const head = {
    ":method": "POST",
    ":path": `/skein.api.v1.${rpc}`,
    "content-type": "application/grpc",
    te: "trailers",
  };
  return new Promise<GrpcAnswer>((resolve) => {
    session.once("error", (err) => resolve({ status: err.message, headers: {} }));
    const stream = session.request({
      ...head,
      ...as(world.ada),
      "idempotency-key": `bad-${nth++}`,
      ...headers,
    } as never);
    let all: Record<string, unknown> = {};
    const take = (more: Record<string, unknown>) => {
      all = { ...all, ...more };
    };
    stream.once("response", take).once("trailers", take);
    stream.once("error", (err) => resolve({ status: err.message, headers: all }));
    stream.once("close", () => resolve({ status: String(all["grpc-status"] ?? all[":status"]), headers: all }));
    stream.resume();
    stream.end(frames);
  }).finally(() => session.close());
}
