import { create } from "@bufbuild/protobuf";
import { PostContentSchema } from "#gen/skein/post/v1/content_pb.ts";
import { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import type { Origin } from "#lib/events/outbox.ts";
import { newId, timeOf } from "#lib/storage/id.ts";
import { bigintOf, isDuplicate, type Sql, type Statements } from "#lib/storage/mysql.ts";
import type { PostChange } from "../events.ts";
import { publishAll } from "./publish.ts";
import type { PostRow } from "./row.ts";

type Pair = { readonly userId: bigint; readonly postId: bigint };

/** Somebody who sends the same at the same moment takes the pair first: then it is there. */
const triesMax = 3;

/** Makes a repost an activity of its own, once; answers the change where it is new. */
export async function repost(
  db: Statements,
  pair: Pair,
  origin: Origin,
): Promise<{ readonly repostId: bigint; readonly change: PostChange | undefined }> {
  for (let tried = 1; ; tried++) {
    const known = await repostOf(db, pair);
    if (known !== undefined) return { repostId: known, change: undefined };
    try {
      const change = await db.tx((tx) => publish(tx, pair, origin));
      return { repostId: change.postId, change };
    } catch (reason) {
      if (!isDuplicate(reason) || tried === triesMax) throw reason;
    }
  }
}

async function publish(tx: Sql, { userId, postId }: Pair, origin: Origin): Promise<PostChange> {
  const id = newId();
  await tx.exec("INSERT INTO repost (user_id, post_id, repost_id) VALUES (?, ?, ?)", [userId, postId, id]);
  const content = create(PostContentSchema, { repostedPostId: postId });
  const to = { audience: Audience.PUBLIC, mentionedIds: [], replySetting: ReplySetting.REPOST };
  // No client's key has a space in it.
  const made = { id, authorId: userId, key: `repost ${id}`, text: "", content, createTime: new Date(timeOf(id)) };
  const [change] = await publishAll(tx, [{ ...made, ...to, origin }]);
  return change as PostChange;
}

/** The activity by which somebody reposted a post. */
export async function repostOf(sql: Sql, { userId, postId }: Pair): Promise<bigint | undefined> {
  const [row] = await sql.query("SELECT repost_id FROM repost WHERE user_id = ? AND post_id = ?", [userId, postId]); // PRIMARY
  return row && bigintOf(row.repost_id);
}

/** A repost that is deleted leaves its pair free. */
export async function removeRepost(tx: Sql, { authorId, content }: PostRow): Promise<void> {
  if (content === undefined || content.repostedPostId === 0n) return;
  await tx.exec("DELETE FROM repost WHERE user_id = ? AND post_id = ?", [authorId, content.repostedPostId]);
}

/** Who reposted a post below a place, latest first. */
export async function repostersOf(db: Statements, postId: bigint, before: bigint | undefined, limit: number) {
  const below = before === undefined ? "" : `AND repost_id < ${before}`;
  const rows = await db.query(
    `SELECT user_id, repost_id FROM repost WHERE post_id = ? ${below} ORDER BY repost_id DESC LIMIT ${limit}`, // latest
    [postId],
  );
  return rows.map((row) => ({ userId: bigintOf(row.user_id), place: bigintOf(row.repost_id) }));
}
