import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await openWorld(process.env);
});
after(() => world?.close());

/** More than a read merges by itself. */
const backlog = 520;

/** Somebody else holds all shares of feed's work, so nothing is heard or fanned out meanwhile. */
async function whileConsumersStand(meanwhile: () => Promise<void>): Promise<void> {
  const db = world.system.db("feed");
  const give = (holder: string, minutes: number) =>
    db.exec("UPDATE lease SET holder = ?, expire_time = TIMESTAMPADD(MINUTE, ?, NOW(3)) WHERE name LIKE 'post/%'", [
      holder,
      minutes,
    ]);
  await until("feed has taken all shares", async () => {
    const rows = await db.query("SELECT name FROM lease WHERE name LIKE 'post/%' AND holder = 'feed-1'");
    return rows.length === 64;
  });
  await give("nobody", 10);
  for (let looks = 0; looks < 2; looks++) await renewal(db);
  try {
    await meanwhile();
  } finally {
    await give("", 0);
  }
}

/** A look of feed at its leases, which begins by saying that it is alive: when the next one begins, this one has ended. */
async function renewal(db: ReturnType<World["system"]["db"]>): Promise<void> {
  const alive = async () =>
    String((await db.query("SELECT MAX(expire_time) AS end FROM lease WHERE team = 'post#'"))[0]?.end);
  const before = await alive();
  await until("feed looks at its leases", async () => (await alive()) !== before);
}

test("a post stays in its followers' feeds while more wait for their fan-out than a read merges", {
  timeout: 90_000,
}, async () => {
  const [author, stranger, reader, idle] = await world.people(4);
  for (const viewer of [reader, idle]) await world.follow(viewer, author);
  assert.deepEqual(await world.home(reader), []);
  await whileConsumersStand(async () => {
    const first = await world.post(author);
    const posts = Array.from({ length: backlog }, () => ({ authorId: stranger, timeMs: Date.now() }));
    for (let at = 0; at < backlog; at += 260) await world.importPosts(posts.slice(at, at + 260));
    assert.deepEqual(await world.home(reader), [first]);
    const second = await world.post(author);
    assert.deepEqual(await world.home(reader), [second, first]);
    assert.deepEqual(await world.home(idle), [second, first]);
  });
  await world.fannedOut();
  assert.deepEqual(await world.home(reader), await world.truth(reader));
});
