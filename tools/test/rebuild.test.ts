import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { everyFactTold } from "#lib/harness/told.ts";
import { until } from "#lib/harness/until.ts";
import { createLog } from "#lib/mesh/log.ts";
import { accountMarks, encodeAccountMark } from "#lib/readmodel/account.ts";
import { cards, encodeCard, forEverybody } from "#lib/readmodel/card.ts";
import { authorTimelines, followSets, homeTimelines, ownSets, reactedSets, tieSets } from "#lib/readmodel/families.ts";
import { generationScripts, switchList } from "#lib/readmodel/generation.ts";
import { tieMember, wordsMember } from "#lib/readmodel/tie.ts";
import { encodeEntry, type TimelineEntry } from "#lib/readmodel/timeline.ts";
import { newId } from "#lib/storage/id.ts";
import { openRedis } from "#lib/storage/redis.ts";
import { openWorld, type World } from "../../services/feed/test/world.ts";
import { type Families, type FamilyName, openFamilies } from "../rebuild/families.ts";
import { beginning, placeOf } from "../rebuild/place.ts";
import { nothing, type Tally } from "../rebuild/tally.ts";
import { walkFamily } from "../rebuild/walk.ts";

let world: World;
let opened: Families;
before(async () => {
  world = await openWorld(process.env);
  const { TEST_MYSQL_URL: mysqlUrl = "", TEST_REDIS_URL: redisUrl = "" } = process.env;
  opened = await openFamilies({ mysqlUrl, redisUrl, deployment: world.deployment });
});
after(async () => {
  await opened?.close();
  await world?.close();
});

const scratchRedis = () =>
  openRedis({
    url: process.env.TEST_REDIS_URL ?? "",
    deployment: world.deployment,
    scripts: generationScripts,
    log: createLog({ name: "test", level: "error" }),
  });

const rebuild = async (name: FamilyName): Promise<Tally> =>
  (await walkFamily(opened.families[name], beginning, { rate: 0, tell: () => {} })).tally;
/** What is not zero of what a rebuild found. */
const found = ({ missing, extra, outOfOrder, switched, busy }: Tally) => ({
  missing,
  extra,
  outOfOrder,
  switched,
  busy,
});
const families = ["tl", "tla", "rel", "ties", "acct", "card"] as const;
const right = { missing: 0, extra: 0, outOfOrder: 0, switched: 0, busy: 0 };

/** Visits until the follow set stands too: the relay may take away one that was built while a follow was told. */
async function visit(viewer: string): Promise<void> {
  const { redis } = world.system;
  await until("the viewer's timeline and set stand", async () => {
    await world.home(viewer);
    const keys = [followSets, tieSets].map((sets) => sets.stateKey(redis, BigInt(viewer)));
    return (await redis.run(redis.pipeline().exists(...keys)))[0] === 2;
  });
}

test("planted faults of timelines, sets and values are told and put right", { timeout: 60_000 }, async () => {
  const [author, other, fan] = await world.people(3);
  await world.follow(fan, author);
  await world.follow(fan, other);
  await world.system.clients.graph.muteUser({ userId: author }, world.system.as(other));
  const ids: string[] = [];
  for (let nth = 0; nth < 6; nth++) ids.push(await world.post(nth % 2 === 0 ? author : other));
  await world.remove(author, ids[0] ?? "");
  await world.fannedOut();
  await visit(fan);
  const { redis } = world.system;
  const authors = authorTimelines.keyOf(redis, BigInt(author));
  await until("the author's timeline stands", async () => {
    await world.author(author);
    return (await redis.run(redis.pipeline().exists(authors)))[0] === 1;
  });
  for (const name of families) assert.deepEqual(found(await rebuild(name)), right, name);

  const entryOf = (id = "", authorId = other) => encodeEntry({ activityId: BigInt(id), authorId: BigInt(authorId) });
  const home = homeTimelines.keyOf(redis, BigInt(fan));
  const [first, second] = [entryOf(ids[5]), entryOf(ids[4], author)];
  const ghost = encodeEntry({ activityId: newId(), authorId: BigInt(author) });
  const plant = redis.pipeline();
  plant.lrem(home, 0, entryOf(ids[3])); // missing
  plant.lpush(home, ghost); // extra
  plant.lset(home, 1, second).lset(home, 2, first); // out of order
  plant.lrem(authors, 0, second);
  plant.srem(followSets.setKey(redis, BigInt(fan)), other).sadd(followSets.setKey(redis, BigInt(fan)), "77");
  const tieSet = tieSets.setKey(redis, BigInt(fan));
  plant.sadd(tieSet, tieMember("blocking", BigInt(other)), wordsMember);
  plant.set(
    accountMarks.keyOf(redis, BigInt(other)),
    encodeAccountMark({ version: 9, state: AccountState.GONE, isPrivate: false }),
  );
  plant.set(
    cards.keyOf(redis, BigInt(ids[0] ?? "")),
    encodeCard({ version: 9, authorId: 1n, deleted: false, ...forEverybody }),
  );
  await redis.run(plant);

  assert.deepEqual(found(await rebuild("tl")), { ...right, missing: 1, extra: 1, outOfOrder: 1, switched: 1 });
  assert.deepEqual(found(await rebuild("tla")), { ...right, missing: 1, switched: 1 });
  assert.deepEqual(found(await rebuild("rel")), { ...right, missing: 1, extra: 1, switched: 1 });
  assert.deepEqual(found(await rebuild("ties")), { ...right, extra: 2, switched: 1 });
  assert.deepEqual(found(await rebuild("acct")), { ...right, extra: 1, switched: 1 });
  assert.deepEqual(found(await rebuild("card")), { ...right, extra: 1, switched: 1 });
  for (const name of families) assert.deepEqual(found(await rebuild(name)), right, name);
  assert.deepEqual(await world.home(fan), await world.truth(fan));
});

test("a wrong mark in a viewer's reactions, and a post too many among their saves, are told and put right", async () => {
  const { redis, clients } = world.system;
  const [author, fan] = await world.people(2);
  const id = await world.post(author);
  const subject = { kind: SubjectKind.POST, id };
  await clients.like.like({ subject, reaction: Reaction.LOVE }, world.as(fan));
  await clients.post.savePost({ postId: id }, world.as(fan));
  const [reacted, own] = [reactedSets, ownSets].map((sets) => sets.setKey(redis, BigInt(fan))) as [string, string];
  // Until the relay is done it may take away a set that was built meanwhile.
  await until("both sets stand", async () => {
    await clients.like.getLikedSet({ userId: fan }, world.as());
    await clients.post.getSavedSet({ userId: fan }, world.as());
    await Promise.all([everyFactTold(world.system.db("like")), everyFactTold(world.system.db("post"))]);
    return (await redis.run(redis.pipeline().exists(reacted, own)))[0] === 2;
  });
  assert.deepEqual(found(await rebuild("reacted")), right);
  await redis.run(redis.pipeline().hset(reacted, id, Reaction.ANGRY.toString(16)).hset(own, "7", "1"));
  assert.deepEqual(found(await rebuild("reacted")), { ...right, missing: 1, extra: 1, switched: 1 });
  assert.deepEqual(found(await rebuild("own")), { ...right, extra: 1, switched: 1 });
  for (const name of ["reacted", "own"] as const) assert.deepEqual(found(await rebuild(name)), right, name);
});

test("a push between the look at a timeline and its switch refuses the switch, and stays", async () => {
  const { redis } = world.system;
  const ownerId = newId();
  const entries = [newId(), newId()].map((activityId) => ({ activityId, authorId: ownerId }));
  const [older, newer] = entries as [TimelineEntry, TimelineEntry];
  const seal = await homeTimelines.build(redis, [ownerId]);
  await seal([{ ownerId, entries: [older], seal: { lowWatermark: 0n, version: 1n } }]);
  const key = homeTimelines.keyOf(redis, ownerId);
  const read = async () => (await redis.run(redis.pipeline().lrangeBuffer(key, 0, -1)))[0] as Buffer[];
  const before = await read();
  const push = redis.pipeline();
  homeTimelines.push(redis, push, [{ entry: newer, ownerIds: [ownerId] }]);
  await redis.run(push);
  const own = scratchRedis();
  try {
    await until("redis answers", () =>
      own.ping().then(
        () => true,
        () => false,
      ),
    );
    const attempt = async (first: readonly Buffer[]) => {
      const pipeline = own.pipeline();
      switchList(own, pipeline, { key, before: first, after: before });
      return (await own.run(pipeline))[0];
    };
    assert.equal(await attempt(before), 0);
    assert.equal((await read()).length, 3, "both entries and the seal");
    assert.equal(await attempt(await read()), 1);
    assert.deepEqual(await read(), before);
  } finally {
    own.close();
  }
});

test("feeds are truth's at every moment while everything is rebuilt again and again under writes", {
  timeout: 120_000,
}, async () => {
  const rounds = 12;
  const circles = await Promise.all([1, 2, 3].map(() => world.people(3)));
  let writing = true;
  const faults: Tally[] = [];
  const rebuilding = (async () => {
    while (writing) for (const name of families) faults.push(await rebuild(name));
  })();
  const live = circles.map(async ([author, other, fan]) => {
    const standing: string[] = [];
    for (let round = 0; round < rounds; round++) {
      await world.follow(fan, author);
      standing.push(await world.post(author));
      assert.deepEqual(await world.home(fan), await world.truth(fan), "after a post");
      if (round % 3 === 0) await (round % 2 === 0 ? world.follow(fan, other) : world.unfollow(fan, other));
      if (round % 2 === 0) await world.remove(author, standing.shift() ?? "");
      await world.post(other);
      assert.deepEqual(await world.home(fan), await world.truth(fan), "after a delete");
      assert.deepEqual(await world.author(author), await world.authorTruth(author));
    }
  });
  await Promise.all(live).finally(() => {
    writing = false;
  });
  await rebuilding;
  assert.ok(faults.length > 4, "it was rebuilt meanwhile");
  const wrong = faults.map(found).filter(({ extra, outOfOrder }) => extra + outOfOrder > 0);
  assert.deepEqual(wrong, [], "no write is taken for a fault");
  for (const [, , fan] of circles) assert.deepEqual(await world.home(fan), await world.truth(fan));
});

test("a rebuild that was broken off goes on where it was", async () => {
  const dir = mkdtempSync(join(tmpdir(), "skein-rebuild-"));
  try {
    const place = placeOf(dir, "tl");
    const [total, broken] = [await opened.families.tl.total(), new Error("broken off")];
    assert.ok(total > 2);
    const owners = async (after: bigint) => opened.families.tl.owners(after, 2);
    const tell = (at: Parameters<typeof place.keep>[0]) => {
      place.keep(at);
      throw broken;
    };
    await assert.rejects(walkFamily({ ...opened.families.tl, owners }, place.read(), { rate: 0, tell }), broken);
    assert.equal(place.read().done, 2);
    const seen: bigint[] = [];
    const watched = {
      ...opened.families.tl,
      rebuild: async (ids: readonly bigint[]) => {
        seen.push(...ids);
        return nothing;
      },
    };
    const end = await walkFamily(watched, place.read(), { rate: 0, tell: place.keep });
    assert.equal(end.done, total);
    assert.equal(seen.length, total - 2);
    place.end();
    assert.deepEqual(place.read(), beginning);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
