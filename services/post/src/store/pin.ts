import { notFound } from "#lib/mesh/errors.ts";
import { isRepost } from "#lib/readmodel/card.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { postColumns, postOf } from "./row.ts";

type Pin = { readonly postId: bigint; readonly authorId: bigint };

/** Pins an author's post in the place of another; again is the same as once. NOT_FOUND where it is not theirs, or gone. */
export const pinPost = (db: Statements, { postId, authorId }: Pin): Promise<void> =>
  db.tx(async (tx) => {
    // Locked, so that a delete at the same time takes the pin with it, or finds it gone.
    const [row] = await tx.query(`SELECT ${postColumns} FROM post WHERE id = ? FOR UPDATE`, [postId]); // PRIMARY
    const post = row && postOf(row);
    if (post === undefined || post.authorId !== authorId || post.deleted || isRepost(post)) throw notFound("post");
    await tx.exec("INSERT INTO pin (author_id, post_id) VALUES (?, ?) ON DUPLICATE KEY UPDATE post_id = ?", [
      authorId,
      postId,
      postId,
    ]);
  });

/** Takes down a post, where it is the one that is pinned. */
export async function unpinPost(sql: Sql, { postId, authorId }: Pin): Promise<void> {
  await sql.exec("DELETE FROM pin WHERE author_id = ? AND post_id = ?", [authorId, postId]); // PRIMARY
}

/** Which post an author pinned. */
export async function pinnedPost(db: Statements, authorId: bigint): Promise<bigint | undefined> {
  const [row] = await db.query("SELECT post_id FROM pin WHERE author_id = ?", [authorId]); // PRIMARY
  return row && bigintOf(row.post_id);
}
