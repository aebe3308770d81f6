import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { until } from "#lib/harness/until.ts";
import { cards } from "#lib/readmodel/card.ts";
import { commentCounts, likeCounts } from "#lib/readmodel/count.ts";
import { openWorld, type World } from "./world.ts";

/** Tellings of everything from somewhere, over again. */
const rounds = 3;
const people = 6;
const events = 90;
/** Services that tell, and the one that hears. */
const tellers = ["graph", "post", "like", "comment"] as const;

let world: World;
const cast: string[] = [];
const posts: { id: string; author: string }[] = [];
before(async () => {
  world = await openWorld(process.env, { AUDIT_MS: "0" });
  cast.push(...(await world.people(people)));
});
after(() => world?.close());

const any = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)] as T;

/** What people do, some of it undone again. */
async function live(nth: number): Promise<void> {
  const { like, comment } = world.system.clients;
  const [who, other] = [any(cast), any(cast)];
  const what = nth % 6;
  if (what < 2 || posts.length === 0) posts.push({ id: await world.post(who), author: who });
  else if (what === 2 && who !== other) await world.follow(who, other);
  else if (what === 3 && who !== other) await world.unfollow(who, other);
  else if (what === 4) {
    const subject = { kind: SubjectKind.POST, id: any(posts).id };
    const reaction = { subject, reaction: Reaction.LIKE };
    await (nth % 3 === 0 ? like.unlike({ subject }, world.as(who)) : like.like(reaction, world.as(who)));
  } else if (nth % 5 === 0) {
    const [gone] = posts.splice(Math.floor(Math.random() * posts.length), 1);
    if (gone !== undefined) await world.remove(gone.author, gone.id);
  } else {
    const said = { postId: any(posts).id, text: "words", idempotencyKey: `c${nth}` };
    await comment.createComment(said, world.as(who));
  }
}

/** Everything is numbered, in the stream and heard, and every fan-out has ended. */
async function settled(): Promise<void> {
  for (const noun of tellers) {
    await until(`${noun} told everything`, async () => {
      const [open] = await world.system
        .db(noun)
        .query("SELECT 1 FROM relay WHERE published < position UNION ALL SELECT 1 FROM outbox WHERE position IS NULL");
      return open === undefined;
    });
  }
  await world.fannedOut();
}

/**
 * What all effects together made: timelines as they are read (one may propose a post that was deleted since, which its card
 * refuses), cards and counts in Redis, ended fan-outs and counts in MySQL.
 */
async function state(): Promise<unknown> {
  const { redis, db } = world.system;
  const homes = await Promise.all(cast.map((one) => world.home(one)));
  const authors = await Promise.all(cast.map((one) => world.author(one)));
  const ids = posts.map(({ id }) => BigInt(id));
  const pipeline = redis.pipeline();
  for (const family of [cards, likeCounts, commentCounts]) {
    const keys = ids.map((id) => family.keyOf(redis, id));
    redis.values(pipeline, keys);
  }
  const kept = await redis.run(pipeline);
  const tables = await Promise.all([
    db("feed").query("SELECT activity_id FROM fanout_done ORDER BY activity_id"),
    db("graph").query("SELECT user_id, follower_count, version FROM follower_count ORDER BY user_id"),
    db("like").query("SELECT subject_id, like_count, version FROM like_count ORDER BY subject_id"),
    db("comment").query("SELECT post_id, comment_count, version FROM comment_count ORDER BY post_id"),
  ]);
  return { homes, authors, kept, tables };
}

/** Forgets part of how far it came: facts from there on are told, or heard, again. */
async function setBack(): Promise<void> {
  for (const noun of tellers)
    await world.system.db(noun).exec("UPDATE relay SET published = FLOOR(RAND() * published)");
  await world.system.db("feed").exec("UPDATE place SET sequence = 0, position = FLOOR(RAND() * position)");
}

test("everything told and heard again from anywhere, through any restarts, leaves what it was", async () => {
  for (let nth = 0; nth < events; nth++) await live(nth);
  await settled();
  const before = await state();
  for (let round = 0; round < rounds; round++) {
    const restarted = [...new Set(["feed" as const, any([...tellers]), any([...tellers])])];
    for (const noun of restarted) await world.system.kill(noun, "SIGKILL");
    await setBack();
    for (const noun of restarted) await world.system.start(noun);
    await settled();
    assert.deepEqual(await state(), before, `after telling it again for the ${round + 1}th time`);
  }
  for (const one of cast) assert.deepEqual(await world.home(one), await world.truth(one));
});
