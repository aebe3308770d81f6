import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { leases } from "#lib/events/lease.ts";
import { createRelay } from "#lib/events/relay.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { newTraceparent } from "#lib/mesh/call.ts";
import { followSets } from "#lib/readmodel/families.ts";
import { witness } from "#lib/readmodel/witness.ts";
import { newId } from "#lib/storage/id.ts";
import type { Db } from "#lib/storage/mysql.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { touchedBy } from "../src/events.ts";
import { graphReadModel } from "../src/read-model.ts";
import { graphStore } from "../src/store.ts";

let place: Scratch;
let db: Db;
let redis: Redis;
before(async () => {
  place = scratch(process.env);
  db = await place.openDb("graph", "services/graph/schema");
  redis = await place.openRedis();
});
after(() => place.close());

const origin = { actor: 0n, traceparent: newTraceparent() };

test("a follow whose writer died before Redis heard of it drops the old set, and a build that read before it", {
  timeout: 30_000,
}, async () => {
  const store = graphStore(db);
  const bus = await place.openBus();
  const readers = witness({ redis, poll: bus.poll("redis"), log: place.log });
  const sets = graphReadModel({ redis, store, readers, log: place.log });
  const [known, building, other] = [newId(), newId(), newId()];
  for (const id of [known, building, other]) await store.createAccount(id, origin);
  await sets.loadFollows(known);
  const keep = await followSets.rebuild(redis, building);
  const read = await store.followSet(building);
  for (const id of [known, building]) await store.follow({ viewerId: id, origin, mustBeWanted: () => {} }, other);

  const team = leases({ db, team: "relay", holder: "a", log: place.log });
  const relay = createRelay({
    noun: "graph",
    db,
    bus,
    leases: team,
    log: place.log,
    places: async () => new Map(),
    project: (events) => sets.catchUp(touchedBy(events)),
  });
  const ending = new AbortController();
  const running = [team.loop(ending.signal), relay.loop(ending.signal)];
  while ((await db.query("SELECT 1 FROM relay WHERE published > 0")).length === 0)
    await new Promise((done) => setTimeout(done, 10));
  while ((await db.query("SELECT 1 FROM relay WHERE published < position")).length > 0)
    await new Promise((done) => setTimeout(done, 10));
  ending.abort();
  await Promise.all(running);
  await keep({ version: read.version, lowWatermark: 0n }, read.followeeIds);
  for (const id of [known, building]) {
    const [state] = await redis.run(redis.pipeline().get(followSets.stateKey(redis, id)));
    assert.equal(state, null, "missing: truth decides");
    assert.deepEqual((await sets.loadFollows(id)).followeeIds, [other]);
  }
});
