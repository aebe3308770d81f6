import { connect, headers } from "nats";
import { until } from "#lib/harness/until.ts";
import { cards, encodeCard, forEverybody } from "#lib/readmodel/card.ts";
import { newId } from "#lib/storage/id.ts";
import { bigintOf, type Db, type Param, type Row } from "#lib/storage/mysql.ts";
import { behindOf } from "../../tools/chaos/check/behind.ts";
import { openReadModels } from "../../tools/chaos/check/read-models.ts";
import { openTruth, type Truth } from "../../tools/chaos/check/truth.ts";
import type { Finding } from "../../tools/chaos/check.ts";
import type { Run } from "../../tools/chaos/run.ts";
import type { Target } from "../../tools/chaos/target.ts";
import type { Person } from "./person.ts";

//! What must never happen, made to happen on a running system; each answers what a checker has to say of it.

const truthOf = ({ urls, deployment }: Target): Truth => openTruth({ url: urls.mysqlUrl, deployment });

const personOf = ({ people }: Pick<Run, "people">): Person => people[0] as Person;

/** A post is deleted, and a reader whose copy was under way since before puts its old card back. */
export async function staleCard(target: Target, run: Run): Promise<Finding> {
  const { urls, deployment } = target;
  const author = personOf(run);
  const { id } = await author.post("will be deleted");
  await author.remove(id);
  const truth = truthOf(target);
  await untilHeard(truth); // The relay would put the right one back.
  await truth.close();
  const redis = await openReadModels({ url: urls.redisUrl, deployment });
  const card = { version: 1, authorId: BigInt(author.id), deleted: false, ...forEverybody };
  await redis.run(redis.pipeline().set(cards.keyOf(redis, BigInt(id)), encodeCard(card)));
  redis.close();
  return { kind: "stale", text: `the card of post ${id} says version 1; it is version 2, deleted` };
}

/** The same change is written to the outbox a second time. */
export async function doubleLike(target: Target, run: Run): Promise<Finding> {
  const { aggregate, truth } = await freshLike(target, run);
  await tellAgain(truth.like, aggregate, 1n);
  await truth.close();
  return { kind: "doubled", text: `version 1 of ${aggregate} is told twice` };
}

/** A later version gets its number before an earlier one is there. */
export async function reorderLike(target: Target, run: Run): Promise<Finding> {
  const { aggregate, truth } = await freshLike(target, run);
  await tellAgain(truth.like, aggregate, 3n);
  await tellAgain(truth.like, aggregate, 2n);
  await truth.close();
  return { kind: "order", text: `version 3 of ${aggregate} is told before 2` };
}

const untilHeard = (truth: Truth): Promise<void> =>
  until("everything is heard", async () => (await behindOf(truth)) === undefined);

/** Something else travels at the position of the next post's fact, so that its reader takes the real one for heard. */
export async function dropPostEvent(target: Target, run: Run): Promise<Finding> {
  const author = personOf(run);
  const truth = truthOf(target);
  await author.post("tells its shard");
  await untilHeard(truth);
  const [row] = await truth.post.query("SELECT shard FROM outbox WHERE actor = ? LIMIT 1", [author.id]);
  const [life] = await truth.post.query("SELECT incarnation FROM relay_stream WHERE name = 'post'");
  const shard = Number(row?.shard);
  const end = await truth.post.query("SELECT position FROM relay WHERE shard = ?", [shard]);
  const position = bigintOf(end[0]?.position) + 1n;
  await publishImpostor(target, { shard, position, incarnation: Number(life?.incarnation) });
  await until("the impostor is heard", async () => {
    const places = await truth.feed.query("SELECT position FROM place WHERE stream = 'post' AND shard = ?", [shard]);
    return bigintOf(places[0]?.position) >= position;
  });
  const { id } = await author.post("is not heard");
  await truth.close();
  return { kind: "lost", text: `the create of post ${id} was not heard: it was never fanned out` };
}

/** A row that was acknowledged is taken away. */
export async function loseRow(target: Target, { journal }: Run): Promise<Finding> {
  const truth = truthOf(target);
  const deleted = new Set(journal.filter(({ what }) => what === "delete").map((entry) => "id" in entry && entry.id));
  const post = journal.findLast((entry) => entry.what === "post" && !deleted.has(entry.id));
  const id = post !== undefined && "id" in post ? post.id : "";
  await truth.post.exec("DELETE FROM post WHERE id = ?", [id]);
  await truth.close();
  return { kind: "lost", text: `post ${id} was acknowledged and is not there` };
}

/** A read position goes back. */
export async function turnBack(target: Target, { journal }: Run): Promise<Finding> {
  const said = journal.filter((entry) => entry.what === "position");
  const who = said[0]?.who ?? "";
  const newest = said
    .flatMap((entry) => (entry.who === who ? [BigInt(entry.at)] : []))
    .reduce((a, b) => (a > b ? a : b));
  const truth = truthOf(target);
  await truth.feed.exec("UPDATE read_position SET activity_id = 1 WHERE viewer_id = ?", [who]);
  await truth.close();
  return { kind: "lost", text: `the read position of ${who} was acknowledged at ${newest} and is at 1` };
}

type Of<What> = Extract<Run["journal"][number], { what: What }>;

const votesIn = ({ journal }: Run) => journal.filter((entry): entry is Of<"vote"> => entry.what === "vote");

/** A vote is taken away. */
export async function loseVote(target: Target, run: Run): Promise<Finding> {
  const { post, who } = votesIn(run)[0] as Of<"vote">;
  const truth = truthOf(target);
  await truth.post.exec("DELETE FROM poll_vote WHERE post_id = ? AND user_id = ?", [post, who]);
  await truth.close();
  return { kind: "lost", text: `the vote of ${who} in the poll of ${post} was acknowledged and is not there` };
}

/** A vote is counted again. */
export async function countTwice(target: Target, run: Run): Promise<Finding> {
  const { post, option } = votesIn(run).at(-1) as Of<"vote">;
  const truth = truthOf(target);
  const all = await truth.post.query("SELECT options FROM poll_vote WHERE post_id = ?", [post]);
  const right = all.filter((row) => Number(row.options) === 1 << option).length;
  await truth.post.exec(`UPDATE poll_count SET votes${option} = votes${option} + 1 WHERE post_id = ? LIMIT 1`, [post]);
  const sum = `SELECT SUM(votes${option}) AS kept FROM poll_count WHERE post_id = ?`;
  const [{ kept } = { kept: 0 }] = await truth.post.query(sum, [post]);
  await truth.close();
  return { kind: "doubled", text: `the poll of ${post} counts ${kept} votes for option ${option} for ${right}` };
}

const scheduledIn = ({ journal }: Run) =>
  journal.filter((entry): entry is Of<"draft"> => entry.what === "draft" && entry.dueTime !== undefined);

/** What was scheduled is there under two ids. */
export async function fireTwice(target: Target, run: Run): Promise<Finding> {
  const { key, author } = scheduledIn(run)[0] as Of<"draft">;
  const truth = truthOf(target);
  await truth.post.exec(
    "INSERT INTO post (id, author_id, version, audience, text) SELECT id + 1, author_id, version, audience, text FROM post WHERE author_id = ? AND text = ?",
    [author, key],
  );
  await truth.close();
  return { kind: "doubled", text: `2 rows of the post of key ${key}` };
}

/** What became public is still a draft. */
export async function keepDraft(target: Target, run: Run): Promise<Finding> {
  const { id, key, author } = scheduledIn(run)[0] as Of<"draft">;
  const truth = truthOf(target);
  await truth.post.exec(
    "INSERT INTO draft (author_id, draft_id, text, audience, reply_setting, named_ids) VALUES (?, ?, ?, 1, 0, '')",
    [author, id, key],
  );
  await truth.close();
  return { kind: "doubled", text: `draft ${id} is public, and kept` };
}

/** A scheduled post vanished without becoming public. */
export async function loseDraft(target: Target, run: Run): Promise<Finding> {
  const { id, key, author } = scheduledIn(run).at(-1) as Of<"draft">;
  const truth = truthOf(target);
  await truth.post.exec("DELETE FROM post WHERE author_id = ? AND text = ?", [author, key]);
  await truth.close();
  return { kind: "lost", text: `draft ${id} was acknowledged, and is neither kept nor public` };
}

/** Somebody likes a post, and that has a number. */
async function freshLike(target: Target, run: Run): Promise<{ aggregate: string; truth: Truth }> {
  const truth = truthOf(target);
  const person = personOf(run);
  const { id } = await person.post("to be liked");
  await person.like(id);
  const [row] = await truth.like.query("SELECT aggregate FROM outbox WHERE actor = ? ORDER BY id DESC LIMIT 1", [
    person.id,
  ]);
  const aggregate = String(row?.aggregate);
  await untilNumbered(truth.like, aggregate);
  return { aggregate, truth };
}

/** Writes the first fact of an aggregate once more, under a version, and waits until it is on its way. */
async function tellAgain(db: Db, aggregate: string, version: bigint): Promise<void> {
  const [first] = await db.query(
    "SELECT shard, type, payload, actor, traceparent FROM outbox WHERE aggregate = ? LIMIT 1",
    [aggregate],
  );
  const { shard, type, payload, actor, traceparent } = first as Row;
  await db.exec("INSERT INTO outbox (id, shard, aggregate, version, type, payload, actor, traceparent) VALUES ?", [
    [[newId(), shard, aggregate, version, type, payload, actor, traceparent] as Param[]],
  ]);
  await untilNumbered(db, aggregate);
}

const untilNumbered = (db: Db, aggregate: string): Promise<void> =>
  until(`${aggregate} is numbered`, async () => {
    const left = await db.query("SELECT 1 FROM outbox WHERE aggregate = ? AND position IS NULL", [aggregate]);
    return left.length === 0;
  });

async function publishImpostor(
  { urls, deployment }: Target,
  { shard, position, incarnation }: { shard: number; position: bigint; incarnation: number },
): Promise<void> {
  const { username, password, host } = new URL(urls.natsUrl);
  const nats = await connect({ servers: host, user: username, pass: password });
  const about = headers();
  about.set("Nats-Msg-Id", `${newId()}.impostor`);
  about.set("Skein-Aggregate", "nothing:1");
  about.set("Skein-Version", "1");
  about.set("Skein-Actor", "0");
  about.set("Skein-Position", String(position));
  about.set("Skein-Incarnation", String(incarnation));
  await nats.jetstream().publish(`${deployment}.skein.post.v1.Nothing.${shard}`, new Uint8Array(), { headers: about });
  await nats.close();
}
