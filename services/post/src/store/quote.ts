import type { PostContent } from "#gen/skein/post/v1/content_pb.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";

type Quoting = { readonly id: bigint; readonly authorId: bigint; readonly content?: PostContent | undefined };

/** Notes what posts quote, in the transaction that makes them public. */
export async function addQuotes(tx: Sql, posts: readonly Quoting[]): Promise<void> {
  const rows = posts.flatMap(({ id, authorId, content }) =>
    content === undefined || content.quotedPostId === 0n ? [] : [[id, content.quotedPostId, authorId]],
  );
  if (rows.length > 0) await tx.exec("INSERT INTO quote (quote_id, quoted_id, author_id) VALUES ?", [rows]);
}

/** A post that is deleted quotes nothing. */
export async function removeQuote(tx: Sql, { id, content }: Quoting): Promise<void> {
  if (content === undefined || content.quotedPostId === 0n) return;
  await tx.exec("DELETE FROM quote WHERE quote_id = ?", [id]); // PRIMARY
}

/** What each of some posts quotes, where it was not detached. */
export async function quotedBy(db: Statements, ids: readonly bigint[]): Promise<Map<bigint, bigint>> {
  const rows = await db.query("SELECT quote_id, quoted_id FROM quote WHERE quote_id IN (?) AND detached = 0", [
    [0n, ...ids],
  ]); // PRIMARY
  return new Map(rows.map((row) => [bigintOf(row.quote_id), bigintOf(row.quoted_id)]));
}

/** Takes an author's post out of one that quotes it. NOT_FOUND where it is not theirs, or is not quoted there. */
export async function detachQuote(
  db: Statements,
  { postId, quoteId, authorId }: { readonly postId: bigint; readonly quoteId: bigint; readonly authorId: bigint },
): Promise<void> {
  const [row] = await db.query(
    "SELECT 1 FROM quote q JOIN post p ON p.id = q.quoted_id WHERE q.quote_id = ? AND q.quoted_id = ? AND p.author_id = ?",
    [quoteId, postId, authorId],
  ); // PRIMARY, PRIMARY
  if (row === undefined) throw notFound("quote");
  await db.exec("UPDATE quote SET detached = 1 WHERE quote_id = ?", [quoteId]);
}

/** The posts that quote a post below one of them, newest first. */
export async function quotesOf(
  db: Statements,
  postId: bigint,
  before: bigint,
  limit: number,
): Promise<TimelineEntry[]> {
  const below = before === 0n ? "" : `AND quote_id < ${before}`;
  const rows = await db.query(
    `SELECT quote_id, author_id FROM quote WHERE quoted_id = ? AND detached = 0 ${below} ORDER BY quote_id DESC LIMIT ${limit}`, // by_quoted
    [postId],
  );
  return rows.map((row) => ({ activityId: bigintOf(row.quote_id), authorId: bigintOf(row.author_id) }));
}
