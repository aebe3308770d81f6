import assert from "node:assert/strict";
import { cpSync, existsSync, renameSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { caughtUp, redisCommand, writeOn } from "./support/faults.ts";
import { type Person, register } from "./support/person.ts";
import { assertFeeds, type System, startSystem } from "./support/system.ts";

/** Each loss falls into this much writing on either side of it. */
const postsAround = 60;

let system: System;
let people: Person[];
before(async () => {
  system = await startSystem();
  people = await Promise.all(Array.from({ length: 6 }, () => register(system.edge)));
  for (const person of people) for (const other of people.slice(0, 4)) if (other !== person) await person.follow(other);
});
after(() => system.stop());

/** Posts of all so far: the condition that writing goes on. */
async function untilPosts(count: number): Promise<void> {
  while ((await postCount()) < count) await new Promise((done) => setTimeout(done, 20));
}
const postCount = async (): Promise<number> => {
  const all = new Set((await Promise.all(people.map((person) => system.oracle.author(BigInt(person.id))))).flat());
  return all.size;
};

async function loseWhileWriting(lose: () => Promise<unknown> | unknown): Promise<void> {
  const start = await postCount();
  const writing = writeOn(people, 4);
  await untilPosts(start + postsAround);
  await lose();
  await untilPosts(start + 2 * postsAround);
  const acknowledged = await writing.stop();
  assert.ok(acknowledged > 0);
}

test("Redis flushed while serving: feeds are the oracle's at the next read", { timeout: 120_000 }, async () => {
  await loseWhileWriting(() => redisCommand(system.instance.servers.redisUrl, "FLUSHALL"));
  await assertFeeds(system.oracle, people, 30);
  await redisCommand(system.instance.servers.redisUrl, "FLUSHALL");
  await assertFeeds(system.oracle, people, 30);
});

test("Redis killed while serving: feeds are the oracle's when it is back", { timeout: 120_000 }, async () => {
  await loseWhileWriting(() => system.instance.kill("redis", "SIGKILL"));
  await assertFeeds(system.oracle, people, 30);
});

const store = () => path.join(system.dir, "nats", "data");

test("the NATS store deleted while serving: every fact is heard, feeds are the oracle's", {
  timeout: 120_000,
}, async () => {
  assert.ok(existsSync(store()));
  await loseWhileWriting(() => {
    renameSync(store(), `${store()}.lost`);
    system.instance.kill("nats", "SIGKILL");
  });
  await assertFeeds(system.oracle, people, 30);
  await caughtUp(system.instance.servers);
  await assertFeeds(system.oracle, people, 30);
});

test("the NATS store rolled back while serving: every fact is heard, feeds are the oracle's", {
  timeout: 120_000,
}, async () => {
  await caughtUp(system.instance.servers);
  cpSync(store(), `${store()}.older`, { recursive: true });
  await loseWhileWriting(async () => {
    await untilPosts((await postCount()) + postsAround);
    renameSync(store(), `${store()}.newer`);
    renameSync(`${store()}.older`, store());
    system.instance.kill("nats", "SIGKILL");
  });
  await assertFeeds(system.oracle, people, 30);
  await caughtUp(system.instance.servers);
  await assertFeeds(system.oracle, people, 30);
});

test("timelines hold every post once all is heard, without help of the lag", { timeout: 60_000 }, async () => {
  await caughtUp(system.instance.servers);
  const keys = (await redisCommand(system.instance.servers.redisUrl, "KEYS", "*:lag")) as string[];
  for (const key of keys) assert.equal(await redisCommand(system.instance.servers.redisUrl, "ZCARD", key), 0);
  await assertFeeds(system.oracle, people, 50);
});
