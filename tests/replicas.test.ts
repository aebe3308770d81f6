import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { readKinds, readReplicas } from "../tools/launcher/kinds.ts";
import { disturb } from "./support/disturb.ts";
import { openEdges } from "./support/edges.ts";
import { caughtUp } from "./support/faults.ts";
import { type Ledger, openLedger } from "./support/ledger.ts";
import { allHealthy, assertFeeds, type System, startSystem } from "./support/system.ts";
import { drive, type Traffic } from "./support/traffic.ts";

/** Requests a second: two cores carry it with a test beside. bench/replicas.ts is where rates are driven. */
const rate = 20;
/** Feeds are compared a hundred to a page. */
const pageSize = 100;

const two = readReplicas("all=2");
let system: System;
let ledger: Ledger;

before(
  async () => {
    system = await startSystem(two);
    ledger = await openLedger(system.edge, 4);
  },
  { timeout: 180_000 },
);

after(() => system.stop());

/** A third of the time that a door gives a read. */
const warmMs = 1_000;
/**
 * Thirty processes that were started together compile what they meet first, on two cores: then the machine is late, whatever ends. What is asked
 * here is of a system that runs.
 */
const isWarm = ({ tookMs }: Traffic): boolean =>
  tookMs.length >= 5 * rate && tookMs.slice(-2 * rate).every((ms) => ms < warmMs);

/** Drives people while something happens, and says what went wrong for them. */
async function meanwhile(happens: (traffic: Traffic) => Promise<unknown>): Promise<void> {
  const client = openEdges(system.instance.edges);
  const traffic = drive({ edges: client, ledger, rate });
  try {
    await until("the system is warm", () => isWarm(traffic));
    await happens(traffic);
    const after = traffic.done() + rate;
    await until("as many requests again are answered", () => traffic.done() >= after);
  } finally {
    await traffic.stop();
    client.close();
  }
  assert.deepEqual(traffic.failures, []);
}

for (const [signal, kinds] of [
  ["SIGKILL", "all"],
  ["SIGTERM", "feed,bff"],
] as const) {
  test(`a replica of ${kinds} ends with ${signal} while people read and write: no request fails`, {
    timeout: 400_000,
  }, async () => {
    await meanwhile(async () => {
      for (const [nth, kind] of readKinds(kinds).entries()) await disturb({ dir: system.dir, kind, nth, signal });
    });
  });
}

test("a restart replica by replica: no request fails", { timeout: 400_000 }, async () => {
  await meanwhile(() => system.instance.restart(readKinds("mesh,post,bff,edge")));
  await allHealthy(system.instance);
});

test("after all of it every acknowledged write is there once, and every feed is the oracle's", {
  timeout: 400_000,
}, async () => {
  await caughtUp(system.instance.servers);
  assert.deepEqual(await ledger.differences(system.instance.servers.mysqlUrl), []);
  await assertFeeds(system.oracle, ledger.people, pageSize);
});
