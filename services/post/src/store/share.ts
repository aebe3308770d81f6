import { append, type Event } from "#lib/events/outbox.ts";
import { withPending } from "#lib/events/pending.ts";
import type { ShareCounts } from "#lib/readmodel/card.ts";
import { bigintOf, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { deltasOf, shareCountsChanged } from "../events/share.ts";

/** As columns of `post`. */
export const shareColumns = "repost_count, quote_count, save_count, count_version";

export const sharesInRow = (row: Row): ShareCounts => ({
  reposts: Number(row.repost_count),
  quotes: Number(row.quote_count),
  saves: Number(row.save_count),
  version: Number(row.count_version),
});

/** How often some posts are passed on, with what the shards `late` have not folded. */
export async function shareCounts(
  db: Statements,
  ids: readonly bigint[],
  late: readonly number[],
): Promise<Map<bigint, ShareCounts>> {
  const sql = `SELECT id, ${shareColumns} FROM post WHERE id IN (?)`; // PRIMARY
  const { rows, pending } = await withPending(db, { sql, columns: 5, params: [[0n, ...ids]] }, late);
  const found = new Map(rows.map((row) => [bigintOf(row.id), sharesInRow(row)]));
  for (const { postId, reposts, quotes, saves } of deltasOf(pending)) {
    const folded = found.get(postId);
    if (folded === undefined) continue;
    found.set(postId, {
      ...folded,
      reposts: folded.reposts + reposts,
      quotes: folded.quotes + quotes,
      saves: folded.saves + saves,
    });
  }
  return found;
}

/**
 * Adds a batch's shares and saves to the counts of posts and says what they are now. Runs once for each fact: numbering happens once. The rows are
 * those that an edit or a delete locks, so whoever writes a card knows the counts that it is to have. Saves of a post are in the shards of those who save it.
 */
export async function foldShareCounts(tx: Sql, events: readonly Event[]): Promise<[]> {
  const changed = deltasOf(events);
  if (changed.length === 0) return [];
  const ids = changed.map(({ postId }) => postId);
  const when = "WHEN ? THEN ? ".repeat(changed.length);
  const added = (column: string) => `${column} = ${column} + CASE id ${when} END`;
  await tx.exec(
    `UPDATE post SET ${added("repost_count")}, ${added("quote_count")}, ${added("save_count")}, count_version = count_version + 1 WHERE id IN (?)`, // PRIMARY
    [
      ...changed.flatMap(({ postId, reposts }) => [postId, reposts]),
      ...changed.flatMap(({ postId, quotes }) => [postId, quotes]),
      ...changed.flatMap(({ postId, saves }) => [postId, saves]),
      ids,
    ],
  );
  const rows = await tx.query(`SELECT id, ${shareColumns} FROM post WHERE id IN (?)`, [ids]); // PRIMARY
  await append(
    tx,
    rows.map((row) => shareCountsChanged(bigintOf(row.id), sharesInRow(row))),
  );
  return [];
}
