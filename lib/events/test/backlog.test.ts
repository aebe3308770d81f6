import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PostCreatedSchema } from "#gen/skein/post/v1/events_pb.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { serveMetrics } from "#lib/mesh/metrics.ts";
import type { Db } from "#lib/storage/mysql.ts";
import { watchOutbox, watchParked } from "../backlog.ts";
import { leases } from "../lease.ts";
import { numberNew } from "../number.ts";
import { append, fact, ofNobody } from "../outbox.ts";

/** All facts of this file are of one partition. */
const shard = 5;

let place: Scratch;
let db: Db;
let metrics: Awaited<ReturnType<typeof serveMetrics>>;
const ending = new AbortController();
let holding: Promise<void>;
before(async () => {
  place = scratch(process.env);
  db = await place.openDb("post");
  metrics = await serveMetrics({ host: "127.0.0.1", port: 0 });
});
after(async () => {
  ending.abort();
  await holding;
  await metrics.close();
  await place.close();
});

const say = (aggregate: number) =>
  fact({
    ...ofNobody,
    desc: PostCreatedSchema,
    value: { postId: String(aggregate) },
    aggregate: `post:${aggregate}`,
    version: 1n,
    partition: BigInt(shard),
  });

/** The gauges of the stream as a scrape shows them; undefined where there is no series. */
async function scrape(): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${metrics.port}/metrics`)).text();
  return Object.fromEntries(
    [...text.matchAll(/^skein_(\w+)\{stream="post"\} (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]),
  );
}

test("a scrape shows what is not published, what is not heard, how old it is, and what is parked", async () => {
  const places = new Map<number, bigint>();
  const team = leases({ db, team: "relay", holder: "a", log: place.log });
  holding = team.loop(ending.signal);
  await until("all shards are held", () => team.held().size === 64);
  watchOutbox({ noun: "post", db, leases: team, places: async () => places });
  watchParked("post", db);
  assert.deepEqual(await scrape(), { outbox_unpublished: 0, outbox_oldest_seconds: 0, parked_events: 0 });

  await db.tx((tx) => append(tx, [say(1), say(2), say(3)]));
  await db.exec("UPDATE outbox SET create_time = TIMESTAMPADD(SECOND, -60, create_time) WHERE aggregate = 'post:1'");
  const waiting = await scrape();
  assert.equal(waiting.outbox_unpublished, 3);
  assert.ok((waiting.outbox_oldest_seconds ?? 0) >= 60);

  await numberNew(db, team);
  assert.equal((await scrape()).outbox_unpublished, 3, "numbered is not published");
  await db.exec("UPDATE relay SET published = 2 WHERE shard = ?", [shard]);
  places.set(shard + 1, 0n);
  const unheard = await scrape();
  assert.equal(unheard.outbox_unpublished, 1);
  assert.ok((unheard.outbox_oldest_seconds ?? 60) < 60);
  assert.equal(unheard.consumer_lag_events, 3, "a shard nobody told a place of was not heard");
  assert.ok((unheard.consumer_lag_seconds ?? 0) >= 60);

  places.set(shard, 3n);
  await db.exec("UPDATE relay SET published = 3 WHERE shard = ?", [shard]);
  await db.exec(
    "INSERT INTO parked (stream, aggregate, id, shard, version, type, payload, reason) VALUES ('post', 'post:1', 1, ?, 1, 'X', '', '')",
    [shard],
  );
  assert.deepEqual(await scrape(), {
    outbox_unpublished: 0,
    outbox_oldest_seconds: 0,
    consumer_lag_events: 0,
    consumer_lag_seconds: 0,
    parked_events: 1,
  });
});
