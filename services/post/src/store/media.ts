import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { mediaIdsIn, type Written } from "./content.ts";

type Shown = Pick<Written, "content"> & { readonly id: bigint; readonly authorId: bigint };

const hasMedia = ({ content }: Shown): boolean => mediaIdsIn(content).length > 0;

/** Lists posts with media under their authors, in the transaction that makes them public. An edit changes no media. */
export async function addToMedia(tx: Sql, posts: readonly Shown[]): Promise<void> {
  const rows = posts.filter(hasMedia).map(({ authorId, id }) => [authorId, id]);
  if (rows.length > 0) await tx.exec("INSERT INTO post_media (author_id, post_id) VALUES ?", [rows]);
}

/** A post that is deleted shows nothing. */
export async function removeFromMedia(tx: Sql, post: Shown): Promise<void> {
  if (!hasMedia(post)) return;
  await tx.exec("DELETE FROM post_media WHERE author_id = ? AND post_id = ?", [post.authorId, post.id]); // PRIMARY
}

/** What an author made public with media below one post, newest first. */
export async function mediaPosts(db: Statements, authorId: bigint, before: bigint, limit: number): Promise<bigint[]> {
  const below = before === 0n ? "" : `AND post_id < ${before}`;
  const rows = await db.query(
    `SELECT post_id FROM post_media WHERE author_id = ? ${below} ORDER BY post_id DESC LIMIT ${limit}`, // PRIMARY
    [authorId],
  );
  return rows.map((row) => bigintOf(row.post_id));
}
