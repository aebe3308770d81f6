import { notFound } from "#lib/mesh/errors.ts";
import { timeOf } from "#lib/storage/id.ts";
import { bigintOf, type Row, type Statements } from "#lib/storage/mysql.ts";
import { follows } from "./relation.ts";

/** One edge of a list: its id is the sort key, latest first. */
export type Edge = { readonly edgeId: bigint; readonly userId: bigint };
/** Reads up to `limit` edges below one. */
export type ReadEdges = (before: bigint | undefined, limit: number) => Promise<Edge[]>;
/** How one account stands to another; a state is undefined where there is no such account. */
export type StoredFollow = {
  readonly followerState: number | undefined;
  readonly followeeState: number | undefined;
  readonly following: boolean;
  /** When that changed last; undefined where there never was a follow. */
  readonly changeMs: number | undefined;
  readonly setVersion: bigint;
};

const { following, requested } = follows;

/** Who follows whom, and who asked to: what is read of it. */
export function followLists(db: Statements) {
  return {
    /** Everyone that an account follows, and the version of that set, as of one moment. */
    followSet: (userId: bigint) => followSet(db, userId),
    followVersions: (userIds: readonly bigint[]) => followVersions(db, userIds),
    getFollow: (followerId: bigint, followeeId: bigint) => getFollow(db, followerId, followeeId),

    /** Followers by ascending id, `limit` after one: what a fan-out walks. */
    followersAfter: async (userId: bigint, after: bigint, limit: number): Promise<bigint[]> =>
      idsOf(
        await db.query(
          `SELECT follower_id FROM follower WHERE followee_id = ? AND follower_id > ? AND following = 1 ORDER BY follower_id LIMIT ${limit}`, // PRIMARY
          [userId, after],
        ),
        "follower_id",
      ),

    /** The first followers of some accounts by ascending id, in the order of the accounts: one index range each. */
    firstFollowers: async (userIds: readonly bigint[], limit: number): Promise<bigint[][]> => {
      if (userIds.length === 0) return [];
      const ids = [...new Set(userIds)];
      // Rows name their list by its place: an id of 18 digits in each of them would be read and parsed as often.
      const one = (nth: number) =>
        `(SELECT ${nth} AS nth, follower_id FROM follower WHERE followee_id = ? AND following = 1 ORDER BY follower_id LIMIT ${limit})`; // PRIMARY
      const rows = await db.query(ids.map((_, nth) => one(nth)).join(" UNION ALL "), ids);
      const lists = ids.map((): bigint[] => []);
      for (const row of rows) lists[Number(row.nth)]?.push(bigintOf(row.follower_id));
      const byUser = new Map(ids.map((id, nth) => [id, lists[nth]?.sort((a, b) => (a < b ? -1 : 1)) ?? []]));
      return userIds.map((id) => byUser.get(id) ?? []);
    },

    /** Which of some people follow an account. */
    followersAmong: async (userId: bigint, among: readonly bigint[]): Promise<Set<bigint>> => {
      if (among.length === 0) return new Set();
      const rows = await db.query(
        "SELECT follower_id FROM follower WHERE followee_id = ? AND follower_id IN (?) AND following = 1", // PRIMARY
        [userId, among],
      );
      return new Set(idsOf(rows, "follower_id"));
    },

    followers: (userId: bigint): ReadEdges => edges(db, followersSql, [userId, following]),
    following: (userId: bigint): ReadEdges => edges(db, followingSql, [userId, following]),
    requests: (userId: bigint): ReadEdges => edges(db, followersSql, [userId, requested]),
    sentRequests: (userId: bigint): ReadEdges => edges(db, followingSql, [userId, requested]),
    /** Both tables have these rows in one shard, the viewer's. */
    mutuals: (userId: bigint): ReadEdges =>
      edges(
        db,
        "SELECT f.edge_id, f.followee_id AS user_id FROM follow f JOIN follower r ON r.followee_id = f.follower_id AND r.follower_id = f.followee_id AND r.following = 1 WHERE f.follower_id = ? AND f.following = ?", // latest, PRIMARY
        [userId, following],
        "f.edge_id",
      ),
  };
}

const followersSql = "SELECT edge_id, follower_id AS user_id FROM follower WHERE followee_id = ? AND following = ?"; // latest
const followingSql = "SELECT edge_id, followee_id AS user_id FROM follow WHERE follower_id = ? AND following = ?"; // latest

/** A list by its edges, latest first. The select names one range of an index that ends with the edge's id. */
export const edges =
  (db: Statements, select: string, params: readonly (bigint | number)[], edgeId = "edge_id"): ReadEdges =>
  async (before, limit) => {
    const below = before === undefined ? "" : `AND ${edgeId} < ${before}`;
    const rows = await db.query(`${select} ${below} ORDER BY ${edgeId} DESC LIMIT ${limit}`, params);
    return rows.map((row) => ({ edgeId: bigintOf(row.edge_id), userId: bigintOf(row.user_id) }));
  };

const followSet = (db: Statements, userId: bigint): Promise<{ version: bigint; followeeIds: bigint[] }> =>
  db.tx(async (tx) => {
    const [account] = await tx.query("SELECT follow_version FROM account WHERE user_id = ? FOR UPDATE", [userId]); // PRIMARY
    if (account === undefined) throw notFound("user");
    const rows = await tx.query("SELECT followee_id FROM follow WHERE follower_id = ? AND following = 1", [userId]); // latest
    return { version: bigintOf(account.follow_version), followeeIds: idsOf(rows, "followee_id") };
  });

/** The versions of some accounts' follow sets. */
async function followVersions(db: Statements, userIds: readonly bigint[]): Promise<Map<bigint, bigint>> {
  const ids = [0n, ...userIds];
  const rows = await db.query("SELECT user_id, follow_version FROM account WHERE user_id IN (?)", [ids]); // PRIMARY
  return new Map(rows.map((row) => [bigintOf(row.user_id), bigintOf(row.follow_version)]));
}

/** How two accounts stand. Each change of a pair, either way, gives it a new edge id, which holds the time. */
async function getFollow(db: Statements, followerId: bigint, followeeId: bigint): Promise<StoredFollow> {
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
    following: Number(pair?.following ?? 0) === following,
    changeMs: pair === undefined ? undefined : timeOf(bigintOf(pair.edge_id)),
    setVersion: bigintOf(rowOf(followerId)?.follow_version),
  };
}

const idsOf = (rows: readonly Row[], column: string): bigint[] => rows.map((row) => bigintOf(row[column]));
