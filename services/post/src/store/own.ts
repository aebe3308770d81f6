import { ownMark } from "#lib/readmodel/families.ts";
import type { Marked, SetState } from "#lib/readmodel/member-set.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";

/** A person's set after a change: what a post is to them now, and the version that says so. */
export type OwnChange = {
  readonly userId: bigint;
  readonly postId: bigint;
  readonly mark: number;
  readonly version: bigint;
};

/** The row that each change of a person's saves and reposts locks, so that the versions of their set have no gaps. */
export async function lockSaver(tx: Sql, userId: bigint): Promise<{ version: bigint; count: number }> {
  const read = async () => {
    const [row] = await tx.query("SELECT save_version, save_count FROM saver WHERE user_id = ? FOR UPDATE", [userId]); // PRIMARY
    return row && { version: bigintOf(row.save_version), count: Number(row.save_count) };
  };
  const known = await read();
  if (known !== undefined) return known;
  await tx.exec("INSERT INTO saver (user_id) VALUES (?) ON DUPLICATE KEY UPDATE save_version = save_version", [userId]);
  return (await read()) ?? { version: 0n, count: 0 };
}

/** Counts a change of a person's reposts, in the transaction that locked their row: `reposted` is what the post is from now on. */
export async function repostedNow(
  tx: Sql,
  { userId, postId, version }: { readonly userId: bigint; readonly postId: bigint; readonly version: bigint },
  reposted: boolean,
): Promise<OwnChange> {
  await tx.exec("UPDATE saver SET save_version = ? WHERE user_id = ?", [version + 1n, userId]);
  const [row] = await tx.query("SELECT saved FROM save WHERE user_id = ? AND post_id = ?", [userId, postId]); // PRIMARY
  return { userId, postId, mark: markOf(Number(row?.saved) === 1, reposted), version: version + 1n };
}

export const markOf = (saved: boolean, reposted: boolean): number =>
  (saved ? ownMark.saved : 0) | (reposted ? ownMark.reposted : 0);

/** Whether a person reposted a post. */
export async function hasReposted(sql: Sql, userId: bigint, postId: bigint): Promise<boolean> {
  const found = await sql.query("SELECT 1 FROM repost WHERE user_id = ? AND post_id = ? AND ended = 0", [
    userId,
    postId,
  ]); // PRIMARY
  return found.length > 0;
}

/** What some posts are to a person; those that are nothing to them are not in the map. */
export async function ownMarks(db: Sql, userId: bigint, postIds: readonly bigint[]): Promise<Map<bigint, number>> {
  const [saved, reposted] = await Promise.all(
    [
      "SELECT post_id FROM save WHERE user_id = ? AND post_id IN (?) AND saved = 1", // PRIMARY
      "SELECT post_id FROM repost WHERE user_id = ? AND post_id IN (?) AND ended = 0", // PRIMARY
    ].map(async (sql) => (await db.query(sql, [userId, [0n, ...postIds]])).map((row) => bigintOf(row.post_id))),
  );
  return marked(saved ?? [], reposted ?? []);
}

/** The newest posts that a person keeps or reposted, by id, as of one moment: one range each. */
export const ownSet = (
  db: Statements,
  userId: bigint,
  limit: number,
): Promise<SetState & { readonly own: readonly Marked[] }> =>
  db.tx(async (tx) => {
    const [saver] = await tx.query("SELECT save_version FROM saver WHERE user_id = ? FOR UPDATE", [userId]);
    const newest = async (sql: string) => (await tx.query(sql, [userId])).map((row) => bigintOf(row.post_id));
    const saved = await newest(
      `SELECT post_id FROM save WHERE user_id = ? AND saved = 1 ORDER BY post_id DESC LIMIT ${limit}`, // PRIMARY
    );
    const reposted = await newest(
      `SELECT post_id FROM repost WHERE user_id = ? AND ended = 0 ORDER BY post_id DESC LIMIT ${limit}`, // PRIMARY
    );
    const lows = [saved, reposted].map((ids) => (ids.length < limit ? 0n : (ids.at(-1) ?? 0n)));
    const own = [...marked(saved, reposted)].sort(([a], [b]) => (a > b ? -1 : 1));
    const low = lows.reduce((most, each) => (each > most ? each : most), 0n);
    const kept = own.filter(([id]) => id >= low);
    if (kept.length <= limit) return { version: bigintOf(saver?.save_version), lowWatermark: low, own: kept };
    const some = kept.slice(0, limit);
    return { version: bigintOf(saver?.save_version), lowWatermark: some.at(-1)?.[0] ?? low, own: some };
  });

/** The versions of people's sets. */
export async function ownVersions(db: Statements, userIds: readonly bigint[]): Promise<Map<bigint, bigint>> {
  const rows = await db.query("SELECT user_id, save_version FROM saver WHERE user_id IN (?)", [[0n, ...userIds]]); // PRIMARY
  return new Map(rows.map((row) => [bigintOf(row.user_id), bigintOf(row.save_version)]));
}

function marked(saved: readonly bigint[], reposted: readonly bigint[]): Map<bigint, number> {
  const marks = new Map<bigint, number>(saved.map((id) => [id, ownMark.saved]));
  for (const id of reposted) marks.set(id, (marks.get(id) ?? 0) | ownMark.reposted);
  return marks;
}
