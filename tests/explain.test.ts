import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import mysql from "mysql2/promise";
import { ExplanationKind as Kind, TimelineState } from "#gen/skein/feed/v1/explain_pb.ts";
import { until } from "#lib/harness/until.ts";
import { newId } from "#lib/storage/id.ts";
import { command } from "../tools/command.ts";
import { findSystem, insist, type Operator, openOperator } from "../tools/operator.ts";
import { randomOf } from "../tools/seed/random.ts";
import { assertTold } from "./support/explained.ts";
import { caughtUp, redisCommand } from "./support/faults.ts";
import { type Recorded, type RecordedPost, recordedHistory } from "./support/recorded.ts";
import { type System, startSystem } from "./support/system.ts";

const seed = Number(process.env.SEED ?? Date.now() % 100_000);
const random = randomOf("explain", seed);
const peopleCount = 24;
const followChanges = 160;
const postsEach = 50;
const deletes = 12;
/** One author writes more than a new timeline keeps of one. */
const oldPosts = 300;
/** Pairs that are explained, drawn at random. */
const pairsMin = 1_050;

let system: System;
let operator: Operator;
let recorded: Recorded;
before(async () => {
  // The auditor reads feeds, too, and would make timelines when nobody was recorded to read.
  system = await startSystem({}, { AUDIT_MS: "0" });
  operator = await openOperator(findSystem({ dir: system.dir, env: {} }));
  recorded = await recordedHistory(operator, random, peopleCount);
});
after(async () => {
  operator?.close();
  await system?.stop();
});

const explain = (viewerId: string, postId: string) =>
  insist((options) => operator.feed.explainPost({ viewerId, postId }, options));
const flush = () => redisCommand(system.instance.servers.redisUrl, "FLUSHALL");

/** Follows, unfollows, posts and deletes by chance, reads by half of the people, Redis lost in the middle. */
async function live(): Promise<void> {
  const { people, posts, somebody, change, post, remove, importOld, each, home } = recorded;
  const prolific = people[0] as string;
  await importOld(prolific, oldPosts, Date.now());
  for (let nth = 0; nth < followChanges; nth++)
    await change(somebody(), random.below(4) === 0 ? prolific : somebody(), random.below(3) > 0);
  const readers = people.filter((_, nth) => nth % 2 === 0);
  for (const lost of [true, false]) {
    await each(readers, async (viewer) => void (await home(viewer)));
    for (let nth = 0; nth < postsEach; nth++) await post(somebody());
    for (let nth = 0; nth < 4; nth++) await change(somebody(), somebody(), random.below(2) === 0);
    if (lost) await flush();
  }
  for (let nth = 0; nth < deletes; nth++) {
    const one = posts[random.below(posts.length)] as RecordedPost;
    if (!recorded.deletes.has(one.id)) await remove(one);
  }
  await caughtUp(system.instance.servers);
}

/** Fan-outs cannot read whom to reach, and wait. */
async function whileFanoutsAreStuck(work: () => Promise<void>): Promise<void> {
  const lock = await mysql.createConnection({ uri: system.instance.servers.mysqlUrl, database: "skein_graph" });
  try {
    await lock.query("LOCK TABLES follower WRITE");
    await work();
  } finally {
    await lock.end();
  }
}

test(`of ${pairsMin} random people and posts each is explained as it is, seed ${seed}`, {
  timeout: 120_000,
}, async () => {
  const { people, posts, post, somebody, each, home } = recorded;
  await live();
  const seen = new Map<Kind, number>();
  await whileFanoutsAreStuck(async () => {
    const before = posts.length;
    for (let nth = 0; nth < 6; nth++) await post(somebody());
    const stuck = posts.slice(before).flatMap((one) => people.map((viewer) => [viewer, one] as const));
    const drawn = Array.from(
      { length: pairsMin - stuck.length },
      () => [somebody(), posts[random.below(posts.length)] as RecordedPost] as const,
    );
    const shown = new Map<string, boolean>();
    await each([...stuck, ...drawn], async ([viewer, one]) => {
      const told = await explain(viewer, one.id);
      assertTold(recorded, viewer, one, told);
      shown.set(`${viewer} ${one.id}`, told.shown);
      for (const { kind } of told.reasons) seen.set(kind, (seen.get(kind) ?? 0) + 1);
    });
    await each(people, async (viewer) => {
      const [truth, read] = [new Set(await system.oracle.home(BigInt(viewer))), await home(viewer)];
      assert.deepEqual(read, truth, `the feed of ${viewer}`);
      for (const { id } of posts) {
        const told = shown.get(`${viewer} ${id}`);
        if (told !== undefined) assert.equal(told, truth.has(id), `${viewer} ${id}`);
      }
    });
  });
  const expected = [
    Kind.DELETED,
    Kind.NOT_FOLLOWING,
    Kind.OWN,
    Kind.FOLLOWING,
    Kind.PUSHED,
    Kind.PULLED_FROM_LAG,
    Kind.PULLED_WHEN_MADE,
    Kind.FROM_TRUTH,
  ];
  for (const kind of expected) assert.ok((seen.get(kind) ?? 0) > 0, `kind ${kind} did not occur: ${[...seen]}`);
});

const kindsOf = async (viewer: string, post: string) => (await explain(viewer, post)).reasons.map(({ kind }) => kind);

test("who or what does not exist is a reason", async () => {
  const { people, posts } = recorded;
  const [viewer, one] = [people[0] as string, posts[0] as RecordedPost];
  assert.deepEqual(await kindsOf(String(newId()), one.id), [Kind.NO_SUCH_VIEWER]);
  assert.deepEqual(await kindsOf(viewer, String(newId())), [Kind.NO_SUCH_POST]);
});

test("the command says it in sentences or JSON, and its exit code says whether it is shown", async () => {
  const { people, posts, deletes } = recorded;
  const run = (...args: string[]) => command([process.execPath, "tools/explain.ts", ...args, "--dir", system.dir]);
  const gone = posts.find(({ id }) => deletes.has(id)) as RecordedPost;
  const one = posts.find(({ id }) => !deletes.has(id)) as RecordedPost;
  const { users } = await insist((options) => operator.user.batchGetUsers({ userIds: [one.author] }, options));
  const name = users[0]?.user?.username ?? "";
  const shown = await run("feed", name, one.id);
  assert.equal(shown.code, 0, shown.output);
  assert.match(shown.output, new RegExp(`^shown: ${name} wrote it\n.*\n.*npm run trace -- ${one.id}\n$`));
  const hidden = await run("feed", gone.author, gone.id);
  assert.equal(hidden.code, 1, hidden.output);
  assert.match(hidden.output, /^hidden: .* deleted it at \d{4}-\d\d-\d\d [\d:.]+ UTC\n/);
  const json = await run("feed", people[0] as string, gone.id, "--json");
  assert.deepEqual([json.code, JSON.parse(json.output).shown], [1, false]);
  for (const wrong of [
    ["feed", name],
    ["mail", name, one.id],
    ["feed", name, "x"],
    ["feed", name, one.id, "--loud"],
  ])
    assert.equal((await run(...wrong)).code, 2, wrong.join(" "));
  assert.equal((await run("feed", "nobody_of_this_name", one.id)).code, 5);
  assert.equal(
    (await command([process.execPath, "tools/explain.ts", "feed", name, one.id, "--dir", "/nowhere"])).code,
    3,
  );
});

test("an account that is closed behind the back of Redis is a bug on the side of the read, and then a reason", async () => {
  const { posts, people, change, post, home } = recorded;
  const [viewer, author] = people.slice(1) as [string, string];
  await change(viewer, author, true);
  await post(author);
  const { id } = posts.at(-1) as RecordedPost;
  await until("the viewer's set stands in Redis", async () => {
    await home(viewer);
    return (await explain(viewer, id)).facts?.timeline?.state === TimelineState.FRESH;
  });
  const graph = await mysql.createConnection({ uri: system.instance.servers.mysqlUrl, database: "skein_graph" });
  await graph.query("UPDATE account SET state = 3 WHERE user_id = ?", [author]);
  await graph.end();
  const bug = await explain(viewer, id);
  assert.deepEqual(
    [bug.shown, bug.reasons.slice(0, 2).map(({ kind }) => kind)],
    [true, [Kind.INCONSISTENT_SHOWN, Kind.ACCOUNT_STATE]],
  );
  await flush();
  const hidden = await explain(viewer, id);
  assert.deepEqual([hidden.shown, hidden.reasons.map(({ kind }) => kind)], [false, [Kind.ACCOUNT_STATE]]);
  assert.deepEqual(await home(viewer), new Set(await system.oracle.home(BigInt(viewer))));
});
