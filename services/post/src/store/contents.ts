import type { Statements } from "#lib/storage/mysql.ts";
import { type PostRow, postColumns, postOf } from "./row.ts";

/** What posts that stand say, without what deciding about them takes. */
export async function contentsOf(db: Statements, ids: readonly bigint[]): Promise<Map<bigint, PostRow>> {
  const rows = await db.query(`SELECT ${postColumns} FROM post WHERE id IN (?) AND deleted = 0`, [[0n, ...ids]]); // PRIMARY
  return new Map(rows.map(postOf).map((post) => [post.id, post]));
}
