import { Code } from "@connectrpc/connect";
import { Repliers } from "#gen/skein/comment/v1/comment_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { tellPending } from "#lib/events/pending.ts";
import { problem } from "#lib/mesh/errors.ts";
import { bigintOf, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { threadChanged } from "../events.ts";

/** Who may comment on a post. Version 0: nobody ever said. */
export type Thread = { readonly locked: boolean; readonly repliers: Repliers; readonly version: bigint };

/** Who would comment: whether the post is theirs, and whether they follow whose it is. */
export type Replier = { readonly isOwner: boolean; readonly isFollower: boolean };

const open: Thread = { locked: false, repliers: Repliers.EVERYONE, version: 0n };

/** Why somebody may not comment; undefined where they may. */
function refusalOf({ locked, repliers }: Thread, { isOwner, isFollower }: Replier): string | undefined {
  if (locked) return "thread-locked";
  if (isOwner || repliers === Repliers.EVERYONE) return undefined;
  return repliers === Repliers.FOLLOWERS && isFollower ? undefined : "replies-limited";
}

export const letsReply = (thread: Thread, replier: Replier): boolean => refusalOf(thread, replier) === undefined;

/** PERMISSION_DENIED for whoever may not comment. */
export function mustBeLetReply(thread: Thread, replier: Replier): void {
  const reason = refusalOf(thread, replier);
  if (reason === undefined) return;
  const said = reason === "thread-locked" ? "nobody may comment on it any more" : "not everybody may comment on it";
  throw problem(Code.PermissionDenied, reason, said);
}

/** The threads of some posts; one that nobody ever changed is open. */
export async function threadsOf(db: Statements | Sql, postIds: readonly bigint[]): Promise<(postId: bigint) => Thread> {
  const rows = await db.query("SELECT post_id, locked, repliers, version FROM thread WHERE post_id IN (?)", [
    [0n, ...postIds],
  ]); // PRIMARY
  const known = new Map(rows.map((row) => [bigintOf(row.post_id), threadOf(row)]));
  return (postId) => known.get(postId) ?? open;
}

/** Sets who may comment on a post; what is so already changes nothing. */
export const changeThread = (
  db: Statements,
  postId: bigint,
  change: Partial<Pick<Thread, "locked" | "repliers">>,
  origin: Origin,
): Promise<Thread> =>
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
      return before;
    }
    const thread = { ...wanted, version: before.version + 1n };
    await tx.exec("UPDATE thread SET locked = ?, repliers = ?, version = ? WHERE post_id = ?", [
      Number(thread.locked),
      thread.repliers,
      thread.version,
      postId,
    ]);
    await append(tx, [threadChanged(postId, thread, origin)]);
    return thread;
  });

const threadOf = (row: Row): Thread => ({
  locked: Number(row.locked) === 1,
  repliers: Number(row.repliers) as Repliers,
  version: bigintOf(row.version),
});
