import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PostCreatedSchema } from "#gen/skein/post/v1/events_pb.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { newTraceparent } from "#lib/mesh/call.ts";
import type { Db } from "#lib/storage/mysql.ts";
import type { Bus, Delivered } from "../bus.ts";
import { createConsumer } from "../consume.ts";
import { type Leases, leases } from "../lease.ts";
import { type Fold, numberNew } from "../number.ts";
import { append, type Event, fact } from "../outbox.ts";
import { decode } from "../poison.ts";
import { createRelay } from "../relay.ts";
import type { Places } from "../stream-life.ts";

let place: Scratch;
let db: Db;
let bus: Bus;
before(async () => {
  place = scratch(process.env);
  bus = await place.openBus();
  db = await place.openDb("post");
});
after(() => place.close());

const told = (aggregate: number, version: number) =>
  fact({
    desc: PostCreatedSchema,
    value: { postId: String(aggregate) },
    aggregate: `post:${aggregate}`,
    version: BigInt(version),
    partition: BigInt(aggregate),
    actor: 1n,
    traceparent: newTraceparent(),
  });

/** Runs loops until a condition holds, then lets them end. */
async function during(
  loops: ((signal: AbortSignal) => Promise<void>)[],
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const ending = new AbortController();
  const running = loops.map((loop) => loop(ending.signal));
  while (!(await holds())) await new Promise((done) => setTimeout(done, 10));
  ending.abort();
  await Promise.all(running);
}

const noPlaces = () => Promise.resolve(new Map<number, bigint>());
const relayOf = (
  team: Leases,
  more: {
    bus?: Bus;
    places?: Places;
    fold?: Fold;
    project?: (events: readonly Event[]) => Promise<void>;
  } = {},
) => createRelay({ noun: "post", db, bus, leases: team, log: place.log, places: noPlaces, ...more });
const count = async (where: string): Promise<number> =>
  Number((await db.query(`SELECT COUNT(*) AS n FROM outbox WHERE ${where}`))[0]?.n);
const allPublished = async (): Promise<boolean> =>
  (await count("position IS NULL")) === 0 &&
  (await db.query("SELECT 1 FROM relay WHERE published < position")).length === 0;

test("facts of concurrent writers are numbered without gaps, versions in order, folded once", {
  timeout: 60_000,
}, async () => {
  const writers = 6;
  const each = 40;
  let folded = 0;
  /** What the fold tells is numbered behind what it adds up, and never folded itself. */
  const sums = new Map<number, number>();
  const team = leases({ db, team: "relay", holder: "a", log: place.log });
  const relay = relayOf(team, {
    fold: async (_tx, events) => {
      folded += events.length;
      return [...new Set(events.map(({ shard }) => shard))].map((shard) => {
        sums.set(shard, (sums.get(shard) ?? 0) + 1);
        return told(640 + shard, sums.get(shard) ?? 0);
      });
    },
  });
  const writing = Promise.all(
    Array.from({ length: writers }, async (_, aggregate) => {
      for (let version = 1; version <= each; version++) {
        await db.tx((tx) => append(tx, [told(aggregate, version)]));
        relay.nudge();
      }
    }),
  );
  let written = false;
  void writing.then(() => {
    written = true;
  });
  await during([team.loop, relay.loop], async () => written && (await allPublished()));
  assert.equal(folded, writers * each);
  const rows = await db.query("SELECT shard, aggregate, version, position FROM outbox ORDER BY shard, position");
  const positions = new Map<number, number>();
  const versions = new Map<string, number>();
  for (const row of rows) {
    const [shard, aggregate] = [Number(row.shard), String(row.aggregate)];
    assert.equal(Number(row.position), (positions.get(shard) ?? 0) + 1, "positions are dense");
    assert.equal(Number(row.version), (versions.get(aggregate) ?? 0) + 1, "versions are in order");
    positions.set(shard, Number(row.position));
    versions.set(aggregate, Number(row.version));
  }
});

test("a fact whose version is later but whose id is smaller is still numbered later", { timeout: 30_000 }, async () => {
  await db.tx(async (tx) => {
    await append(tx, [told(900, 1), told(900, 2)]);
    // As two processes with different clocks would write them.
    const [a, b] = await tx.query("SELECT id FROM outbox WHERE aggregate = 'post:900' ORDER BY version");
    await tx.exec("UPDATE outbox SET version = CASE version WHEN 1 THEN 2 ELSE 1 END WHERE id IN (?)", [
      [String(a?.id), String(b?.id)],
    ]);
  });
  const team = leases({ db, team: "relay", holder: "a", log: place.log });
  await during([team.loop, relayOf(team).loop], allPublished);
  const rows = await db.query("SELECT version FROM outbox WHERE aggregate = 'post:900' ORDER BY position");
  assert.deepEqual(
    rows.map((row) => Number(row.version)),
    [1, 2],
  );
});

test("a consumer hears each fact once in its partition's order; poison is parked with its aggregate, the others go on", {
  timeout: 60_000,
}, async () => {
  const heard: Delivered[] = [];
  await db.tx((tx) => append(tx, [told(1000, 1), told(1001, 1), told(1000, 2), told(1001, 2), told(1064, 1)]));
  const team = leases({ db, team: "relay", holder: "a", log: place.log });
  const hearing = leases({ db, team: "post", holder: "a", log: place.log });
  const consumer = createConsumer({
    noun: "post",
    db,
    bus,
    leases: hearing,
    log: place.log,
    apply: async (_tx, events) => {
      if (events.some(({ aggregate }) => aggregate === "post:1000")) throw new Error("cannot be applied");
    },
    applied: (events) => void heard.push(...events),
    tell: async () => {},
  });
  const parked = async () =>
    (await db.query("SELECT aggregate, version FROM parked ORDER BY version")).map(
      (row) => `${row.aggregate} ${row.version}`,
    );
  await during(
    [team.loop, hearing.loop, relayOf(team).loop, consumer.loop],
    async () => (await parked()).length === 2 && heard.some(({ aggregate }) => aggregate === "post:1064"),
  );
  assert.deepEqual(await parked(), ["post:1000 1", "post:1000 2"]);
  const ids = heard.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, "nothing is heard twice");
  const last = new Map<number, bigint>();
  for (const { shard, position } of heard) {
    assert.equal(position, (last.get(shard) ?? position - 1n) + 1n);
    last.set(shard, position);
  }
});

test("facts in a shard that another process has just taken are left to it", { timeout: 30_000 }, async () => {
  const team = leases({ db, team: "taken", holder: "a", log: place.log });
  let left: readonly Event[] | undefined;
  await during([team.loop], async () => {
    if (team.held().size < 64) return false;
    await db.exec("UPDATE lease SET holder = 'b' WHERE name = ?", ["taken/7"]);
    await db.tx((tx) => append(tx, [told(7, 1)]));
    left = await numberNew(db, team);
    return true;
  });
  assert.deepEqual(left, []);
  assert.equal(await count("aggregate = 'post:7' AND position IS NULL"), 1);
  await db.exec("DELETE FROM outbox WHERE aggregate = 'post:7'");
});

test("two holders share the shards, and one that left gives its shards back", { timeout: 60_000 }, async () => {
  const a = leases({ db, team: "shared", holder: "a", log: place.log });
  const b = leases({ db, team: "shared", holder: "b", log: place.log });
  const ending = new AbortController();
  const running = a.loop(ending.signal);
  await during(
    [b.loop],
    () => a.held().size === 32 && b.held().size === 32 && [...a.held()].every((shard) => !b.held().has(shard)),
  );
  await during([], () => a.held().size === 64);
  ending.abort();
  await running;
  assert.equal(await db.tx((tx) => a.fenced(tx)).then((shards) => shards.length), 0);
});

test("a fact whose projection failed is projected before later ones are told, also by the next holder", {
  timeout: 30_000,
}, async () => {
  const projected: bigint[] = [];
  let away = true;
  const project = async (events: readonly Event[]) => {
    if (away) throw new Error("the read models are away");
    projected.push(...events.map(({ version }) => version));
  };
  const numbered = (versions: number) => async () =>
    (await count("aggregate = 'post:2000' AND position IS NOT NULL")) === versions;
  await db.tx((tx) => append(tx, [told(2000, 1)]));
  const first = leases({ db, team: "relay", holder: "a", log: place.log });
  await during([first.loop, relayOf(first, { project }).loop], numbered(1));
  assert.deepEqual(projected, []);
  const second = leases({ db, team: "relay", holder: "b", log: place.log });
  const relay = relayOf(second, { project });
  let step = 0;
  await during([second.loop, relay.loop], async () => {
    if (step === 0) {
      step = 1;
      await db.tx((tx) => append(tx, [told(2000, 2)]));
    } else if (step === 1 && (await numbered(2)())) {
      step = 2;
      away = false;
      await db.tx((tx) => append(tx, [told(2000, 3)]));
      relay.nudge();
    }
    return step === 2 && (await numbered(3)()) && (await allPublished());
  });
  assert.deepEqual(projected, [1n, 2n, 3n]);
});

test("a commit in one process is told to the relays of the others", { timeout: 30_000 }, async () => {
  let told = 0;
  bus.onNudge("post", () => told++);
  const elsewhere = leases({ db, team: "relay", holder: "a", log: place.log });
  relayOf(elsewhere).nudge();
  await until("they hear of it", async () => told > 0);
});

test("a fact that its own service cannot decode is parked; the rest of its shard goes on, and a replay makes up for it", {
  timeout: 30_000,
}, async () => {
  const aggregate = "post:2500";
  const folded: bigint[] = [];
  const projected: bigint[] = [];
  let isKnown = false;
  const keep = (into: bigint[]) => async (events: readonly Event[]) => {
    const own = events.filter((event) => event.aggregate === aggregate);
    if (!isKnown) for (const event of own) decode(PostCreatedSchema, event);
    into.push(...own.map(({ version }) => version));
  };
  const [fold, project] = [keep(folded), keep(projected)];
  await db.tx((tx) => append(tx, [told(2500, 1), told(2500, 2), told(2500, 3)]));
  await db.exec("UPDATE outbox SET payload = ? WHERE aggregate = ? AND version = 2", [Buffer.from([0xff]), aggregate]);
  const team = leases({ db, team: "relay", holder: "a", log: place.log });
  const relay = relayOf(team, { fold: (_tx, events) => fold(events).then(() => []), project });
  const parked = () => db.query("SELECT version FROM parked WHERE stream = 'post' AND aggregate = ?", [aggregate]);
  await during([team.loop, relay.loop], async () => {
    if (isKnown) return (await parked()).length === 0;
    if (!(await allPublished()) || projected.length < 2) return false;
    assert.deepEqual([await parked(), folded, projected], [[{ version: "2" }], [1n, 3n], [1n, 3n]]);
    isKnown = true;
    await db.exec("UPDATE parked SET replay_time = NOW(3) WHERE aggregate = ?", [aggregate]);
    return false;
  });
  assert.deepEqual(
    [folded, projected],
    [
      [1n, 3n, 2n],
      [1n, 3n, 2n],
    ],
  );
});

/** A consumer that keeps what it hears, and the places it told. */
function hearing(team: Leases) {
  const heard: Delivered[] = [];
  const told = new Map<number, bigint>();
  const { loop } = createConsumer({
    noun: "post",
    db,
    bus,
    leases: team,
    log: place.log,
    apply: async () => {},
    applied: (events) => void heard.push(...events),
    tell: async (_noun, places) => {
      for (const [shard, position] of places) told.set(shard, position);
    },
  });
  const versions = (aggregate: string) =>
    heard.filter((event) => event.aggregate === aggregate).map(({ version }) => Number(version));
  return { loop, versions, places: () => Promise.resolve(told) };
}

test("a fact that the stream lost is told again before those after it are heard", { timeout: 60_000 }, async () => {
  let lost = 0;
  const losing: Bus = {
    ...bus,
    async publish(noun, event, incarnation) {
      if (event.aggregate !== "post:3000" || event.version !== 2n || lost > 0)
        return bus.publish(noun, event, incarnation);
      lost++;
      return { sequence: 0n, duplicate: true };
    },
  };
  const team = leases({ db, team: "relay", holder: "a", log: place.log });
  const consuming = leases({ db, team: "post", holder: "a", log: place.log });
  const consumer = hearing(consuming);
  const relay = relayOf(team, { bus: losing, places: consumer.places });
  let step = 0;
  await during([team.loop, consuming.loop, relay.loop, consumer.loop], async () => {
    if (step === 0) await db.tx((tx) => append(tx, [told(3000, 1)]));
    if (step === 0 || (step === 1 && consumer.versions("post:3000").length === 1)) {
      if (step === 1) await db.tx((tx) => append(tx, [told(3000, 2), told(3000, 3)]));
      step++;
    }
    return consumer.versions("post:3000").length >= 3;
  });
  assert.equal(lost, 1);
  assert.deepEqual(consumer.versions("post:3000"), [1, 2, 3]);
});

test("a new life that one relay begins is noticed by the others: what it emptied is told again", {
  timeout: 60_000,
}, async () => {
  const a = leases({ db, team: "relay", holder: "a", log: place.log });
  const b = leases({ db, team: "relay", holder: "b", log: place.log });
  const consuming = leases({ db, team: "post", holder: "a", log: place.log });
  const consumer = hearing(consuming);
  const [one, two] = [relayOf(a, consumer), relayOf(b, consumer)];
  const life = async () => Number((await db.query("SELECT incarnation FROM relay_stream"))[0]?.incarnation);
  const aggregates = Array.from({ length: 64 }, (_, nth) => 4032 + nth);
  const ending = new AbortController();
  const running = [a.loop, b.loop, one.loop, two.loop].map((loop) => loop(ending.signal));
  await during([], () => a.held().size === 32 && b.held().size === 32);
  await db.tx((tx) =>
    append(
      tx,
      aggregates.map((aggregate) => told(aggregate, 1)),
    ),
  );
  await during([], allPublished);
  const before = await life();
  const [shard = 0] = a.held();
  bus.askReplay("post", shard, 1n, before);
  await during([], async () => (await life()) > before);
  await during([consuming.loop, consumer.loop], () =>
    aggregates.every((aggregate) => consumer.versions(`post:${aggregate}`).length === 1),
  );
  ending.abort();
  await Promise.all(running);
});

test("facts that come in one batch are no gap: nobody asks for them again", { timeout: 60_000 }, async () => {
  // Once, each batch with two facts of a shard was taken for a loss, and every burst began a new life of the stream.
  const team = leases({ db, team: "relay", holder: "a", log: place.log });
  const hearing = leases({ db, team: "post", holder: "a", log: place.log });
  const heard: bigint[] = [];
  const asked: string[] = [];
  bus.onReplay("post", (shard, from) => void asked.push(`${shard} from ${from}`));
  const consumer = createConsumer({
    noun: "post",
    db,
    bus,
    leases: hearing,
    log: place.log,
    apply: async () => {},
    applied: (events) =>
      void heard.push(...events.filter(({ aggregate }) => aggregate === "post:2001").map(({ version }) => version)),
    tell: async () => {},
  });
  const relay = relayOf(team);
  const burst = async (from: number, to: number) => {
    await db.tx((tx) =>
      append(
        tx,
        Array.from({ length: to - from }, (_, nth) => told(2001, from + nth)),
      ),
    );
    relay.nudge();
  };
  await burst(1, 2);
  let bursting = false;
  await during([team.loop, hearing.loop, relay.loop, consumer.loop], async () => {
    if (heard.length === 1 && !bursting) {
      bursting = true;
      await burst(2, 102);
    }
    return heard.length === 101;
  });
  assert.deepEqual(
    heard,
    Array.from({ length: 101 }, (_, nth) => BigInt(nth + 1)),
  );
  assert.deepEqual(asked, []);
});
