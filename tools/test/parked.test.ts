import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { openWorld, type World } from "../../services/feed/test/world.ts";
import { contentsOf } from "../parked/contents.ts";
import { runOn } from "./command.ts";

let world: World;
before(async () => {
  world = await openWorld(process.env);
});
after(() => world?.close());

const parked = (...args: string[]) => runOn(world.deployment, "parked", args);
const rows = (sql: string) => world.system.db("feed").query(sql);

/** The feed service cannot keep this author's fan-outs until the answer is called. */
async function breakFor(author: string): Promise<() => Promise<unknown>> {
  const db = world.system.db("feed");
  await db.exec(
    `CREATE TRIGGER poison BEFORE INSERT ON fanout_task FOR EACH ROW IF NEW.author_id = ${author} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'planted'; END IF`,
  );
  return () => db.exec("DROP TRIGGER poison");
}

test("parked events are listed, shown, replayed in order and dropped on the record", { timeout: 60_000 }, async () => {
  const [author, other, fan] = await world.people(3);
  await world.follow(fan, author);
  await world.follow(fan, other);
  await world.home(fan);
  const mend = await breakFor(author);
  const [kept = "", gone = "", lost = ""] = [
    await world.post(author),
    await world.post(author),
    await world.post(author),
  ];
  await world.remove(author, gone);
  const flowing = await world.post(other);
  await until("four are parked, one behind its post", async () => (await rows("SELECT 1 FROM parked")).length === 4);
  await until("another author's post is fanned out", async () => (await world.timeline(fan)).ids.includes(flowing));

  const listed = await parked("list", "--json");
  assert.equal(listed.code, 0, listed.stderr);
  const { counts, events } = JSON.parse(listed.stdout);
  assert.deepEqual(
    counts.map(({ reason, events }: { reason: string; events: number }) => [reason, events]),
    [
      ["planted", 3],
      ["its aggregate is parked", 1],
    ],
  );
  assert.deepEqual(
    events
      .filter(({ aggregate }: { aggregate: string }) => aggregate === `post:${gone}`)
      .map(({ type, version }: { type: string; version: string }) => [type, version]),
    [
      ["PostCreated", "1"],
      ["PostDeleted", "2"],
    ],
  );

  const [{ id, traceId }] = events;
  const shown = await parked("show", id);
  assert.match(shown.stdout, new RegExp(`"authorId":"${author}"`));
  assert.match(shown.stdout, new RegExp(`npm run trace -- ${traceId}`));

  const tooEarly = await parked("replay", "--aggregate", `post:${kept}`);
  assert.equal(tooEarly.code, 1);
  assert.match(tooEarly.stdout, /still parks .*: planted\n0 of 1/);

  const dropped = await parked(
    "drop",
    "--aggregate",
    `post:${lost}`,
    "--why",
    "a test",
    "--by",
    "me",
    "--yes",
    "--json",
  );
  assert.deepEqual(JSON.parse(dropped.stdout), { dropped: 1, by: "me", why: "a test" });
  const [record] = await rows("SELECT aggregate, dropped_by, drop_reason, reason FROM parked_dropped");
  assert.deepEqual(
    { ...record },
    { aggregate: `post:${lost}`, dropped_by: "me", drop_reason: "a test", reason: "planted" },
  );

  await mend();
  const replayed = await parked("replay", "--all", "--rate", "10", "--json");
  assert.equal(replayed.code, 0, replayed.stderr);
  assert.deepEqual(JSON.parse(replayed.stdout), { replayed: 2, failed: [] });
  await until("the fan has what was kept", async () => (await world.timeline(fan)).ids.includes(kept));
  const later = await world.post(author);
  await until("new ones flow again", async () => (await world.timeline(fan)).ids.includes(later));
  assert.deepEqual(await world.home(fan), await world.truth(fan));
});

test("replay and drop refuse to guess", async () => {
  for (const args of [["replay"], ["drop", "--all"]]) {
    const { code, stderr } = await parked(...args);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
  }
});

test("words in a payload are not shown, and what no contract knows is said so", () => {
  const stream = "user";
  const payload = Buffer.concat([Buffer.from([0x0a, 5]), Buffer.from("secre")]);
  assert.deepEqual(contentsOf({ stream, type: "UserRegistered", payload }), {
    message: { userId: "(5 characters)", version: "0" },
  });
  assert.deepEqual(contentsOf({ stream, type: "Nothing", payload }), {
    unreadable: "no contract knows Nothing of user",
  });
  assert.ok("unreadable" in contentsOf({ stream, type: "UserRegistered", payload: Buffer.from([0xff]) }));
});
