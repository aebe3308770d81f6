import { Code } from "@connectrpc/connect";
import { ReplyRefusal } from "#gen/skein/comment/v1/comment_pb.ts";
import { Repliers } from "#gen/skein/comment/v1/thread_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { tellPending } from "#lib/events/pending.ts";
import { problem } from "#lib/mesh/errors.ts";
import type { Count } from "#lib/readmodel/count.ts";
import { besideCount, openThread, type Replier, type ThreadRule, threadRefusal } from "#lib/readmodel/thread.ts";
import { bigintOf, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { commentCountsChanged, threadChanged } from "../events.ts";

/** Who may comment on a post. Version 0: nobody ever said. */
export type Thread = ThreadRule & { readonly version: bigint };

/** A thread after a change, and how many comments its post has at that moment: what readers are told in one. */
export type Changed = { readonly thread: Thread; readonly count: Count | undefined };

const open: Thread = { ...openThread, version: 0n };

/** PERMISSION_DENIED for whoever may not comment. */
export function mustBeLetReply(thread: Thread, replier: Replier): void {
  const refusal = threadRefusal(thread, replier);
  if (refusal === ReplyRefusal.UNSPECIFIED) return;
  if (refusal === ReplyRefusal.LOCKED)
    throw problem(Code.PermissionDenied, "thread-locked", "nobody may comment on it any more");
  throw problem(Code.PermissionDenied, "replies-limited", "not everybody may comment on it");
}

/** The threads of some posts; one that nobody ever changed is open. */
export async function threadsOf(db: Statements | Sql, postIds: readonly bigint[]): Promise<(postId: bigint) => Thread> {
  const rows = await db.query("SELECT post_id, locked, repliers, version FROM thread WHERE post_id IN (?)", [
    [0n, ...postIds],
  ]); // PRIMARY
  const known = new Map(rows.map((row) => [bigintOf(row.post_id), threadOf(row)]));
  return (postId) => known.get(postId) ?? open;
}

/**
 * Sets who may comment on a post; what is so already changes nothing. The count's row is locked and gets a version more, because one value
 * tells readers both.
 */
export const changeThread = (
  db: Statements,
  postId: bigint,
  change: Partial<Pick<Thread, "locked" | "repliers">>,
  origin: Origin,
): Promise<Changed> =>
  db.tx(async (tx) => {
    await tx.exec(
      "INSERT INTO thread (post_id, locked, repliers, version) VALUES (?, 0, ?, 0) ON DUPLICATE KEY UPDATE version = version",
      [postId, Repliers.EVERYONE],
    );
    const [row] = await tx.query("SELECT locked, repliers, version FROM thread WHERE post_id = ? FOR UPDATE", [postId]);
    const before = row === undefined ? open : threadOf(row);
    const wanted = { ...before, ...change };
    if (wanted.locked === before.locked && wanted.repliers === before.repliers) {
      await tellPending(tx, `thread:${postId}`, postId, origin);
      return { thread: before, count: undefined };
    }
    const thread = { ...wanted, version: before.version + 1n };
    await tx.exec("UPDATE thread SET locked = ?, repliers = ?, version = ? WHERE post_id = ?", [
      Number(thread.locked),
      thread.repliers,
      thread.version,
      postId,
    ]);
    const count = await countBeside(tx, postId, thread);
    const counted = commentCountsChanged(postId, BigInt(count.value), BigInt(count.version));
    await append(tx, [threadChanged(postId, thread, origin), counted]);
    return { thread, count };
  });

async function countBeside(tx: Sql, postId: bigint, thread: Thread): Promise<Count> {
  await tx.exec(
    "INSERT INTO comment_count (post_id, comment_count, version) VALUES (?, 0, 1) ON DUPLICATE KEY UPDATE version = version + 1",
    [postId],
  );
  const [row] = await tx.query("SELECT comment_count, version FROM comment_count WHERE post_id = ?", [postId]); // PRIMARY
  const others = besideCount(thread);
  return { version: Number(row?.version), value: Number(row?.comment_count), ...(others && { others }) };
}

const threadOf = (row: Row): Thread => ({
  locked: Number(row.locked) === 1,
  repliers: Number(row.repliers) as Repliers,
  version: bigintOf(row.version),
});
