import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { pulled, pulledView } from "#lib/readmodel/pulled.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await openWorld(process.env, { AUDIT_MS: "0" });
});
after(() => world?.close());

const pullAbove = (followers: number) =>
  world.system.operator.feed.configureFanout({ pullAbove: followers }, world.as());

/** How an author is marked, as Redis has it. */
async function markOf(author: string) {
  const { redis } = world.system;
  const view = pulledView(redis);
  const pipeline = redis.pipeline();
  const heard = view.look(pipeline);
  heard((await redis.run(pipeline))[0]);
  return view.known().find(({ authorId }) => authorId === BigInt(author));
}

test("the threshold moves down and up while authors write: no feed misses a post, or has one twice, at any moment", {
  timeout: 120_000,
}, async () => {
  const [star, small, fan, other] = await world.people(4);
  const third = (await world.people(1))[0];
  const fans = [fan, other, third];
  for (const viewer of fans) await world.follow(viewer, star);
  await world.follow(fan, small);
  for (const viewer of fans) assert.deepEqual(await world.home(viewer), []);

  let nth = 0;
  /** Writes, and holds every feed to the truth, until something is so. */
  async function writeUntil(isSo: () => Promise<boolean>): Promise<string[]> {
    const made: string[] = [];
    do {
      made.push(await world.post(star));
      if (nth++ % 3 === 0) await world.post(small);
      for (const viewer of fans) {
        const truth = await world.truth(viewer);
        assert.deepEqual(await world.home(viewer, 7), truth);
        assert.deepEqual(await world.above(viewer, truth.at(-1) as string, 7), truth.slice(0, -1), "upwards");
      }
    } while (!(await isSo()));
    return made;
  }

  await writeUntil(async () => nth > 3);
  await pullAbove(3);
  await writeUntil(async () => (await markOf(star))?.isPulled === true);
  await writeUntil(() => pulled.isSettled(world.system.redis, BigInt(star)));
  await world.fannedOut();
  const made = await writeUntil(async () => true);
  await world.fannedOut();
  const { ids } = await world.timeline(fan);
  assert.ok(!ids.includes(made[0] as string), "nobody is pushed to");
  assert.equal(await markOf(small), undefined, "below the threshold");
  for (const viewer of fans) assert.deepEqual(await world.home(viewer), await world.truth(viewer));

  await pullAbove(100);
  // Long enough for every process to have looked since.
  await writeUntil(async () => {
    const mark = await markOf(star);
    return mark?.isPulled === false && Date.now() - mark.sinceMs > 2_000;
  });
  await world.fannedOut();
  const late = await writeUntil(async () => true);
  await world.fannedOut();
  assert.ok((await world.timeline(fan)).ids.includes(late[0] as string), "pushed again");
  for (const viewer of fans) assert.deepEqual(await world.home(viewer), await world.truth(viewer));
});
