import type { Standing } from "#lib/readmodel/audience.ts";
import type { TieKind } from "#lib/readmodel/tie.ts";
import { bigintOf, type Row, type Sql } from "#lib/storage/mysql.ts";

/** How a pair of follower and followee stands: column `following`. */
export const follows = { none: 0, following: 1, requested: 2 } as const;

/** Column `kind` of `tie`. */
export const tieKinds = { blocking: 1, blockedBy: 2, muting: 3, closeFriendOf: 4 } as const satisfies Record<
  TieKind,
  number
>;

/** A pair as its row has it; state and version are 0 where there never was one. */
export type Link = { readonly state: number; readonly version: bigint };

/** All that is between a viewer and somebody else. The version of `followedBy` is not read. */
export type Relation = Readonly<Record<"follows" | "followedBy" | "closeFriend" | TieKind, Link>>;

const never: Link = { state: 0, version: 0n };
export const stranger: Relation = {
  follows: never,
  followedBy: never,
  closeFriend: never,
  blocking: never,
  blockedBy: never,
  muting: never,
  closeFriendOf: never,
};

/** What decides about what somebody may see. Each by PRIMARY, in the viewer's shard; so are the others. */
const deciding = [
  "SELECT 'follows' AS link, followee_id AS user_id, following AS state, version FROM follow WHERE follower_id = ? AND followee_id IN (?)",
  "SELECT CASE kind WHEN 1 THEN 'blocking' WHEN 2 THEN 'blockedBy' WHEN 3 THEN 'muting' ELSE 'closeFriendOf' END AS link, other_id, held, version FROM tie WHERE user_id = ? AND other_id IN (?)",
];
const all = [
  ...deciding,
  "SELECT 'followedBy', follower_id, following, 0 FROM follower WHERE followee_id = ? AND follower_id IN (?)",
  "SELECT 'closeFriend', member_id, member, version FROM list_member WHERE owner_id = ? AND list_id = 0 AND member_id IN (?)",
];

/** How a viewer and others stand to each other, as of one moment; strangers are in no row and not in the map. */
export const relationsOf = (sql: Sql, viewerId: bigint, userIds: readonly bigint[]): Promise<Map<bigint, Relation>> =>
  linksOf(sql, all, viewerId, userIds);

/** The same as far as it decides what the viewer may see: who follows the viewer, and whom the viewer lists, are left out. */
export const standingLinksOf = (
  sql: Sql,
  viewerId: bigint,
  userIds: readonly bigint[],
): Promise<Map<bigint, Relation>> => linksOf(sql, deciding, viewerId, userIds);

async function linksOf(
  sql: Sql,
  selects: readonly string[],
  viewerId: bigint,
  userIds: readonly bigint[],
): Promise<Map<bigint, Relation>> {
  const found = new Map<bigint, Relation>();
  if (userIds.length === 0) return found;
  const params = selects.flatMap(() => [viewerId, userIds]);
  const rows = await sql.query(selects.join(" UNION ALL "), params);
  for (const row of rows) {
    const id = bigintOf(row.user_id);
    found.set(id, { ...(found.get(id) ?? stranger), [String(row.link)]: linkOf(row) });
  }
  return found;
}

const linkOf = (row: Row): Link => ({ state: Number(row.state), version: bigintOf(row.version) });

/** How an account stands to a viewer, from rows. */
export const standingOf = (
  account: { readonly state: number; readonly isPrivate: boolean },
  { follows: follow, blocking, blockedBy, muting, closeFriendOf }: Relation,
): Standing => ({
  state: account.state,
  isPrivate: account.isPrivate,
  following: follow.state === follows.following,
  blocking: blocking.state === 1,
  blockedBy: blockedBy.state === 1,
  muting: muting.state === 1,
  closeFriendOf: closeFriendOf.state === 1,
});
