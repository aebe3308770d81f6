import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { explain, notFound, unavailable } from "#lib/mesh/errors.ts";
import { guard } from "../src/resilience.ts";
import { memoryLog } from "./serve.ts";

/** A user service that does as told, behind a guard. */
function guarded(answer: () => Promise<object>) {
  const log = memoryLog();
  let calls = 0;
  const transport = createRouterTransport(({ service }) =>
    service(UserService, {
      getUser: () => {
        calls++;
        return answer();
      },
    }),
  );
  const client = createClient(UserService, guard(transport, "user", log));
  const failures = async (count: number) => {
    const outcomes = await Promise.allSettled(Array.from({ length: count }, () => client.getUser({})));
    return outcomes.map((outcome) => (outcome.status === "rejected" ? ConnectError.from(outcome.reason) : undefined));
  };
  return { log, client, failures, calls: () => calls };
}

test("a dependency that is down is left alone, and tried again by one", { timeout: 20_000 }, async () => {
  let isDown = true;
  const { log, client, failures, calls } = guarded(async () => {
    if (isDown) throw unavailable("user");
    return {};
  });
  for (let at = 0; at < 60; at++) await failures(1);
  const before = calls();
  assert.ok(before <= 51, `${before} calls reached it`);
  const [refused] = await failures(1);
  assert.equal(refused?.code, Code.Unavailable);
  assert.equal(explain(refused ?? new ConnectError("")).reason, "unavailable");
  assert.equal(calls(), before);
  isDown = false;
  while ((await failures(1))[0] !== undefined) await new Promise((done) => setTimeout(done, 50));
  await client.getUser({});
  assert.deepEqual(
    log.lines.map(({ fields }) => fields.state),
    ["Open", "HalfOpen", "Closed"],
  );
});

test("answers nobody likes are answers: the circuit stays closed, and they keep their reason", async () => {
  const { failures, calls, log } = guarded(async () => {
    throw notFound("user");
  });
  for (let at = 0; at < 200; at++) {
    const [err] = await failures(1);
    assert.equal(err?.code, Code.NotFound);
    assert.equal(explain(err).reason, "not-found");
  }
  assert.equal(calls(), 200);
  assert.deepEqual(log.lines, []);
});

test("a slow dependency holds so many calls and no more", { timeout: 20_000 }, async () => {
  const gate = Promise.withResolvers<object>();
  const { failures, calls, log } = guarded(() => gate.promise);
  const outcome = failures(400);
  while (calls() < 256) await new Promise((done) => setImmediate(done));
  assert.equal(calls(), 256);
  gate.resolve({});
  const refused = (await outcome).filter((err) => err !== undefined);
  assert.equal(refused.length, 400 - 256 - 64);
  assert.ok(refused.every((err) => err.code === Code.Unavailable && explain(err).reason === "overloaded"));
  assert.deepEqual(log.lines, [], "being busy is no failure");
});
