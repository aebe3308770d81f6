import type { Repliers } from "#gen/skein/comment/v1/thread_pb.ts";
import type { Event, Fact } from "#lib/events/outbox.ts";
import { withPending } from "#lib/events/pending.ts";
import type { Count } from "#lib/readmodel/count.ts";
import { besideCount } from "#lib/readmodel/thread.ts";
import { bigintOf, type Param, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { changesIn, commentCountsChanged, postDeltas, replyDeltas } from "../events.ts";

/** Replies and reactions of a comment after some change, as a power of two; the greatest that there ever was is kept. */
const heatOf = (replies: string, reactions: string): string =>
  `heat = GREATEST(heat, FLOOR(LOG2(1 + GREATEST(0, ${replies}) + GREATEST(0, ${reactions}))))`;

/**
 * How many comments each post has, with what the shards `late` have not folded, and beside it who may reply; one nobody ever commented on,
 * and whose author said nothing, is not there.
 */
export async function countsOf(
  db: Statements,
  postIds: readonly bigint[],
  late: readonly number[] = [],
): Promise<Map<bigint, Count>> {
  const sql =
    "SELECT c.post_id, c.comment_count, c.version, COALESCE(t.locked, 0) AS locked, COALESCE(t.repliers, 0) AS repliers FROM comment_count c LEFT JOIN thread t ON t.post_id = c.post_id WHERE c.post_id IN (?)"; // PRIMARY, PRIMARY
  const { rows, pending } = await withPending(db, { sql, columns: 5, params: [[0n, ...postIds]] }, late);
  const found = new Map<bigint, Count>(rows.map((row) => [bigintOf(row.post_id), countOf(row)]));
  for (const [id, by] of postDeltas(changesIn(pending))) {
    found.set(id, { version: 0, value: 0, ...found.get(id), pending: by });
  }
  return found;
}

function countOf(row: Row): Count {
  const others = besideCount({ locked: Number(row.locked) === 1, repliers: Number(row.repliers) as Repliers });
  return { version: Number(row.version), value: Number(row.comment_count), ...(others && { others }) };
}

/** How many replies each comment has that stand and are not hidden, in the same way. */
export async function replyCountsOf(
  db: Statements,
  ids: readonly bigint[],
  late: readonly number[],
): Promise<Map<bigint, number>> {
  const sql = "SELECT comment_id, reply_count FROM comment_rank WHERE comment_id IN (?)"; // PRIMARY
  const { rows, pending } = await withPending(db, { sql, columns: 2, params: [[0n, ...ids]] }, late);
  const found = new Map(rows.map((row) => [bigintOf(row.comment_id), Number(row.reply_count)]));
  for (const [id, by] of replyDeltas(changesIn(pending))) found.set(id, (found.get(id) ?? 0) + by);
  return found;
}

/** Adds a batch's comments to the counts and says what they are now. Runs once for each fact: numbering happens once. */
export async function foldCommentCounts(tx: Sql, events: readonly Event[]): Promise<Fact[]> {
  const changes = changesIn(events);
  const deltas = [...postDeltas(changes)].sort(byId);
  if (deltas.length === 0) return [];
  await tx.exec(
    "INSERT INTO comment_count (post_id, comment_count, version) VALUES ? ON DUPLICATE KEY UPDATE comment_count = comment_count + VALUES(comment_count), version = version + 1",
    [deltas.map(([postId, by]) => [postId, by, 1])],
  );
  const rows = await tx.query("SELECT post_id, comment_count, version FROM comment_count WHERE post_id IN (?)", [
    deltas.map(([postId]) => postId),
  ]);
  await rank(tx, changes);
  return rows.map((row) =>
    commentCountsChanged(bigintOf(row.post_id), bigintOf(row.comment_count), bigintOf(row.version)),
  );
}

/** A new comment has its rank from now on, and what was replied to gets livelier. */
async function rank(tx: Sql, changes: ReturnType<typeof changesIn>): Promise<void> {
  const created = changes.filter(({ isNew }) => isNew);
  if (created.length > 0) {
    await tx.exec(
      "INSERT INTO comment_rank (comment_id, post_id, parent_id) VALUES ? ON DUPLICATE KEY UPDATE comment_id = comment_id",
      [created.map(({ commentId, postId, parentId }): Param[] => [commentId, postId, parentId])],
    );
  }
  const postOf = new Map(changes.map(({ parentId, postId }) => [parentId, postId]));
  const replied = [...replyDeltas(changes)].sort(byId);
  if (replied.length === 0) return;
  await tx.exec(
    `INSERT INTO comment_rank (comment_id, post_id, parent_id, reply_count, heat) VALUES ? ON DUPLICATE KEY UPDATE ${heatOf("reply_count + VALUES(reply_count)", "reaction_count")}, reply_count = reply_count + VALUES(reply_count)`,
    [replied.map(([id, by]): Param[] => [id, postOf.get(id) ?? 0n, 0, by, by > 0 ? 1 : 0])],
  );
}

/** How many react to a comment, as like tells it. */
export type Reacted = { readonly commentId: bigint; readonly count: bigint; readonly version: bigint };

/** Keeps how many react to comments; what is older than what is known changes nothing, nor what is told of no comment of ours. */
export async function keepReactions(tx: Sql, all: readonly Reacted[]): Promise<void> {
  for (const { commentId, count, version } of all) {
    await tx.exec(
      `UPDATE comment_rank SET ${heatOf("reply_count", String(count))}, reaction_count = ?, reaction_version = ? WHERE comment_id = ? AND reaction_version < ?`, // PRIMARY
      [count, version, commentId, version],
    );
  }
}

const byId = ([a]: readonly [bigint, number], [b]: readonly [bigint, number]) => (a < b ? -1 : 1);
