//! What two replicas of a service promise their callers: shared load, no call to one that is ill or leaving, and a
//! bound on what an outage of both costs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { until } from "#lib/harness/until.ts";
import { type Address, meshConfig } from "../config.ts";
import { outageAttemptsMax } from "../limits.ts";
import { answerWith, callOf, hitsOf, type Replica, refuse, rpcs, sound, startReplica } from "./replica.ts";
import { freeAddresses, healthy, nth, type Running, startEnvoy, stat } from "./running.ts";

let admin: Address;
let envoy: Running;
let client: grpc.Client;
/** Two of each; a test that gets one ejected has a service of its own. */
const of: Record<"user" | "post" | "feed" | "graph", { at: Address[]; replicas: Replica[] }> = {
  user: { at: [], replicas: [] },
  post: { at: [], replicas: [] },
  feed: { at: [], replicas: [] },
  graph: { at: [], replicas: [] },
};
const call = (rpc: string) => callOf(client, rpc);

before(async () => {
  const free = await freeAddresses(10);
  const listen = nth(free, 0);
  admin = nth(free, 1);
  for (const [index, service] of Object.values(of).entries()) {
    service.at = free.slice(2 + index * 2, 4 + index * 2);
    service.replicas = await Promise.all(service.at.map(startReplica));
  }
  const services = Object.fromEntries(Object.entries(of).map(([noun, { at }]) => [noun, at]));
  envoy = await startEnvoy(meshConfig({ listen, admin, services }), admin);
  for (const noun of Object.keys(of)) await healthy(admin, noun, 2);
  client = new grpc.Client(`${listen.host}:${listen.port}`, grpc.credentials.createInsecure());
});

after(async () => {
  client?.close();
  await envoy?.[Symbol.asyncDispose]();
  for (const { replicas } of Object.values(of)) for (const { server } of replicas) server.forceShutdown();
});

test("both replicas get their share", async () => {
  const { replicas } = of.user;
  answerWith(sound, ...replicas);
  for (let n = 0; n < 200; n += 1) assert.equal((await call(rpcs.getUser)).code, grpc.status.OK);
  for (const { hits } of replicas) assert.ok(hits >= 70, `one got ${hits} of 200`);
});

test("one that is leaving gets no new call, and what it holds is finished", async () => {
  const [leaving, other] = of.user.replicas as [Replica, Replica];
  let finish: (() => void) | undefined;
  answerWith((_, reply) => {
    finish = () => reply(null, Buffer.from("the leaving one"));
  }, leaving);
  answerWith(sound, other);
  // A call that may wait longer than this test: one out of time would be answered by the other.
  let held = call(rpcs.importUsers);
  await until("the leaving one holds a call", async () => {
    if (finish !== undefined) return true;
    if (other.hits > 0) held = call(rpcs.importUsers);
    other.hits = 0;
    return false;
  });
  assert.equal(leaving.hits, 1);
  leaving.serves = false;
  await healthy(admin, "user", 1);
  for (let n = 0; n < 50; n += 1) assert.equal((await call(rpcs.getUser)).code, grpc.status.OK);
  assert.equal(leaving.hits, 1);
  finish?.();
  const { code, body } = await held;
  assert.deepEqual([code, body], [grpc.status.OK, "the leaving one"]);
  leaving.serves = true;
  leaving.answer = sound;
  await healthy(admin, "user", 2);
});

test("one that says it serves and fails its calls is left out, at no call's cost", async () => {
  const [ill, well] = of.post.replicas as [Replica, Replica];
  answerWith(sound, well);
  answerWith(refuse, ill);
  const outlier = (name: string) => stat(admin, `cluster.post.outlier_detection.${name}`);
  /** Which time it is out, or nothing while it is in. */
  const timeOut = async () =>
    (await outlier("ejections_active")) === 1 ? await outlier("ejections_enforced_total") : undefined;
  const ask = async () => assert.equal((await call(rpcs.batchGetPosts)).code, grpc.status.OK);
  await until("a round of calls lies within one absence", async () => {
    await ask();
    const out = await timeOut();
    if (out === undefined) return false;
    ill.hits = 0;
    for (let n = 0; n < 20; n += 1) await ask();
    const { hits } = ill;
    // It is away for a second or a few and is then tried again: what counts is a round that lies within one absence.
    if ((await timeOut()) !== out) return false;
    assert.equal(hits, 0);
    return true;
  });
});

/** It takes one or two; where an ejection or a back-off held it back, ten to sixty. */
const usedAgainMs = 6_000;

test("one that was killed and came back is used again within seconds", async (context) => {
  const { at, replicas } = of.feed;
  answerWith(sound, ...replicas);
  nth(replicas, 0).server.forceShutdown();
  for (let n = 0; n < 50; n += 1) assert.equal((await call(rpcs.listHomeFeed)).code, grpc.status.OK);
  await healthy(admin, "feed", 1);
  const back = await startReplica(nth(at, 0));
  replicas[0] = back;
  const start = Date.now();
  while (back.hits === 0) assert.equal((await call(rpcs.listHomeFeed)).code, grpc.status.OK);
  const took = Date.now() - start;
  context.diagnostic(`used again after ${took} ms`);
  assert.ok(took < usedAgainMs, `took ${took} ms`);
});

test("when both refuse every call, retries add no more than is written", async (context) => {
  const { replicas } = of.graph;
  answerWith(refuse, ...replicas);
  const calls: ReturnType<typeof call>[] = [];
  const start = Date.now();
  const load = setInterval(() => calls.push(call(rpcs.getFollowSet)), 5);
  await until("600 calls are sent", () => calls.length >= 600);
  clearInterval(load);
  for (const { code } of await Promise.all(calls)) assert.equal(code, grpc.status.UNAVAILABLE);
  const retries = hitsOf(...replicas) - calls.length;
  const perSecond = (retries * 1_000) / (Date.now() - start);
  context.diagnostic(
    `${(retries / calls.length + 1).toFixed(2)} attempts a call, ${perSecond.toFixed(0)} retries a second`,
  );
  // The budget bounds retries by time, so that a busy machine, which sends less, shows no more of them.
  assert.ok(perSecond <= (outageAttemptsMax - 1) * 200, `${perSecond} retries a second`);
});

test("where none of two is held for healthy, both are tried: a survivor that is held for ill still answers", async () => {
  const [dead, survivor] = of.user.replicas as [Replica, Replica];
  answerWith(sound, survivor);
  dead.server.forceShutdown();
  survivor.serves = false;
  await healthy(admin, "user", 0);
  for (let n = 0; n < 20; n += 1) assert.equal((await call(rpcs.getUser)).code, grpc.status.OK);
  assert.equal(survivor.hits, 20);
  assert.ok((await stat(admin, "cluster.user.lb_healthy_panic")) > 0);
});
