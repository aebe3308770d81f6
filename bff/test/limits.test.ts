import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "#gen/skein/api/v1/user_pb.ts";
import { explain } from "#lib/mesh/errors.ts";
import { createClients } from "../src/clients.ts";
import { createLimits } from "../src/limits.ts";
import { publicRpcs } from "../src/routes/routes.ts";
import { meshOf } from "./mesh.ts";
import { assertProblem, bearer, memoryLog, serve } from "./serve.ts";

const slow = 1 / 60;
const budgets = {
  read: { perSecond: slow, burst: 4 },
  write: { perSecond: slow, burst: 2 },
  credential: { perSecond: slow, burst: 3 },
  password: { perSecond: slow, burst: 2 },
};

/** What is still held after a collection. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}

async function bff(t: TestContext) {
  const mesh = await meshOf(t, [{ id: "1", version: 1n, username: "anna" }]);
  const limits = createLimits(undefined, budgets);
  return serve(t, publicRpcs(createClients(mesh.transport, memoryLog()), limits), { limits });
}

test("a viewer's reads are limited at every door together, writes and other viewers by themselves", async (t) => {
  const { ask, port, grpcPort } = await bff(t);
  const headers = await bearer("1");
  const read = () => ask("/v1/users/anna", { headers });
  for (let nth = 0; nth < 2; nth++) assert.equal((await read()).status, 200);
  const connect = createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "1.1" });
  const grpc = createGrpcTransport({ baseUrl: `http://127.0.0.1:${grpcPort}` });
  for (const transport of [connect, grpc])
    await createClient(UserService, transport).getUser({ user: "anna" }, { headers });

  const refused = await read();
  assertProblem(refused, 429, "rate-limited");
  assert.ok(Number(refused.headers["retry-after"]) > 0 && Number(refused.headers["retry-after"]) <= 60);
  for (const transport of [connect, grpc]) {
    const call = createClient(UserService, transport).getUser({ user: "anna" }, { headers });
    const err = await call.then(
      () => assert.fail("not refused"),
      (reason: unknown) => ConnectError.from(reason),
    );
    assert.deepEqual([err.code, explain(err).reason], [Code.ResourceExhausted, "rate-limited"]);
    assert.ok(Number(err.metadata.get("retry-after")) > 0);
  }
  assert.equal((await ask("/v1/users/anna/follow", { method: "DELETE", headers })).status, 200);
  assert.equal((await ask("/v1/users/anna", { headers: await bearer("2") })).status, 200);
});

test("whoever is not signed in draws by address: the one the edge saw, not the one that is claimed", async (t) => {
  const { ask } = await bff(t);
  const from = (forwarded: string) => ask("/v1/users/anna", { headers: { "x-forwarded-for": forwarded } });
  for (let nth = 0; nth < 4; nth++) assert.equal((await from(`10.0.0.${nth}, 192.0.2.1`)).status, 200);
  assertProblem(await from("10.9.9.9, 192.0.2.1"), 429, "rate-limited");
  assert.equal((await from("192.0.2.2")).status, 200);
});

test("a registration is a guess too, and a name no account can have costs no more memory than any", async (t) => {
  const { post } = await bff(t);
  const send = (path: string, username: string, forwarded: string) =>
    post(path, JSON.stringify({ username, password: "wrong" }), { "x-forwarded-for": forwarded });
  await send("/v1/auth/register", "anna", "192.0.2.7");
  assertProblem(await send("/v1/auth/login", "anna", "192.0.2.7"), 401, "invalid-credentials");
  assertProblem(await send("/v1/auth/login", "anna", "192.0.2.7"), 429, "rate-limited");
  const heapBefore = heapBytes();
  for (let nth = 0; nth < 60; nth++) await send("/v1/auth/login", `${nth}${"x".repeat(200_000)}`, `2001:db8:${nth}::1`);
  assert.ok(heapBytes() - heapBefore < 60 * 100_000, "names are kept");
  for (let nth = 0; nth < 3; nth++) await send("/v1/auth/login", `name${nth}`, `2001:db8:7:7:${nth}::1`);
  assertProblem(await send("/v1/auth/login", "other", "2001:db8:7:7:ffff::1"), 429, "rate-limited");
});

test("guesses at one account end before those of an address, and lock out nobody at another address", async (t) => {
  const { post } = await bff(t);
  const guess = (password: string, forwarded: string, username = "anna") =>
    post("/v1/auth/login", JSON.stringify({ username, password }), { "x-forwarded-for": forwarded });
  for (const username of ["anna", "ANNA"]) {
    assertProblem(await guess("wrong", "192.0.2.1", username), 401, "invalid-credentials");
  }
  assertProblem(await guess("right", "192.0.2.1"), 429, "rate-limited");
  assert.equal((await guess("right", "192.0.2.2")).status, 200);
  assertProblem(await guess("right", "192.0.2.1", "other"), 429, "rate-limited");
});
