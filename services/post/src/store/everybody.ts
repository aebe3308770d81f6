import { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import { bigintOf, type Statements } from "#lib/storage/mysql.ts";

/** Everybody's posts that are for everybody, below one, newest first. What is passed on stands among them where it was said. */
export async function everybodysPosts(db: Statements, before: bigint, limit: number): Promise<TimelineEntry[]> {
  const below = before === 0n ? "" : `AND id < ${before}`;
  const rows = await db.query(
    `SELECT id, author_id FROM post WHERE audience = ? AND deleted = 0 ${below} AND reply_setting <> ? ORDER BY id DESC LIMIT ${limit}`, // for_everybody
    [Audience.PUBLIC, ReplySetting.REPOST],
  );
  return rows.map((row) => ({ activityId: bigintOf(row.id), authorId: bigintOf(row.author_id) }));
}
