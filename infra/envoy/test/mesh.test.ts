import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { type Address, meshConfig } from "../config.ts";
import {
  answerWith,
  callOf,
  hang,
  hitsOf,
  type Replica,
  refuse,
  rpcs,
  scanFollowers,
  sound,
  startReplica,
  whole,
} from "./replica.ts";
import { envoyBinary, freeAddresses, healthy, nth, type Running, startEnvoy, stat } from "./running.ts";

const { getUser, logIn, batchGetPosts, listHomeFeed, getFollowSet } = rpcs;

let listen: Address;
let admin: Address;
let envoy: Running;
let client: grpc.Client;
/** Two replicas of user, of post and of feed, and one of graph: a test that gets one ejected has a service of its own. */
const replicas: Replica[] = [];

before(async () => {
  const [first, second, ...at] = await freeAddresses(9);
  assert.ok(first !== undefined && second !== undefined);
  [listen, admin] = [first, second];
  replicas.push(...(await Promise.all(at.map(startReplica))));
  const services = { user: at.slice(0, 2), post: at.slice(2, 4), feed: at.slice(4, 6), graph: at.slice(6) };
  envoy = await startEnvoy(meshConfig({ listen, admin, services }), admin);
  await Promise.all([healthy(admin, "user", 2), healthy(admin, "post", 2), healthy(admin, "feed", 2)]);
  await healthy(admin, "graph", 1);
  client = new grpc.Client(`${listen.host}:${listen.port}`, grpc.credentials.createInsecure());
});

after(async () => {
  client?.close();
  await envoy?.[Symbol.asyncDispose]();
  for (const { server } of replicas) server.forceShutdown();
});

const call = (rpc: string, options?: grpc.CallOptions, metadata?: grpc.Metadata) =>
  callOf(client, rpc, options, metadata);

test("Envoy accepts the configuration without a warning", () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), "skein-envoy-"));
  const file = path.join(dir, "mesh.json");
  writeFileSync(
    file,
    JSON.stringify(meshConfig({ listen, admin, services: { user: [listen], post: [] }, otlp: listen })),
  );
  const run = spawnSync(envoyBinary(), ["--mode", "validate", "-c", file, "--log-level", "warn"], { encoding: "utf8" });
  rmSync(dir, { recursive: true });
  assert.equal(run.status, 0, run.stderr);
  assert.equal(run.stderr, "");
});

test("a noun that no contract has is refused", () => {
  assert.throws(() => meshConfig({ listen, admin, services: { usr: [listen] } }), /no contract skein\.usr\.v1/);
});

test("an RPC that no contract names is UNIMPLEMENTED", async () => {
  assert.equal((await call("/skein.user.v1.UserService/Nothing")).code, grpc.status.UNIMPLEMENTED);
  assert.equal((await call("/skein.nobody.v1.X/Y")).code, grpc.status.UNIMPLEMENTED);
});

test("the policy's timeout ends a call, and a nearer deadline of the caller's ends it sooner", async () => {
  const graph = nth(replicas, 6);
  answerWith(hang, graph);
  const late = await call(getFollowSet);
  assert.equal(late.code, grpc.status.DEADLINE_EXCEEDED, late.details);
  assert.ok(late.ms > 1900, `took ${late.ms} ms`);
  // By hand, so that it is Envoy and not the client's own timer that ends it.
  const metadata = new grpc.Metadata();
  metadata.set("grpc-timeout", "300m");
  const soon = await call(getFollowSet, {}, metadata);
  assert.equal(soon.code, grpc.status.DEADLINE_EXCEEDED, soon.details);
  assert.ok(soon.ms < 1900, `took ${soon.ms} ms`);
  answerWith(sound, graph);
});

test("a trace and a request id pass untouched", async () => {
  let got: grpc.Metadata | undefined;
  answerWith(
    (request, reply) => {
      got = request.metadata;
      reply(null, Buffer.alloc(0));
    },
    nth(replicas, 6),
  );
  const metadata = new grpc.Metadata();
  const sent = {
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
    "x-request-id": "0af76519-16cd-43dd-8448-eb211c80319c",
    "skein-viewer": "1",
  };
  for (const [name, value] of Object.entries(sent)) metadata.set(name, value);
  assert.equal((await call(getFollowSet, {}, metadata)).code, grpc.status.OK);
  for (const [name, value] of Object.entries(sent)) assert.deepEqual(got?.get(name), [value]);
  assert.deepEqual(got?.get("x-forwarded-for"), []);
});

test("UNAVAILABLE of one replica is not seen where the contract allows another try", async () => {
  const [one, two] = [nth(replicas, 0), nth(replicas, 1)];
  answerWith(refuse, one);
  answerWith(sound, two);
  for (let n = 0; n < 20; n += 1) assert.equal((await call(getUser)).code, grpc.status.OK);
  assert.ok(hitsOf(one) > 0);
  answerWith(sound, one);
});

test("UNAVAILABLE is final where it does not, whatever the caller asks Envoy for", async () => {
  const users = replicas.slice(0, 2);
  answerWith(refuse, ...users);
  const metadata = new grpc.Metadata();
  metadata.set("x-envoy-retry-grpc-on", "unavailable");
  metadata.set("x-envoy-retry-on", "5xx");
  metadata.set("x-envoy-max-retries", "8");
  assert.equal((await call(logIn, {}, metadata)).code, grpc.status.UNAVAILABLE);
  assert.equal(hitsOf(...users), 1);
  answerWith(sound, ...users);
});

test("a replica that hangs costs one try, not the call", async () => {
  const [one, two] = [nth(replicas, 2), nth(replicas, 3)];
  answerWith(hang, one);
  answerWith(sound, two);
  const answers = await Promise.all(Array.from({ length: 10 }, () => call(batchGetPosts)));
  assert.deepEqual([...new Set(answers.map(({ code }) => code))], [grpc.status.OK]);
  assert.ok(hitsOf(one) > 0);
  const longest = Math.max(...answers.map(({ ms }) => ms));
  assert.ok(longest > 850, `took ${longest} ms`);
});

test("a stream may take as long as it moves", async () => {
  const start = Date.now();
  const stream = client.makeServerStreamRequest(scanFollowers, whole, whole, Buffer.alloc(0));
  let pages = 0;
  for await (const _ of stream) pages += 1;
  assert.equal(pages, 5);
  assert.ok(Date.now() - start > 2000);
});

test("one dead replica of two costs no call", async () => {
  const [one, two] = [nth(replicas, 4), nth(replicas, 5)];
  const slowly: Replica["answer"] = (_, reply) => void setTimeout(() => reply(null, Buffer.alloc(0)), 20);
  answerWith(slowly, one, two);
  const calls: ReturnType<typeof call>[] = [];
  const load = setInterval(() => calls.push(call(listHomeFeed)), 5);
  const sent = async (count: number) => {
    while (calls.length < count) await new Promise(setImmediate);
  };
  while (hitsOf(one) <= 10) await sent(calls.length + 10);
  // It dies with a few calls in its hands whose answers have not begun: of one that has, nobody can ask again, and more
  // at once than the budget's floor would not all be asked again.
  answerWith(hang, one);
  while (hitsOf(one) < 3) await new Promise(setImmediate);
  one.server.forceShutdown();
  await sent(calls.length + 400);
  clearInterval(load);
  // An answer that had begun when it died is sent again by its caller, not by Envoy.
  const brokeOff = /^Received RST_STREAM/;
  const judged = (await Promise.all(calls)).filter(({ details }) => !brokeOff.test(details ?? ""));
  assert.ok(hitsOf(two) > 200);
  assert.deepEqual([...new Set(judged.map(({ code }) => code))], [grpc.status.OK]);
  assert.ok(judged.length > calls.length - 10);
  await healthy(admin, "feed", 1);
});

test("the lone replica's death is UNAVAILABLE at once", async () => {
  nth(replicas, 6).server.forceShutdown();
  await healthy(admin, "graph", 0);
  const { code, ms } = await call(getFollowSet);
  assert.equal(code, grpc.status.UNAVAILABLE);
  // Not after its timeout of 2 s.
  assert.ok(ms < 1900, `took ${ms} ms`);
  assert.equal(await stat(admin, "cluster.graph.lb_healthy_panic"), 0);
});
