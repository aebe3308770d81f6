//! Envoy in front, a database that is away, and facts that come again.

import assert from "node:assert/strict";
import { until } from "#lib/harness/until.ts";
import { caughtUp, redeliver } from "../support/faults.ts";
import { register } from "../support/person.ts";
import { assertFeeds } from "../support/system.ts";
import { as, problem, type Rows, raw, send, type World, write } from "./wire.ts";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const edgeRows: Rows = {
  "H-02": async (world) => {
    assert.match(await raw(world, "GET /\r\n\r\n"), /^(HTTP\/1.1 4(00|26) |$)/);
    assert.match(await raw(world, "GET /v1/feed HTTP/1.1\r\n\r\n"), /^HTTP\/1.1 400 /);
  },
  "H-05": async (world) => {
    const headers = { "x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-retry-on": "5xx", "x-envoy-max-retries": "50" };
    assert.equal((await send(world, `/v1/users/${world.ada.id}`, { headers })).status, 200);
  },
  "H-06": async (world) => {
    for (const id of ["mine", "a".repeat(10_240)]) {
      const { headers } = await send(world, `/v1/users/${world.ada.id}`, {
        headers: { "x-request-id": id, traceparent: id.slice(0, 1_000) },
      });
      assert.match(String(headers["x-request-id"]), uuid);
    }
    const split = await raw(
      world,
      "GET /v1/feed HTTP/1.1\r\nHost: localhost\r\nx-request-id: a\n b: c\r\nConnection: close\r\n\r\n",
    );
    assert.doesNotMatch(split, /^x-request-id: a\W/m);
  },
  "H-11": async (world) => {
    assert.equal((await send(world, "/v1/feed", { headers: as(world.ada, { expect: "999-foo" }) })).status, 417);
  },
};

/** What is read after facts were told again is what was read before. */
export const eventRows: Rows = {
  "E-02": async ({ system, ada, ben }) => {
    await ben.follow(ada);
    for (let n = 0; n < 5; n++) await ada.post(`told twice ${n}`);
    await caughtUp(system.instance.servers);
    await redeliver(system, "post");
    await caughtUp(system.instance.servers);
    await assertFeeds(system.oracle, [ada, ben], 50);
  },
  "E-05": async ({ system, ben }) => {
    const author = await register(system.edge);
    await ben.follow(author);
    const { id } = await author.post("gone");
    await author.remove(id);
    await redeliver(system, "post");
    await caughtUp(system.instance.servers);
    assert.ok(!(await ben.feed()).includes(id));
    await assertFeeds(system.oracle, [ben, author], 50);
  },
  "E-07": async ({ system, ada, ben }) => {
    const before = await Promise.all([ada.feed(), ben.feed()]);
    for (const noun of ["graph", "user", "post"]) await redeliver(system, noun);
    await caughtUp(system.instance.servers);
    assert.deepEqual(await Promise.all([ada.feed(), ben.feed()]), before);
  },
};

/** Ends a server, so it comes after all that counts processes. */
export const faultRows: Rows = {
  "H-10": async (world) => {
    const { mysql } = await restartsOf(world);
    const refused = await withoutStore(world, async () => {
      for (;;) {
        const answer = await write(world, "down");
        if (answer.status === 503) return answer;
        // Written before it died, or out of time while it did.
        assert.ok([201, 504].includes(answer.status), answer.text);
      }
    });
    problem(refused, 503, "unavailable");
    assert.equal(refused.headers["retry-after"], "1");
    await until("writes are taken again", async () => (await write(world, "up again")).status === 201);
    assert.ok(Number((await restartsOf(world)).mysql) > Number(mysql));
  },
};

/** Kills the store again whenever it is back, until `work` is done: it is back sooner than the mesh's repeats are over. */
async function withoutStore<T>({ system }: World, work: () => Promise<T>): Promise<T> {
  let isDone = false;
  const working = work().finally(() => {
    isDone = true;
  });
  const killing = until("a write is refused while the store is away", () => {
    if (!isDone) system.instance.kill("mysql", "SIGKILL");
    return isDone;
  });
  const [result] = await Promise.all([working, killing]);
  return result;
}

async function restartsOf({ system }: World): Promise<Record<string, number>> {
  const { processes } = await system.instance.status();
  return Object.fromEntries(processes.map(({ name, restarts }) => [name, restarts]));
}
