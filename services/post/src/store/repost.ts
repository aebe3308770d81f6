import { create } from "@bufbuild/protobuf";
import { PostContentSchema } from "#gen/skein/post/v1/content_pb.ts";
import { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import type { Origin } from "#lib/events/outbox.ts";
import { tellPending } from "#lib/events/pending.ts";
import { newId, timeOf } from "#lib/storage/id.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { shareName } from "../events/share.ts";
import type { PostChange } from "../events.ts";
import { repostedIn } from "./content.ts";
import { lockSaver, type OwnChange, repostedNow } from "./own.ts";
import { publishAll } from "./publish.ts";
import type { PostRow } from "./row.ts";

type Pair = { readonly userId: bigint; readonly postId: bigint };
/** `authorId` wrote the post. */
type Reposting = Pair & { readonly authorId: bigint };

/** A pair's latest repost, which may have ended. */
type Known = { readonly repostId: bigint; readonly ended: boolean };

/** A repost that stands; `change` and `own` say what is new, where it is. */
export type Reposted = {
  readonly repostId: bigint;
  readonly change: PostChange | undefined;
  readonly own: OwnChange | undefined;
};

/** Makes a repost an activity of its own, once: the person's row is locked, as it is for their saves. */
export const repost = (db: Statements, pair: Reposting, origin: Origin): Promise<Reposted> =>
  db.tx(async (tx) => {
    const { userId, postId, authorId } = pair;
    const { version } = await lockSaver(tx, userId);
    const known = await repostOf(tx, pair);
    if (known?.ended === false) {
      await tellPending(tx, shareName(known.repostId), postId, origin);
      return { repostId: known.repostId, change: undefined, own: undefined };
    }
    const repostId = newId();
    await tx.exec(
      "INSERT INTO repost (user_id, post_id, repost_id) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE repost_id = VALUES(repost_id), ended = 0",
      [userId, postId, repostId],
    );
    const own = await repostedNow(tx, { userId, postId, version }, true);
    const content = create(PostContentSchema, { repostedPostId: postId, repostedAuthorId: authorId });
    const to = { audience: Audience.PUBLIC, mentionedIds: [], replySetting: ReplySetting.REPOST };
    const createTime = new Date(timeOf(repostId));
    // No client's key has a space in it.
    const made = { id: repostId, authorId: userId, key: `repost ${repostId}`, text: "", content, createTime };
    const [change] = await publishAll(tx, [{ ...made, ...to, origin }]);
    return { repostId, change, own };
  });

/** The activity by which somebody reposted a post, also where they took it back. */
export async function repostOf(sql: Sql, { userId, postId }: Pair): Promise<Known | undefined> {
  const [row] = await sql.query("SELECT repost_id, ended FROM repost WHERE user_id = ? AND post_id = ?", [
    userId,
    postId,
  ]); // PRIMARY
  return row && { repostId: bigintOf(row.repost_id), ended: Number(row.ended) === 1 };
}

/** A repost that is deleted ends its pair; what the post is to its reposter from now on. */
export async function endRepost(tx: Sql, { id, authorId: userId, content }: PostRow): Promise<OwnChange | undefined> {
  const reposted = repostedIn(content);
  if (reposted === undefined) return undefined;
  const { postId } = reposted;
  const { version } = await lockSaver(tx, userId);
  await tx.exec("UPDATE repost SET ended = 1 WHERE user_id = ? AND post_id = ? AND repost_id = ?", [
    userId,
    postId,
    id,
  ]); // PRIMARY
  return await repostedNow(tx, { userId, postId, version }, false);
}

/** Who reposted a post below a place, latest first. */
export async function repostersOf(db: Statements, postId: bigint, before: bigint | undefined, limit: number) {
  const below = before === undefined ? "" : `AND repost_id < ${before}`;
  const rows = await db.query(
    `SELECT user_id, repost_id FROM repost WHERE post_id = ? AND ended = 0 ${below} ORDER BY repost_id DESC LIMIT ${limit}`, // of_post
    [postId],
  );
  return rows.map((row) => ({ userId: bigintOf(row.user_id), place: bigintOf(row.repost_id) }));
}

/** What somebody reposted below a place, latest first. */
export async function repostedBy(db: Statements, userId: bigint, before: bigint | undefined, limit: number) {
  const below = before === undefined ? "" : `AND repost_id < ${before}`;
  const rows = await db.query(
    `SELECT post_id, repost_id FROM repost WHERE user_id = ? AND ended = 0 ${below} ORDER BY repost_id DESC LIMIT ${limit}`, // of_user
    [userId],
  );
  return rows.map((row) => ({ postId: bigintOf(row.post_id), place: bigintOf(row.repost_id) }));
}
