import { append, type Origin } from "#lib/events/outbox.ts";
import { tellPending } from "#lib/events/pending.ts";
import { bigintOf, type Row, type Sql } from "#lib/storage/mysql.ts";
import { commentDeleted, commentName } from "../events.ts";

/** A comment by its place. */
type Placed = { readonly postId: bigint; readonly id: bigint };

/** The longest way up: as deep as comments stand. */
const stepsMax = 10;

/**
 * Removes a comment; again is the same as once. One that has replies stays as a stub, and goes with the last of them; so do the
 * stubs above it that then hold nothing any more.
 */
export async function removeComment(tx: Sql, { postId, id }: Placed, origin: Origin): Promise<void> {
  const row = await locked(tx, { postId, id });
  if (row === undefined || Number(row.deleted) === 1) return tellPending(tx, commentName(id), postId, origin);
  const version = bigintOf(row.version) + 1n;
  const isStub = await hasReplies(tx, { postId, id });
  await tx.exec("UPDATE comment SET deleted = 1, stub = ?, version = ? WHERE post_id = ? AND id = ?", [
    Number(isStub),
    version,
    postId,
    id,
  ]);
  const parentId = bigintOf(row.parent_id);
  const hidden = Number(row.hidden) === 1;
  const of = { commentId: id, postId, authorId: bigintOf(row.author_id), parentId, version };
  await append(tx, [commentDeleted({ ...of, hidden }, origin)]);
  if (!isStub) await clearUp(tx, { postId, id: parentId });
}

/** Takes away the stubs from here up that nothing hangs on. */
async function clearUp(tx: Sql, { postId, id }: Placed): Promise<void> {
  for (let step = 0, at = id; step < stepsMax && at !== 0n; step++) {
    const row = await locked(tx, { postId, id: at });
    if (row === undefined || Number(row.stub) === 0 || (await hasReplies(tx, { postId, id: at }))) return;
    await tx.exec("UPDATE comment SET stub = 0 WHERE post_id = ? AND id = ?", [postId, at]);
    at = bigintOf(row.parent_id);
  }
}

async function locked(tx: Sql, { postId, id }: Placed): Promise<Row | undefined> {
  const [row] = await tx.query(
    "SELECT author_id, parent_id, version, deleted, stub, hidden FROM comment WHERE post_id = ? AND id = ? FOR UPDATE", // PRIMARY
    [postId, id],
  );
  return row;
}

async function hasReplies(tx: Sql, { postId, id }: Placed): Promise<boolean> {
  const found = await tx.query(
    "SELECT 1 FROM comment WHERE post_id = ? AND parent_id = ? AND (deleted = 0 OR stub = 1) LIMIT 1", // children
    [postId, id],
  );
  return found.length > 0;
}
