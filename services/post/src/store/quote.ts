import type { PostContent } from "#gen/skein/post/v1/content_pb.ts";
import { ShareKind } from "#gen/skein/post/v1/events_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { tellPending } from "#lib/events/pending.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Quoted } from "#lib/readmodel/card.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import { bigintOf, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { shareChanged, shareName } from "../events/share.ts";

type Quoting = {
  readonly id: bigint;
  readonly authorId: bigint;
  readonly content?: PostContent | undefined;
  readonly isQuoteDetached?: boolean;
};

/** Notes what posts quote, in the transaction that makes them public; what their cards are to say of it. */
export async function addQuotes(tx: Sql, posts: readonly Quoting[]): Promise<ReadonlyMap<bigint, Quoted>> {
  const rows = posts.flatMap(({ id, authorId, content, isQuoteDetached = false }) =>
    content === undefined || content.quotedPostId === 0n
      ? []
      : [[id, content.quotedPostId, authorId, isQuoteDetached ? 1 : 0]],
  );
  if (rows.length > 0) await tx.exec("INSERT INTO quote (quote_id, quoted_id, author_id, detached) VALUES ?", [rows]);
  return await quotedIn(tx, posts);
}

/** What each of some posts quotes, by the post: no statement where none does. */
export const quotedIn = (
  db: Sql,
  posts: readonly Pick<Quoting, "id" | "content">[],
): Promise<ReadonlyMap<bigint, Quoted>> =>
  quotedBy(
    db,
    posts.flatMap(({ id, content }) => ((content?.quotedPostId ?? 0n) === 0n ? [] : [id])),
  );

/** The same of posts whose content is not at hand; those that quote nothing are not in it. */
export async function quotedBy(db: Sql, ids: readonly bigint[]): Promise<ReadonlyMap<bigint, Quoted>> {
  if (ids.length === 0) return nothing;
  const rows = await db.query(
    "SELECT q.quote_id, q.quoted_id, q.detached, p.author_id FROM quote q JOIN post p ON p.id = q.quoted_id WHERE q.quote_id IN (?)", // PRIMARY
    [ids],
  );
  return new Map(rows.map((row) => [bigintOf(row.quote_id), Number(row.detached) === 1 ? detached : quotedOf(row)]));
}

const nothing: ReadonlyMap<bigint, Quoted> = new Map();
const detached: Quoted = { postId: 0n, authorId: 0n };
const quotedOf = (row: Row): Quoted => ({ postId: bigintOf(row.quoted_id), authorId: bigintOf(row.author_id) });

/** A post that is deleted quotes nothing. Whether it did until now: a quote that was detached did not. */
export async function removeQuote(tx: Sql, { id, content }: Quoting): Promise<boolean> {
  if (content === undefined || content.quotedPostId === 0n) return false;
  const [row] = await tx.query("SELECT detached FROM quote WHERE quote_id = ? FOR UPDATE", [id]); // PRIMARY
  await tx.exec("DELETE FROM quote WHERE quote_id = ?", [id]); // PRIMARY
  return row !== undefined && Number(row.detached) === 0;
}

type Detachment = { readonly postId: bigint; readonly quoteId: bigint; readonly authorId: bigint };

/**
 * Takes an author's post out of one that quotes it; again is the same as once. NOT_FOUND where it is not theirs, or is not quoted
 * there. The card of the one that quotes is another one from now on, so this counts as a fold; its row is locked first, as for a delete.
 */
export const detachQuote = (db: Statements, { postId, quoteId, authorId }: Detachment, origin: Origin): Promise<void> =>
  db.tx(async (tx) => {
    await tx.query("SELECT id FROM post WHERE id = ? FOR UPDATE", [quoteId]); // PRIMARY
    const [row] = await tx.query("SELECT author_id, quoted_id, detached FROM quote WHERE quote_id = ? FOR UPDATE", [
      quoteId,
    ]); // PRIMARY
    if (row === undefined || bigintOf(row.quoted_id) !== postId) throw notFound("quote");
    const [quoted] = await tx.query("SELECT author_id FROM post WHERE id = ?", [postId]); // PRIMARY
    if (bigintOf(quoted?.author_id) !== authorId) throw notFound("quote");
    if (Number(row.detached) === 1) return await tellPending(tx, shareName(quoteId), postId, origin);
    await tx.exec("UPDATE quote SET detached = 1 WHERE quote_id = ?", [quoteId]); // PRIMARY
    await tx.exec("UPDATE post SET count_version = count_version + 1 WHERE id = ?", [quoteId]); // PRIMARY
    const share = { postId, shareId: quoteId, kind: ShareKind.QUOTE, userId: bigintOf(row.author_id), shared: false };
    await append(tx, [shareChanged(share, origin)]);
  });

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
