import { Code } from "@connectrpc/connect";
import { append, type Event, type Origin } from "#lib/events/outbox.ts";
import { tellPending, withPending } from "#lib/events/pending.ts";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { newId, timeOf } from "#lib/storage/id.ts";
import { bigintOf, type Db, type Row, type Sql } from "#lib/storage/mysql.ts";
import { accountChanged, followChanged, followCountsChanged, followerDeltas, followName } from "./events.ts";

export const active = 1;
/** Whom one account may follow at most: a feed's follow set stays a few dozen kilobytes. */
export const followsMax = 5_000;

/** An account with its counts. */
export type StoredAccount = { userId: bigint; state: number; followerCount: bigint; followingCount: bigint };
/** One edge of a list: its id is the sort key, latest first. */
export type Edge = { readonly edgeId: bigint; readonly userId: bigint };
/** How one account stands to another; a state is undefined where there is no such account. */
export type StoredFollow = {
  readonly followerState: number | undefined;
  readonly followeeState: number | undefined;
  readonly following: boolean;
  /** When that changed last; undefined where there never was a follow. */
  readonly changeMs: number | undefined;
  readonly setVersion: bigint;
};
/** The viewer's set after a change; `changed` is false where it was so already. */
export type Followed = { readonly version: bigint; readonly changed: boolean };

/** The truth about accounts and follows. */
export type GraphStore = ReturnType<typeof graphStore>;

export function graphStore(db: Db) {
  return {
    createAccount: (userId: bigint, origin: Origin): Promise<boolean> =>
      db.tx(async (tx) => {
        const created = await tx.exec("INSERT IGNORE INTO account (user_id, state, version) VALUES (?, ?, 1)", [
          userId,
          active,
        ]);
        if (created === 1) await append(tx, [accountChanged(userId, active, 1n, origin)]);
        return created === 1;
      }),

    /** Sets whether one follows another, under the follower's lock; `mustBeWanted` is asked last, as in like. */
    setFollowing: (
      followerId: bigint,
      followeeId: bigint,
      following: boolean,
      origin: Origin,
      mustBeWanted = () => {},
    ): Promise<Followed> =>
      db.tx(async (tx) => {
        const follower = await lockActive(tx, followerId);
        await mustBeActive(tx, followeeId);
        const [pair] = await tx.query(
          "SELECT following, version FROM follow WHERE follower_id = ? AND followee_id = ?",
          [followerId, followeeId],
        );
        const before = Number(pair?.following ?? 0) === 1;
        if (before === following) {
          await tellPending(tx, followName(followerId, followeeId), followeeId, origin);
          return { version: follower.followVersion, changed: false };
        }
        if (following && follower.followingCount >= followsMax) throw atLimit();
        const version = bigintOf(pair?.version) + 1n;
        await writePair(tx, { followerId, followeeId, following, version });
        await tx.exec(
          `UPDATE account SET follow_version = follow_version + 1, following_count = following_count ${following ? "+" : "-"} 1 WHERE user_id = ?`,
          [followerId],
        );
        await append(tx, [followChanged(followerId, followeeId, following, version, origin)]);
        mustBeWanted();
        return { version: follower.followVersion + 1n, changed: true };
      }),

    /** Everyone active that an account follows, and the version of that set, as of one moment. */
    followSet: (userId: bigint) => followSet(db, userId),

    followVersions: (userIds: readonly bigint[]) => followVersions(db, userIds),

    /** Followers by ascending id, `limit` after one: what a fan-out walks. */
    followersAfter: async (userId: bigint, after: bigint, limit: number): Promise<bigint[]> =>
      idsOf(
        await db.query(
          `SELECT follower_id FROM follower WHERE followee_id = ? AND follower_id > ? AND following = 1 ORDER BY follower_id LIMIT ${limit}`, // PRIMARY
          [userId, after],
        ),
        "follower_id",
      ),

    listFollowers: (userId: bigint, before: bigint | undefined, limit: number): Promise<Edge[]> =>
      edges(db, "SELECT edge_id, follower_id AS user_id FROM follower WHERE followee_id = ?", userId, before, limit),

    listFollowing: (userId: bigint, before: bigint | undefined, limit: number): Promise<Edge[]> =>
      edges(db, "SELECT edge_id, followee_id AS user_id FROM follow WHERE follower_id = ?", userId, before, limit),

    /** Accounts by id, counting also the followers that the shards `late` have not folded. */
    accounts: async (userIds: readonly bigint[], late: readonly number[] = []): Promise<Map<bigint, StoredAccount>> => {
      const sql =
        "SELECT a.user_id, a.state, a.following_count, c.follower_count FROM account a LEFT JOIN follower_count c ON c.user_id = a.user_id WHERE a.user_id IN (?)";
      const { rows, pending } = await withPending(db, { sql, columns: 4, params: [[0n, ...userIds]] }, late);
      const deltas = followerDeltas(pending);
      const accounts = rows.map(accountOf).map((account) => {
        const followerCount = account.followerCount + BigInt(deltas.get(account.userId) ?? 0);
        return { ...account, followerCount: followerCount < 0n ? 0n : followerCount };
      });
      return new Map(accounts.map((account) => [account.userId, account]));
    },

    follow: (followerId: bigint, followeeId: bigint): Promise<StoredFollow> => followOf(db, followerId, followeeId),
    relations: (viewerId: bigint, userIds: readonly bigint[]) => relations(db, viewerId, userIds),
  };
}

const atLimit = () => problem(Code.ResourceExhausted, "follow-limit", `nobody follows more than ${followsMax}`);

const followSet = (db: Db, userId: bigint): Promise<{ version: bigint; followeeIds: bigint[] }> =>
  db.tx(async (tx) => {
    const [account] = await tx.query("SELECT follow_version FROM account WHERE user_id = ? FOR UPDATE", [userId]);
    if (account === undefined) throw notFound("account");
    const rows = await tx.query(
      "SELECT f.followee_id FROM follow f JOIN account a ON a.user_id = f.followee_id AND a.state = ? WHERE f.follower_id = ? AND f.following = 1", // latest, PRIMARY
      [active, userId],
    );
    return { version: bigintOf(account.follow_version), followeeIds: idsOf(rows, "followee_id") };
  });

/** Which of some accounts a viewer follows, and which follow the viewer. */
async function relations(db: Db, viewerId: bigint, userIds: readonly bigint[]) {
  const among = [0n, ...userIds];
  const [following, followers] = await Promise.all([
    db.query("SELECT followee_id FROM follow WHERE follower_id = ? AND followee_id IN (?) AND following = 1", [
      viewerId,
      among,
    ]),
    db.query("SELECT follower_id FROM follower WHERE followee_id = ? AND follower_id IN (?) AND following = 1", [
      viewerId,
      among,
    ]),
  ]);
  return {
    following: new Set(idsOf(following, "followee_id")),
    followers: new Set(idsOf(followers, "follower_id")),
  };
}

/** How two accounts stand. Each change of a pair, either way, gives it a new edge id, which holds the time. */
async function followOf(db: Db, followerId: bigint, followeeId: bigint): Promise<StoredFollow> {
  const [accounts, [pair]] = await Promise.all([
    db.query("SELECT user_id, state, follow_version FROM account WHERE user_id IN (?)", [[followerId, followeeId]]), // PRIMARY
    db.query("SELECT edge_id, following FROM follow WHERE follower_id = ? AND followee_id = ?", [
      followerId,
      followeeId,
    ]), // PRIMARY
  ]);
  const rowOf = (id: bigint) => accounts.find((row) => bigintOf(row.user_id) === id);
  const stateOf = (row: Row | undefined) => (row === undefined ? undefined : Number(row.state));
  return {
    followerState: stateOf(rowOf(followerId)),
    followeeState: stateOf(rowOf(followeeId)),
    following: Number(pair?.following ?? 0) === 1,
    changeMs: pair === undefined ? undefined : timeOf(bigintOf(pair.edge_id)),
    setVersion: bigintOf(rowOf(followerId)?.follow_version),
  };
}

/** Adds a batch's follows to the counts and says what they are now. Runs once for each fact: numbering happens once. */
export async function foldFollowerCounts(tx: Sql, events: readonly Event[]): Promise<void> {
  const deltas = [...followerDeltas(events)].sort(([a], [b]) => (a < b ? -1 : 1));
  if (deltas.length === 0) return;
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
}

async function lockActive(tx: Sql, userId: bigint): Promise<{ followVersion: bigint; followingCount: number }> {
  const [row] = await tx.query(
    "SELECT follow_version, following_count FROM account WHERE user_id = ? AND state = ? FOR UPDATE",
    [userId, active],
  );
  if (row === undefined) throw notFound("account");
  return { followVersion: bigintOf(row.follow_version), followingCount: Number(row.following_count) };
}

async function mustBeActive(tx: Sql, userId: bigint): Promise<void> {
  const [row] = await tx.query("SELECT 1 AS found FROM account WHERE user_id = ? AND state = ?", [userId, active]);
  if (row === undefined) throw notFound("account");
}

/** The versions of some accounts' follow sets. */
async function followVersions(db: Db, userIds: readonly bigint[]): Promise<Map<bigint, bigint>> {
  const ids = [0n, ...userIds];
  const rows = await db.query("SELECT user_id, follow_version FROM account WHERE user_id IN (?)", [ids]); // PRIMARY
  return new Map(rows.map((row) => [bigintOf(row.user_id), bigintOf(row.follow_version)]));
}

async function writePair(
  tx: Sql,
  pair: { followerId: bigint; followeeId: bigint; following: boolean; version: bigint },
): Promise<void> {
  const { followerId, followeeId, following, version } = pair;
  const edgeId = newId();
  await tx.exec(
    "INSERT INTO follow (follower_id, followee_id, edge_id, following, version) VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE edge_id = VALUES(edge_id), following = VALUES(following), version = VALUES(version)",
    [followerId, followeeId, edgeId, following, version],
  );
  await tx.exec(
    "INSERT INTO follower (followee_id, follower_id, edge_id, following) VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE edge_id = VALUES(edge_id), following = VALUES(following)",
    [followeeId, followerId, edgeId, following],
  );
}

async function edges(
  db: Db,
  select: string,
  userId: bigint,
  before: bigint | undefined,
  limit: number,
): Promise<Edge[]> {
  const below = before === undefined ? "" : `AND edge_id < ${before}`;
  const rows = await db.query(`${select} AND following = 1 ${below} ORDER BY edge_id DESC LIMIT ${limit}`, [userId]); // latest
  return rows.map((row) => ({ edgeId: bigintOf(row.edge_id), userId: bigintOf(row.user_id) }));
}

const idsOf = (rows: readonly Row[], column: string): bigint[] => rows.map((row) => bigintOf(row[column]));

const accountOf = (row: Row): StoredAccount => ({
  userId: bigintOf(row.user_id),
  state: Number(row.state),
  followerCount: bigintOf(row.follower_count),
  followingCount: bigintOf(row.following_count),
});
