import type { TieKind } from "#lib/readmodel/tie.ts";
import { newId } from "#lib/storage/id.ts";
import { bigintOf, type Sql } from "#lib/storage/mysql.ts";
import { followChanged, listMemberChanged } from "../events.ts";
import type { Change, Person } from "./change.ts";
import { follows, type Link, tieKinds } from "./relation.ts";

/** The list that everybody has. */
export const closeFriends = 0n;

/** A pair by its follower. */
export async function pairOf(tx: Sql, followerId: bigint, followeeId: bigint): Promise<Link> {
  const [row] = await tx.query(
    "SELECT following, version FROM follow WHERE follower_id = ? AND followee_id = ?", // PRIMARY
    [followerId, followeeId],
  );
  return { state: Number(row?.following ?? 0), version: bigintOf(row?.version) };
}

/** Brings a pair into a state, at both ends, under its follower's lock. */
export async function setPair(
  change: Change,
  follower: Person,
  followeeId: bigint,
  before: Link,
  state: number,
): Promise<void> {
  const [edgeId, version] = [newId(), before.version + 1n];
  await change.tx.exec(
    "INSERT INTO follow (follower_id, followee_id, edge_id, following, version) VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE edge_id = VALUES(edge_id), following = VALUES(following), version = VALUES(version)",
    [follower.userId, followeeId, edgeId, state, version],
  );
  await change.tx.exec(
    "INSERT INTO follower (followee_id, follower_id, edge_id, following) VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE edge_id = VALUES(edge_id), following = VALUES(following)",
    [followeeId, follower.userId, edgeId, state],
  );
  const [was, is] = [before.state === follows.following, state === follows.following];
  if (was !== is) change.follow(follower, followeeId, is);
  const pair = { followerId: follower.userId, followeeId, following: is, version };
  change.tell(
    followChanged({ ...pair, requested: state === follows.requested, requestOnly: was === is }, change.asked.origin),
  );
}

/** Sets one tie of a person's under their lock. */
export async function setTie(
  change: Change,
  person: Person,
  kind: TieKind,
  otherId: bigint,
  held: boolean,
): Promise<void> {
  await change.tx.exec(
    "INSERT INTO tie (user_id, other_id, kind, held, version, edge_id) VALUES (?, ?, ?, ?, 1, ?) ON DUPLICATE KEY UPDATE held = VALUES(held), version = version + 1, edge_id = VALUES(edge_id)",
    [person.userId, otherId, tieKinds[kind], held, newId()],
  );
  change.tie(person, kind, otherId, held);
}

/** Whether somebody is on a list. */
export async function memberOf(tx: Sql, ownerId: bigint, listId: bigint, memberId: bigint): Promise<Link> {
  const [row] = await tx.query(
    "SELECT member, version FROM list_member WHERE owner_id = ? AND list_id = ? AND member_id = ?", // PRIMARY
    [ownerId, listId, memberId],
  );
  return { state: Number(row?.member ?? 0), version: bigintOf(row?.version) };
}

/** Puts somebody on a list, or takes them off, where that is a change; under the lock of both where it is close friends. */
export async function setMember(
  change: Change,
  owner: Person,
  listId: bigint,
  member: Person,
  isMember: boolean,
): Promise<void> {
  const { tx, asked } = change;
  const version = (await memberOf(tx, owner.userId, listId, member.userId)).version + 1n;
  await tx.exec(
    "INSERT INTO list_member (owner_id, list_id, member_id, member, version, edge_id) VALUES (?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE member = VALUES(member), version = VALUES(version), edge_id = VALUES(edge_id)",
    [owner.userId, listId, member.userId, isMember, version, newId()],
  );
  await tx.exec(
    `INSERT INTO user_list (owner_id, list_id, name, member_count) VALUES (?, ?, '', 1) ON DUPLICATE KEY UPDATE member_count = member_count ${isMember ? "+" : "-"} 1`,
    [owner.userId, listId],
  );
  if (listId === closeFriends) await setTie(change, member, "closeFriendOf", owner.userId, isMember);
  const now = { ownerId: owner.userId, listId, memberId: member.userId, isMember, version };
  change.tell(listMemberChanged(now, asked.origin));
}
