import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { createAdmission, watchLateness } from "../src/middleware/shed.ts";
import { postApi } from "./post-api.ts";
import { assertProblem, memoryLog, serve } from "./serve.ts";

/** A handler that answers when told to. */
function slowApi() {
  const gate = Promise.withResolvers<void>();
  const { rpcs } = postApi({
    listUserPosts: async () => {
      await gate.promise;
      return {};
    },
  });
  return { rpcs, open: gate.resolve };
}

const until = async (isTrue: () => boolean) => {
  while (!isTrue()) await new Promise((done) => setImmediate(done));
};

test("over the limit a request is refused at once and says when to come back", { timeout: 20_000 }, async (t) => {
  const { rpcs, open } = slowApi();
  const { ask } = await serve(t, rpcs, { isLate: () => true });
  let answered = 0;
  const held = Array.from({ length: 136 }, () =>
    ask("/v1/users/anna/posts").then((answer) => {
      answered++;
      return answer;
    }),
  );
  await until(() => answered === 8);
  assert.equal((await ask("/healthz")).status, 200, "health is never shed");
  open();
  const answers = await Promise.all(held);
  const refused = answers.filter(({ status }) => status === 503);
  assert.equal(refused.length, 8);
  for (const answer of refused) {
    assertProblem(answer, 503, "overloaded");
    assert.equal(answer.headers["retry-after"], "1");
  }
  assert.equal((await ask("/v1/users/anna/posts")).status, 200, "places come back");
});

test("the limit is wide while the event loop keeps up", () => {
  let isLate = false;
  const admission = createAdmission({ isLate: () => isLate }, 3, 1);
  const [first, second, third] = [admission.enter(), admission.enter(), admission.enter()];
  assert.throws(() => admission.enter(), /too many/);
  for (const leave of [first, second, third]) leave();
  isLate = true;
  admission.enter();
  assert.throws(() => admission.enter(), /too many/);
});

/** Whether a new connection is taken. */
const isOpen = (port: number) =>
  new Promise<boolean>((done) => {
    const socket = connect(port, "127.0.0.1", () => done(true)).once("error", () => done(false));
    socket.unref();
    socket.once("connect", () => socket.destroy());
  });

for (const [windowMs, turnMs] of [
  [500, 130],
  [50, 160],
] as const) {
  test(`turns of ${turnMs} ms are seen in windows of ${windowMs} ms, and forgiven`, { timeout: 60_000 }, async () => {
    const log = memoryLog();
    const lateness = watchLateness(log, windowMs);
    const breathe = () => new Promise((done) => setTimeout(done, 5));
    const block = () => {
      const end = performance.now() + turnMs;
      while (performance.now() < end);
    };
    assert.equal(lateness.isLate(), false);
    for (let turn = 0; turn < 60 && !lateness.isLate(); turn++) {
      block();
      await breathe();
    }
    assert.equal(lateness.isLate(), true);
    while (lateness.isLate()) await breathe();
    lateness.close();
    assert.deepEqual(
      log.lines.slice(0, 2).map(({ msg }) => msg),
      ["shedding", "no longer shedding"],
    );
  });
}

test("draining says so to the edge, finishes what is in flight, and then ends", { timeout: 20_000 }, async (t) => {
  const { rpcs, open } = slowApi();
  const { ask, server, port } = await serve(t, rpcs, { drainMs: 2_000 });
  assert.deepEqual((await ask("/healthz")).json(), { status: "serving" });
  let answered = false;
  const inFlight = ask("/v1/users/anna/posts").finally(() => {
    answered = true;
  });
  const stopped = server.stop();
  const health = await ask("/healthz");
  assert.deepEqual([health.status, health.json().status], [503, "draining"]);
  assert.equal((await ask("/v1/posts/1")).status, 404, "still answering while the edge looks away");
  while (await isOpen(port)) await new Promise((done) => setTimeout(done, 20));
  assert.equal(answered, false);
  open();
  const answer = await inFlight;
  assert.equal(answer.status, 200);
  await stopped;
});
