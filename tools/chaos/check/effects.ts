import type { Db } from "#lib/storage/mysql.ts";
import { services } from "../../launcher/kinds.ts";
import type { Finding, Truth } from "./truth.ts";

/** A count that is kept, beside the rows it counts. */
const counts = {
  like: `SELECT c.subject_id AS id, c.like_count AS kept,
    (SELECT COUNT(*) FROM reaction_of r WHERE r.subject_id = c.subject_id AND r.subject_kind = c.subject_kind AND r.reaction = 1) AS counted
    FROM like_count c
    UNION ALL SELECT c.subject_id, c.like_count + c.dislike_count + c.love_count + c.laugh_count + c.wow_count + c.sad_count
      + c.angry_count + c.celebrate_count + c.fire_count + c.thanks_count,
    (SELECT COUNT(*) FROM reaction_of r WHERE r.subject_id = c.subject_id AND r.subject_kind = c.subject_kind AND r.reaction > 0)
    FROM like_count c`,
  comment: `SELECT c.post_id AS id, c.comment_count AS kept,
    (SELECT COUNT(*) FROM comment m WHERE m.post_id = c.post_id AND m.deleted = 0 AND m.hidden = 0) AS counted FROM comment_count c
    UNION ALL SELECT r.comment_id, r.reply_count,
    (SELECT COUNT(*) FROM comment m WHERE m.post_id = r.post_id AND m.parent_id = r.comment_id AND m.deleted = 0 AND m.hidden = 0)
    FROM comment_rank r`,
  post: `SELECT p.id, p.repost_count AS kept, (SELECT COUNT(*) FROM repost r WHERE r.post_id = p.id AND r.ended = 0) AS counted FROM post p
    UNION ALL SELECT p.id, p.quote_count,
    (SELECT COUNT(*) FROM quote q WHERE q.quoted_id = p.id AND q.detached = 0) FROM post p
    UNION ALL SELECT p.id, p.save_count, COALESCE(s.n, 0) FROM post p
    LEFT JOIN (SELECT post_id, COUNT(*) AS n FROM save WHERE saved = 1 GROUP BY post_id) s ON s.post_id = p.id`,
  graph: `SELECT c.user_id AS id, c.follower_count AS kept,
    (SELECT COUNT(*) FROM follower f WHERE f.followee_id = c.user_id AND f.following = 1) AS counted FROM follower_count c`,
} as const;

/** Holds what facts did to the facts: each create fanned out, each change counted once, nothing parked. */
export async function checkEffects(truth: Truth): Promise<Finding[]> {
  const found = await Promise.all([
    checkFanouts(truth),
    ...(Object.keys(counts) as (keyof typeof counts)[]).map((noun) => checkCounts(noun, truth[noun])),
    ...services.map((noun) => checkParked(noun, truth[noun])),
  ]);
  return found.flat();
}

async function checkFanouts({ post, feed }: Truth): Promise<Finding[]> {
  const activities = await post.query("SELECT activity_id FROM activity");
  const heard = await feed.query("SELECT activity_id FROM fanout_done UNION ALL SELECT activity_id FROM fanout_task");
  const ids = new Set(heard.map((row) => String(row.activity_id)));
  return activities
    .map((row) => String(row.activity_id))
    .filter((id) => !ids.has(id))
    .map((id) => ({ kind: "lost", text: `the create of post ${id} was not heard: it was never fanned out` }));
}

/** Too many is a change counted twice, too few one that is not counted. */
async function checkCounts(noun: keyof typeof counts, db: Db): Promise<Finding[]> {
  const rows = await db.query(counts[noun]);
  return rows
    .map((row) => ({ id: String(row.id), kept: Number(row.kept), counted: Number(row.counted) }))
    .filter(({ kept, counted }) => kept !== counted)
    .map(({ id, kept, counted }) => ({
      kind: kept > counted ? "doubled" : "lost",
      text: `the ${noun} count of ${id} is ${kept} for ${counted} rows`,
    }));
}

async function checkParked(noun: string, db: Db): Promise<Finding[]> {
  const rows = await db.query("SELECT stream, aggregate, COUNT(*) AS n FROM parked GROUP BY stream, aggregate");
  return rows.map((row) => ({ kind: "stale", text: `${noun} parked ${row.n} facts of ${row.aggregate}` }));
}
