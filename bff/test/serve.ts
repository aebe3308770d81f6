//! A door of our own per test: the real onion on port 0, asked over real HTTP.

import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import http from "node:http";
import { connect } from "node:net";
import type { TestContext } from "node:test";
import { type JWTPayload, SignJWT } from "jose";
import type { Log } from "#lib/mesh/log.ts";
import { createApp } from "../src/app.ts";
import { createConsistency } from "../src/door/consistency.ts";
import type { Rpc } from "../src/door/rpc.ts";
import { createRpcDoor } from "../src/door/rpc-door.ts";
import type { Limits } from "../src/limits.ts";
import { naming } from "../src/middleware/request-id.ts";
import { createAdmission } from "../src/middleware/shed.ts";
import { listen } from "../src/server.ts";
import { createSession } from "../src/session.ts";

export const keys = generateKeyPairSync("ed25519");

/** A token as the user service makes it; what differs is given. */
export function tokenFor(
  viewerId: string,
  {
    claims = {},
    typ = "at+jwt",
    key = keys.privateKey,
    kid,
  }: {
    claims?: { [name in keyof JWTPayload]?: JWTPayload[name] | undefined };
    typ?: string;
    key?: KeyObject;
    kid?: string;
  } = {},
): Promise<string> {
  const seconds = Math.floor(Date.now() / 1000);
  const all = { iss: "skein", aud: "skein-api", sub: viewerId, iat: seconds, exp: seconds + 600, ...claims };
  return new SignJWT(all as JWTPayload)
    .setProtectedHeader({ alg: "EdDSA", typ, ...(kid !== undefined && { kid }) })
    .sign(key);
}

export const bearer = async (viewerId: string) => ({ authorization: `Bearer ${await tokenFor(viewerId)}` });

export type Line = { level: string; msg: string; fields: Readonly<Record<string, unknown>> };

/** A log that keeps its lines. */
export function memoryLog(): Log & { lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (msg: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void lines.push({ level, msg, fields });
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

type Answer = { status: number; headers: http.IncomingHttpHeaders; text: string; json: () => Record<string, unknown> };
type Asked = { method?: string; headers?: http.OutgoingHttpHeaders; body?: string | Buffer };

/** What consistency tokens of these doors are signed with. */
export const consistencyKey = Buffer.alloc(32, 2).toString("base64url");

/** For tests that are not about budgets. */
export const unlimited: Limits = { draw: async () => {}, drawPassword: async () => {} };

/** Serves the RPCs at every door until the test ends. */
export async function serve(
  t: TestContext,
  rpcs: readonly Rpc[],
  {
    isLate = (): boolean => false,
    drainMs = 0,
    reflects = false,
    limits = unlimited,
    isForced = (_: string): boolean => false,
  } = {},
) {
  const log = memoryLog();
  const session = await createSession([keys.publicKey.export({ format: "jwk" })]);
  const readiness = { serving: false };
  const name = naming(isForced);
  const parts = {
    name,
    log,
    rpcs,
    session,
    limits,
    consistency: createConsistency(consistencyKey),
    readiness,
    admission: createAdmission({ isLate }),
  };
  const rpcDoor = createRpcDoor({ ...parts, reflects });
  const server = await listen({
    app: createApp(parts),
    rpcDoor,
    log,
    readiness,
    host: "127.0.0.1",
    port: 0,
    grpcPort: 0,
    drainMs,
  });
  const agent = new http.Agent({ keepAlive: true });
  t.after(async () => {
    agent.destroy();
    await server.stop();
  });
  const ask = (path: string, { method = "GET", headers = {}, body }: Asked = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const length =
        body === undefined || "transfer-encoding" in headers ? {} : { "content-length": Buffer.byteLength(body) };
      const sent = { ...length, ...headers };
      const request = http.request({ port: server.port, path, method, headers: sent, agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("end", () => {
          const text = Buffer.concat(chunks).toString();
          const json = () => JSON.parse(text) as Record<string, unknown>;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
        });
      });
      request.once("error", reject);
      request.end(body);
    });
  const post = (path: string, body: string | Buffer, headers: http.OutgoingHttpHeaders = {}) =>
    ask(path, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
  return { port: server.port, grpcPort: server.grpcPort, ask, post, log, server };
}

/** Bytes as they are, for what no client library would send. */
export const raw = (port: number, bytes: string) =>
  new Promise<string>((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.on("data", (chunk) => {
      text += chunk.toString();
      socket.end();
    });
    socket.once("close", () => resolve(text)).once("error", () => resolve(text));
  });

/** Asserts a problem of RFC 9457 that tells nothing it should not. */
export function assertProblem(answer: Answer, status: number, name: string, pointers?: readonly string[]): void {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers["content-type"], "application/problem+json");
  assert.equal(answer.headers["x-content-type-options"], "nosniff");
  assert.equal(answer.headers["cache-control"], "no-store");
  const problem = answer.json();
  assert.equal(problem.type, `/problems/${name}`);
  assert.equal(problem.status, status);
  assert.match(String(problem.traceId), /^[0-9a-f]{32}$/);
  assert.equal(problem.instance, `/requests/${answer.headers["x-request-id"]}`);
  assert.ok(problem.title && problem.detail);
  assert.doesNotMatch(answer.text, /node_modules|\.ts:|skein\.api|\sat \S+ \(/);
  if (pointers === undefined) return;
  const errors = problem.errors as { pointer: string; detail: string }[];
  assert.deepEqual(
    errors.map(({ pointer }) => pointer),
    pointers,
  );
}
