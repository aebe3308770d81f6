import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PostCreatedSchema } from "#gen/skein/post/v1/events_pb.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { newTraceparent } from "#lib/mesh/call.ts";
import { newId } from "#lib/storage/id.ts";
import type { Db } from "#lib/storage/mysql.ts";
import type { Bus } from "../bus.ts";
import { createConsumer } from "../consume.ts";
import { type Leases, leases } from "../lease.ts";
import { append, type Event, fact } from "../outbox.ts";
import { decode } from "../poison.ts";
import { createRelay } from "../relay.ts";

let place: Scratch;
let db: Db;
let bus: Bus;
let ended: Promise<unknown>;
const ending = new AbortController();

/** What the consumer did, in order; and what makes it fail. */
const tried: string[] = [];
const begun: string[] = [];
let broken: (event: Event) => boolean = () => false;

before(async () => {
  place = scratch(process.env);
  bus = await place.openBus();
  db = await place.openDb("post");
  await db.exec("CREATE TABLE effect (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, name VARCHAR(64) NOT NULL)");
  const relays: Leases = leases({ db, team: "relay", holder: "a", log: place.log });
  const hearing: Leases = leases({ db, team: "post", holder: "a", log: place.log });
  const places = () => Promise.resolve(new Map<number, bigint>());
  const relay = createRelay({ noun: "post", db, bus, leases: relays, log: place.log, places });
  const consumer = createConsumer({
    ...{ noun: "post", db, bus, leases: hearing, log: place.log },
    concerns: (event) => decode(PostCreatedSchema, event).authorId !== "passed",
    async apply(tx, events) {
      for (const event of events) {
        tried.push(nameOf(event));
        decode(PostCreatedSchema, event);
        if (broken(event)) throw new Error("cannot be applied");
        await tx.exec("INSERT INTO effect (id, name) VALUES (?, ?)", [newId(), nameOf(event)]);
      }
    },
    applied: (events) => void begun.push(...events.map(nameOf)),
    tell: async () => {},
  });
  ended = Promise.all([relays.loop, hearing.loop, relay.loop, consumer.loop].map((loop) => loop(ending.signal)));
});
after(async () => {
  ending.abort();
  await ended;
  await place?.close();
});

const nameOf = ({ aggregate, version }: Pick<Event, "aggregate" | "version">) => `${aggregate} ${version}`;
const effects = async (aggregate: number) =>
  (await db.query("SELECT name FROM effect WHERE name LIKE ? ORDER BY id", [`post:${aggregate} %`])).map(({ name }) =>
    String(name),
  );
const isApplied = (name: string) => async () =>
  (await db.query("SELECT 1 FROM effect WHERE name = ?", [name])).length > 0;
const timesOf = (name: string, among: readonly string[]) => among.filter((one) => one === name).length;
const parked = async (aggregate: number) =>
  (await db.query("SELECT version FROM parked WHERE aggregate = ? ORDER BY version", [`post:${aggregate}`])).map(
    ({ version }) => Number(version),
  );

/** Facts of one aggregate, told one after another. */
const tell = (aggregate: number, ...versions: number[]) => tellOf("", aggregate, ...versions);
const tellOf = (authorId: string, aggregate: number, ...versions: number[]) =>
  db.tx((tx) =>
    append(
      tx,
      versions.map((version) =>
        fact({
          desc: PostCreatedSchema,
          value: { postId: String(aggregate), authorId },
          aggregate: `post:${aggregate}`,
          version: BigInt(version),
          partition: BigInt(aggregate),
          actor: 1n,
          traceparent: newTraceparent(),
        }),
      ),
    ),
  );

/** The next facts that are committed have a payload nobody can read. */
async function tellGarbage(aggregate: number, ...versions: number[]): Promise<void> {
  await db.tx(async (tx) => {
    for (const version of versions) {
      await tx.exec(
        "INSERT INTO outbox (id, shard, aggregate, version, type, payload, actor, traceparent) VALUES (?, ?, ?, ?, 'PostCreated', ?, 1, ?)",
        [
          `${aggregate}${version}`,
          aggregate % 64,
          `post:${aggregate}`,
          version,
          Buffer.from([0xff, 0xff]),
          newTraceparent(),
        ],
      );
    }
  });
}

const ask = (aggregate: number) =>
  db.exec("UPDATE parked SET replay_time = NOW(3) WHERE aggregate = ?", [`post:${aggregate}`]);

test("what cannot be decoded is parked at once, and its neighbour in the partition goes on", async () => {
  await tellGarbage(1000, 1);
  await tell(1064, 1);
  await until("the neighbour's fact is applied", isApplied("post:1064 1"));
  assert.deepEqual(await parked(1000), [1]);
  // Once in the batch that failed, once by itself.
  assert.ok(timesOf("post:1000 1", tried) <= 2, `tried ${timesOf("post:1000 1", tried)} times`);
});

test("what fails five times is parked with its later facts, and nothing begins for any of them", async () => {
  broken = ({ aggregate }) => aggregate === "post:1001";
  await tell(1001, 1, 2);
  await tell(1065, 1);
  await until("the neighbour's fact is applied", isApplied("post:1065 1"));
  assert.deepEqual(await parked(1001), [1, 2]);
  const alone = timesOf("post:1001 1", tried);
  assert.ok(alone >= 5 && alone <= 6, `tried ${alone} times`);
  await tell(1001, 3);
  await until("the third is parked behind them", async () => (await parked(1001)).length === 3);
  assert.equal(timesOf("post:1001 3", tried), 0, "what is behind is not tried");
  assert.deepEqual(
    begun.filter((name) => name.startsWith("post:1001")),
    [],
  );
});

test("a replay that fails again leaves the aggregate parked with the new reason, and waits for nobody", async () => {
  await ask(1001);
  const marks = () => db.query("SELECT reason FROM parked WHERE aggregate = 'post:1001' AND replay_time IS NULL");
  await until("the mark is gone", async () => (await marks()).length === 3);
  assert.deepEqual(await parked(1001), [1, 2, 3]);
  assert.deepEqual(await effects(1001), []);
});

test("replayed in order of version, once each, while new facts of the aggregate come; then they flow again", async () => {
  broken = () => false;
  await db.exec("DELETE FROM parked WHERE aggregate = 'post:1000'");
  const versions = Array.from({ length: 40 }, (_, nth) => nth + 4);
  let asked = false;
  for (const version of versions) {
    await tell(1001, version);
    if (version === 20) {
      await ask(1001);
      asked = true;
    }
  }
  assert.ok(asked);
  await until("the last is applied", isApplied("post:1001 43"));
  assert.deepEqual(
    await effects(1001),
    [1, 2, 3, ...versions].map((version) => `post:1001 ${version}`),
  );
  assert.deepEqual(await parked(1001), []);
  assert.equal(timesOf("post:1001 1", begun), 1, "what follows the effects begins too");
});

test("what concerns nobody here is not applied, and its place is kept all the same", async () => {
  await tellOf("passed", 1002, 1, 2);
  const positions = async (table: string) =>
    Number((await db.query(`SELECT position FROM ${table} WHERE shard = ?`, [1002 % 64]))[0]?.position);
  await until("both are passed", async () => (await positions("place")) === 2 && (await positions("relay")) === 2);
  assert.equal(tried.filter((name) => name.startsWith("post:1002")).length, 0);
  await tell(1002, 3);
  await until("the next is applied", isApplied("post:1002 3"));
});
