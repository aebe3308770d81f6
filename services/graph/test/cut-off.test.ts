import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Bus } from "#lib/events/bus.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { followSets } from "#lib/readmodel/families.ts";
import { membersIn } from "#lib/readmodel/member-set.ts";
import { witness } from "#lib/readmodel/witness.ts";
import { newId } from "#lib/storage/id.ts";

let place: Scratch;
let system: Booted<"graph">;
let way: Awaited<ReturnType<typeof openWay>>;
let reader: Bus;
before(async () => {
  place = scratch(process.env);
  way = await openWay(place.redisUrl);
  system = await boot(place, ["graph"], { env: { REDIS_URL: way.url } });
  reader = await place.openBus();
  witness({ redis: system.redis, poll: reader.poll("redis"), log: place.log });
});
after(async () => {
  await system.stop();
  way.close();
  await place.close();
});

/** A way to Redis that can be held: what is sent on it stays where it is, as with a server that hangs. */
async function openWay(redisUrl: string) {
  const to = new URL(redisUrl);
  const sockets = new Set<Socket>();
  let isHeld = false;
  const server = createServer((near) => {
    const far = connect(Number(to.port), to.hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("data", (bytes) => other.write(bytes));
      one.on("error", () => {}).on("close", () => other.destroy());
      if (isHeld) one.pause();
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = new URL(redisUrl);
  url.port = String((server.address() as { port: number }).port);
  return {
    url: url.href,
    hold(held: boolean) {
      isHeld = held;
      for (const socket of sockets) held ? socket.pause() : socket.resume();
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const outcomeOf = (call: Promise<unknown>): Promise<Code | "done"> =>
  call.then(
    () => "done" as const,
    (reason) => ConnectError.from(reason).code,
  );

test("a graph that Redis hangs for, and nobody else, refuses a change before it is made; then makes it and all obey", {
  timeout: 60_000,
}, async () => {
  const { graph } = system.clients;
  const [viewer, followee, other] = [newId(), newId(), newId()] as [bigint, bigint, bigint];
  for (const id of [viewer, followee, other]) await graph.createAccount({ userId: String(id) }, system.as());
  const follow = (id: bigint) => graph.followUser({ userId: String(id) }, system.as(viewer));
  const unfollow = (id: bigint) => graph.unfollowUser({ userId: String(id) }, system.as(viewer));
  /** As a reader has it whose own way to Redis is well. */
  const isSeen = async () => {
    const pipeline = system.redis.pipeline();
    followSets.ask(system.redis, pipeline, viewer, [followee]);
    return membersIn((await system.redis.run(pipeline))[0], [followee])?.ids.has(followee);
  };
  const isTrue = async () => (await graph.getFollowSet({ userId: String(viewer) }, system.as())).followeeIds;
  await follow(followee);
  await isTrue();
  assert.equal(await isSeen(), true);

  way.hold(true);
  await until("graph has noticed", async () => (await outcomeOf(follow(other))) === Code.Unavailable);
  assert.equal(await outcomeOf(unfollow(followee)), Code.Unavailable);
  assert.ok((await isTrue()).includes(followee), "what was refused was not done");
  assert.equal(await isSeen(), true);

  way.hold(false);
  await until("graph is back", async () => (await outcomeOf(unfollow(followee))) === "done");
  assert.notEqual(await isSeen(), true, "who reads after the answer obeys");
  assert.deepEqual((await isTrue()).includes(followee), false);

  await follow(followee);
  way.hold(true);
  await until("graph has noticed", async () => (await outcomeOf(follow(other))) === Code.Unavailable);
  await reader.close();
  assert.equal(await outcomeOf(unfollow(followee)), "done", "nobody reads what it cannot change");
  assert.ok(!(await isTrue()).includes(followee));
  way.hold(false);
  await until("the relay has applied it", async () => (await isSeen()) !== true);
});
