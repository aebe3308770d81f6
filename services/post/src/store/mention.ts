import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";

/** Which posts name whom. */
export type MentionStore = ReturnType<typeof mentionStore>;

export const mentionStore = (db: Statements) => ({
  /** The posts that name a person, newest first, deleted ones too. */
  async list(userId: bigint, before: bigint | undefined, limit: number): Promise<{ place: bigint; postId: bigint }[]> {
    const below = before === undefined ? "" : `AND post_id < ${before}`;
    const rows = await db.query(
      `SELECT post_id FROM post_mention WHERE user_id = ? ${below} ORDER BY post_id DESC LIMIT ${limit}`, // by_user
      [userId],
    );
    return rows.map((row) => ({ place: bigintOf(row.post_id), postId: bigintOf(row.post_id) }));
  },
});

/** Whom an author named beside the text: an edit of the text does not change that. */
export async function namedBeside(tx: Sql, postId: bigint): Promise<bigint[]> {
  const rows = await tx.query("SELECT user_id FROM post_mention WHERE post_id = ? AND named = 1 ORDER BY user_id", [
    postId,
  ]); // PRIMARY
  return rows.map((row) => bigintOf(row.user_id));
}
