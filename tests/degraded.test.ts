import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { caughtUp, redisCommand } from "./support/faults.ts";
import { type Answer, ask, type Person, register } from "./support/person.ts";
import { assertFeeds, type System, startSystem } from "./support/system.ts";

let system: System;
let people: [Person, Person, Person];
let post: string;
let passedOn: string;
before(
  async () => {
    system = await startSystem();
    people = (await Promise.all([1, 2, 3].map(() => register(system.edge)))) as typeof people;
    const [, author, other] = people;
    for (let nth = 0; nth < 12; nth++) await author.post(`before ${nth}`);
    passedOn = (await other.post("of somebody else")).id;
    await begin();
    await assertFeeds(system.oracle, people, 5);
    await caughtUp(system.instance.servers);
  },
  { timeout: 120_000 },
);
after(() => system.stop());

/** The reader follows the author, and not the other; the newest post of the author is liked by the reader. */
async function begin(): Promise<void> {
  const [reader, author, other] = people;
  await reader.follow(author);
  await reader.unfollow(other);
  post = (await author.post("liked")).id;
  await reader.like(post);
  // Somebody whom the reader follows passes on what is of somebody else: a page that is decided in two steps.
  await author.call("PUT", `/v1/posts/${passedOn}/repost`);
}

const read = (person: Person, path: string): Promise<Answer> => ask(system.edge, "GET", path, { token: person.token });

/** What a reader sees of everything that there is to read, without asking twice. */
async function readsAnswer(isMarked: boolean): Promise<void> {
  const [reader, author] = people;
  for (const path of [
    "/v1/feed",
    `/v1/users/${author.id}/posts`,
    `/v1/posts/${post}`,
    `/v1/users/${author.id}`,
    `/v1/posts/${post}/likes`,
    `/v1/posts/${post}/comments`,
  ]) {
    const { status, headers } = await read(reader, path);
    assert.equal(status, 200, path);
    const isPage = path === "/v1/feed" || path.endsWith(`${author.id}/posts`);
    assert.equal(headers.get("skein-degraded"), isPage && isMarked ? "redis" : null, path);
  }
}

/** What needs no Redis to be done is done, and seen at once. */
async function writesAreSeen(): Promise<void> {
  const [reader, author] = people;
  const made = await author.post("while a server is away");
  await reader.like(made.id);
  await reader.comment(made.id, "seen");
  assert.equal((await reader.feed(5))[0], made.id);
}

/** Does something once, and it is done: nobody asks twice. */
async function done(person: Person, method: "PUT" | "DELETE", path: string): Promise<void> {
  const { status, body } = await ask(system.edge, method, path, { token: person.token });
  assert.ok(status < 300, `${method} ${path}: ${status} ${JSON.stringify(body)}`);
}

/** What takes away is done at the first try, and obeyed by the next read. */
async function takingAwayIsObeyed(): Promise<void> {
  const [reader, author, other] = people;
  const gone = await author.post("gone soon");
  await done(author, "DELETE", `/v1/posts/${gone.id}`);
  await done(reader, "PUT", `/v1/users/${other.id}/follow`);
  await assertFeeds(system.oracle, people, 20);
  await done(author, "DELETE", `/v1/posts/${post}`);
  await done(reader, "DELETE", `/v1/users/${author.id}/follow`);
  await assertFeeds(system.oracle, people, 20);
}

/** A server that hangs, for as long as something is done. */
async function hanging(name: string, meanwhile: () => Promise<void>): Promise<void> {
  system.instance.kill(name, "SIGSTOP");
  try {
    await meanwhile();
  } finally {
    system.instance.kill(name, "SIGCONT");
  }
}

const ways = [
  ["ended", (name: string, meanwhile: () => Promise<void>) => system.instance.without(name, meanwhile)],
  ["hangs", hanging],
] as const;

/** Whether feeds are read as usual again. */
const isUsual = async () => (await read(people[0], "/v1/feed")).headers.get("skein-degraded") === null;

for (const [word, away] of ways) {
  test(`Redis ${word}: reads are right and say that they are degraded; then as usual`, {
    timeout: 90_000,
  }, async () => {
    await away("redis", async () => {
      await until("feeds are degraded", async () => !(await isUsual()));
      await readsAnswer(true);
      await writesAreSeen();
      await takingAwayIsObeyed();
    });
    // The warm page of a Redis that hung still has what was taken away.
    await assertFeeds(system.oracle, people, 20);
    await until("feeds are as usual", isUsual);
    await assertFeeds(system.oracle, people, 20);
    await begin();
    await readsAnswer(false);
    await assertFeeds(system.oracle, people, 5);
  });

  test(`MySQL ${word}: writes are refused, warm reads answer; then as before`, {
    timeout: 90_000,
  }, async () => {
    const [reader, author] = people;
    await read(reader, "/v1/feed");
    await away("mysql", async () => {
      for (let nth = 0; nth < 5; nth++) {
        const written = await ask(system.edge, "POST", "/v1/posts", {
          token: author.token,
          body: { text: "not now" },
          key: randomUUID(),
        });
        assert.equal(written.status, 503);
        assert.ok(Number(written.headers.get("retry-after")) > 0);
        const { status, body } = await read(reader, "/v1/feed");
        assert.equal(status, 200);
        assert.ok((body as { items: unknown[] }).items.length > 0);
      }
    });
    await author.post("after");
    await assertFeeds(system.oracle, people, 5);
  });

  test(`NATS ${word}: writes are accepted, also by a service that starts; then all is heard`, {
    timeout: 90_000,
  }, async () => {
    await away("nats", async () => {
      await writesAreSeen();
      await system.instance.restart(["post"]);
      await writesAreSeen();
    });
    await caughtUp(system.instance.servers);
    await assertFeeds(system.oracle, people, 5);
  });
}

test("graph ended, and Redis lost what it said of accounts: a post is accepted all the same, and shown when graph is back", {
  timeout: 90_000,
}, async () => {
  const [, author] = people;
  await system.instance.without("graph", async () => {
    await redisCommand(system.instance.servers.redisUrl, "FLUSHALL");
    await author.post("nobody could say whether my account is open");
  });
  await assertFeeds(system.oracle, people, 20);
});

/** Runs that keep Redis busy: so many at once, each for tens of milliseconds, that whoever asks waits for a second or two. */
const heavyRuns = 60;
const heavyLua = "local sum = 0 for step = 1, 3e6 do sum = sum + step end return sum";

test("Redis overloaded: reads are right or refused, never slow errors; as usual by itself when it ends", {
  timeout: 90_000,
}, async () => {
  let isOver = false;
  const runs = Array.from({ length: heavyRuns }, async () => {
    while (!isOver) await redisCommand(system.instance.servers.redisUrl, "EVAL", heavyLua, "0");
  });
  const seen = new Set<number>();
  const readers = people.map(async (person) => {
    while (!isOver) seen.add((await read(person, "/v1/feed")).status);
  });
  try {
    await until("feeds are degraded", async () => !(await isUsual()));
    await assertFeeds(system.oracle, people.slice(0, 1), 100);
  } finally {
    isOver = true;
    await Promise.all([...runs, ...readers]);
  }
  assert.deepEqual(
    [...seen].filter((status) => status !== 200 && status !== 503),
    [],
  );
  await until("feeds are as usual", isUsual);
  await assertFeeds(system.oracle, people, 20);
});
