import { append, type Event } from "#lib/events/outbox.ts";
import { bigintOf, type Row, type Sql } from "#lib/storage/mysql.ts";
import { followCountsChanged, followerDeltas } from "../events.ts";

/** Adds a batch's follows to the counts and says what they are now. Runs once for each fact: numbering happens once. Follows that are imported are in their follower's shard. */
export async function foldFollowerCounts(tx: Sql, events: readonly Event[]): Promise<[]> {
  const deltas = [...followerDeltas(events)].sort(([a], [b]) => (a < b ? -1 : 1));
  if (deltas.length === 0) return [];
  await tx.exec(
    "INSERT INTO follower_count (user_id, follower_count, version) VALUES ? ON DUPLICATE KEY UPDATE follower_count = follower_count + VALUES(follower_count), version = version + 1",
    [deltas.map(([userId, delta]) => [userId, delta, 1])],
  );
  const rows = await tx.query(
    "SELECT c.user_id, c.follower_count, c.version, a.following_count FROM follower_count c JOIN account a ON a.user_id = c.user_id WHERE c.user_id IN (?)",
    [deltas.map(([userId]) => userId)],
  );
  const counts = (row: Row) => ({
    followerCount: bigintOf(row.follower_count),
    followingCount: bigintOf(row.following_count),
    version: bigintOf(row.version),
  });
  await append(
    tx,
    rows.map((row) => followCountsChanged(bigintOf(row.user_id), counts(row))),
  );
  return [];
}
