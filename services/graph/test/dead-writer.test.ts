import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { leases } from "#lib/events/lease.ts";
import { createRelay } from "#lib/events/relay.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { everyFactTold } from "#lib/harness/told.ts";
import { until } from "#lib/harness/until.ts";
import { newTraceparent } from "#lib/mesh/call.ts";
import { accountMarks, decodeAccountMark } from "#lib/readmodel/account.ts";
import { followSets, tieSets } from "#lib/readmodel/families.ts";
import { witness } from "#lib/readmodel/witness.ts";
import { newId } from "#lib/storage/id.ts";
import type { Db } from "#lib/storage/mysql.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { touchedBy } from "../src/events.ts";
import { graphReadModel, marksOf } from "../src/read-model.ts";
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
const asked = (viewerId: bigint) => ({ viewerId, origin, mustBeWanted: () => {} });

test("what a writer committed and died before Redis heard of it is not shown, nor what was read before it", {
  timeout: 30_000,
}, async () => {
  const store = graphStore(db);
  const bus = await place.openBus();
  const readers = witness({ redis, poll: bus.poll("redis"), log: place.log });
  const model = graphReadModel({ redis, store, readers, log: place.log });
  const [known, building, other, blocked] = [newId(), newId(), newId(), newId()] as [bigint, bigint, bigint, bigint];
  const all = [known, building, other, blocked];
  for (const id of all) await store.createAccount(id, origin);
  /** As BatchGetStandings does. */
  const load = (viewerId: bigint) =>
    model.loadStandings(viewerId, all, async () => ({ marks: marksOf(await store.accounts(all)), answer: {} }));
  for (const id of [known, other, blocked]) await load(id);
  const keepFollows = await followSets.rebuild(redis, building);
  const keepTies = await tieSets.rebuild(redis, building);
  const [follows, ties] = [await store.followSet(building), await store.tieSet(building, 10)];

  for (const id of [known, building]) await store.follow(asked(id), other);
  await store.follow(asked(blocked), known);
  for (const id of [known, building]) await store.block(asked(id), blocked, true);
  await store.lists.setMember(asked(known), 0n, other, true);
  await store.muteWord(asked(other), "word");
  await store.setPrivate(asked(other), true);

  const team = leases({ db, team: "relay", holder: "a", log: place.log });
  const relay = createRelay({
    noun: "graph",
    db,
    bus,
    leases: team,
    log: place.log,
    places: async () => new Map(),
    project: (events) => model.catchUp(touchedBy(events)),
  });
  const ending = new AbortController();
  const running = [team.loop(ending.signal), relay.loop(ending.signal)];
  await until(
    "the relay has begun",
    async () => (await db.query("SELECT 1 FROM relay WHERE published > 0")).length > 0,
  );
  await everyFactTold(db);
  ending.abort();
  await Promise.all(running);
  await keepFollows({ version: follows.version, lowWatermark: 0n }, follows.followeeIds);
  await keepTies({ version: ties.version, lowWatermark: 0n }, ties.members);

  const stateOf = async (key: string) => (await redis.run(redis.pipeline().get(key)))[0];
  for (const id of [known, building, blocked])
    assert.equal(await stateOf(followSets.stateKey(redis, id)), null, "missing: truth decides");
  for (const id of all) assert.equal(await stateOf(tieSets.stateKey(redis, id)), null, "missing: truth decides");
  const [mark] = await redis.run(redis.pipeline().getBuffer(accountMarks.keyOf(redis, other)));
  assert.equal(decodeAccountMark(mark as Buffer).isPrivate, true);
  for (const id of [known, building]) assert.deepEqual((await model.loadFollows(id)).followeeIds, [other]);
});
