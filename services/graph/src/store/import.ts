import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { newId } from "#lib/storage/id.ts";
import { bigintOf, type Param, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { followsImported } from "../events.ts";
import { followsMax } from "./follows.ts";

const active = AccountState.ACTIVE;

/** Whom one account is to follow. */
export type FollowList = { readonly followerId: bigint; readonly followeeIds: readonly bigint[] };

/**
 * Makes accounts follow many at once: edges, both counts and one packed fact a follower in one transaction. What is
 * there already is left as it is, so a list sent twice changes nothing; nobody follows across a block. Whom a private
 * account let follow it is the import's to know. Accounts that do not exist are opened. Of what would bring an account beyond its limit, the lowest ids that fit are written.
 *
 * @returns the followers whose sets changed, how many edges are new, and how many were beyond the limit.
 */
export const importFollows = (db: Statements, lists: readonly FollowList[], origin: Origin) =>
  db.tx(async (tx) => {
    await openAccounts(tx, lists);
    const sets = await lockFollowers(tx, lists);
    const wanted = await freshOf(tx, lists);
    const fresh = wanted
      .map(({ followerId, followeeIds }) => ({
        followerId,
        followeeIds: followeeIds.slice(0, Math.max(0, followsMax - (sets.get(followerId)?.followingCount ?? 0))),
      }))
      .filter(({ followeeIds }) => followeeIds.length > 0);
    const overLimit = sizeOf(wanted) - sizeOf(fresh);
    if (fresh.length === 0) return { changed: [], created: 0, overLimit };
    const pairs = fresh.flatMap(({ followerId, followeeIds }) =>
      followeeIds.map((followeeId) => ({ followerId, followeeId, edgeId: newId() })),
    );
    await tx.exec(
      "INSERT INTO follow (follower_id, followee_id, edge_id, following, version) VALUES ? ON DUPLICATE KEY UPDATE following = 1, edge_id = VALUES(edge_id), version = version + 1",
      [pairs.map(({ followerId, followeeId, edgeId }) => [followerId, followeeId, edgeId, 1, 1])],
    );
    const byFollowee = [...pairs].sort((a, b) => (a.followeeId < b.followeeId ? -1 : 1));
    await tx.exec(
      "INSERT INTO follower (followee_id, follower_id, edge_id, following) VALUES ? ON DUPLICATE KEY UPDATE following = 1, edge_id = VALUES(edge_id)",
      [byFollowee.map(({ followerId, followeeId, edgeId }) => [followeeId, followerId, edgeId, 1])],
    );
    await countUp(tx, fresh, byFollowee);
    const facts = fresh.map(({ followerId, followeeIds }) =>
      followsImported(followerId, [...followeeIds], (sets.get(followerId)?.version ?? 0n) + 1n, origin),
    );
    await append(tx, facts);
    return { changed: fresh.map(({ followerId }) => followerId), created: pairs.length, overLimit };
  });

async function openAccounts(tx: Sql, lists: readonly FollowList[]): Promise<void> {
  const ids = new Set(lists.flatMap(({ followerId, followeeIds }) => [followerId, ...followeeIds]));
  const known = await tx.query("SELECT user_id FROM account WHERE user_id IN (?)", [[...ids]]);
  for (const row of known) ids.delete(bigintOf(row.user_id));
  if (ids.size === 0) return;
  const rows: Param[][] = [...ids].sort((a, b) => (a < b ? -1 : 1)).map((id) => [id, active, 1]);
  await tx.exec("INSERT IGNORE INTO account (user_id, state, version) VALUES ?", [rows]);
}

const sizeOf = (lists: readonly FollowList[]): number =>
  lists.reduce((sum, { followeeIds }) => sum + followeeIds.length, 0);

/** The version and size of a follower's set, locked. */
type LockedSet = { readonly version: bigint; readonly followingCount: number };

async function lockFollowers(tx: Sql, lists: readonly FollowList[]): Promise<Map<bigint, LockedSet>> {
  const rows = await tx.query(
    "SELECT user_id, follow_version, following_count FROM account WHERE user_id IN (?) ORDER BY user_id FOR UPDATE",
    [lists.map(({ followerId }) => followerId)],
  );
  return new Map(
    rows.map((row) => [
      bigintOf(row.user_id),
      { version: bigintOf(row.follow_version), followingCount: Number(row.following_count) },
    ]),
  );
}

/** The lists without oneself, without what is there already or across a block, and without repeats. */
async function freshOf(tx: Sql, lists: readonly FollowList[]): Promise<FollowList[]> {
  const fresh = new Map<bigint, Set<bigint>>();
  for (const { followerId, followeeIds } of lists) {
    const wanted = fresh.get(followerId) ?? new Set();
    fresh.set(followerId, wanted);
    for (const followeeId of followeeIds) if (followeeId !== followerId) wanted.add(followeeId);
  }
  const rows = await tx.query(
    "SELECT follower_id, followee_id FROM follow WHERE follower_id IN (?) AND following = 1",
    [[...fresh.keys()]],
  );
  const blocks = await tx.query(
    "SELECT user_id, other_id FROM tie WHERE user_id IN (?) AND kind IN (1, 2) AND held = 1", // latest
    [[...fresh.keys()]],
  );
  for (const row of rows) fresh.get(bigintOf(row.follower_id))?.delete(bigintOf(row.followee_id));
  for (const row of blocks) fresh.get(bigintOf(row.user_id))?.delete(bigintOf(row.other_id));
  return [...fresh]
    .filter(([, wanted]) => wanted.size > 0)
    .map(([followerId, wanted]) => ({ followerId, followeeIds: [...wanted].sort((a, b) => (a < b ? -1 : 1)) }))
    .sort((a, b) => (a.followerId < b.followerId ? -1 : 1));
}

async function countUp(
  tx: Sql,
  fresh: readonly FollowList[],
  byFollowee: readonly { followeeId: bigint }[],
): Promise<void> {
  // The rows are there and locked, so this only updates; a CASE over as many followers would compare each with all.
  await tx.exec(
    "INSERT INTO account (user_id, state, version, follow_version, following_count) VALUES ? ON DUPLICATE KEY UPDATE follow_version = follow_version + 1, following_count = following_count + VALUES(following_count)",
    [fresh.map(({ followerId, followeeIds }) => [followerId, active, 1, 1, followeeIds.length])],
  );
  const gained = new Map<bigint, number>();
  for (const { followeeId } of byFollowee) gained.set(followeeId, (gained.get(followeeId) ?? 0) + 1);
  await tx.exec(
    "INSERT INTO follower_count (user_id, follower_count, version) VALUES ? ON DUPLICATE KEY UPDATE follower_count = follower_count + VALUES(follower_count), version = version + 1",
    [[...gained].map(([userId, count]) => [userId, count, 1])],
  );
}
