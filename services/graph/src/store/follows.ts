import { Code } from "@connectrpc/connect";
import { tellPending } from "#lib/events/pending.ts";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { newId } from "#lib/storage/id.ts";
import { bigintOf, type Db, type Sql } from "#lib/storage/mysql.ts";
import { followChanged, followName } from "../events.ts";
import { type Asked, type Change, changePair, type Person } from "./change.ts";
import { follows, type Link } from "./relation.ts";

/** Whom one account may follow at most: a feed's follow set stays a few dozen kilobytes. */
export const followsMax = 5_000;
/** Requests of one account that nobody answered yet. */
const requestsMax = 1_000;

/** Who follows whom, and who asked to: what people change about it. */
export function followChanges(db: Db) {
  return {
    /** Makes the viewer follow somebody, or ask to where their account is private. */
    follow: (asked: Asked, userId: bigint) =>
      changePair(db, asked, userId, "viewer", async (change) => {
        const { tx, viewer, other, relation, mustSee } = change;
        mustSee();
        if (relation.blocking.state === 1) throw blocked();
        const before = relation.follows;
        const state = other.isPrivate && before.state !== follows.following ? follows.requested : follows.following;
        if (before.state === state) {
          await tellPending(tx, followName(viewer.userId, userId), userId, asked.origin);
          return state;
        }
        if (viewer.followingCount >= followsMax) throw tooMany(`nobody follows more than ${followsMax}`);
        if (state === follows.requested) await mustHaveRequestLeft(tx, viewer.userId);
        await setPair(change, viewer, userId, before, state);
        return state;
      }),

    /** Ends the viewer's follow, or takes their request back. */
    unfollow: (asked: Asked, userId: bigint) =>
      changePair(db, asked, userId, "viewer", async (change) => {
        const before = change.relation.follows;
        if (before.state === follows.none) {
          change.mustSee();
          await tellPending(change.tx, followName(asked.viewerId, userId), userId, asked.origin);
        } else await setPair(change, change.viewer, userId, before, follows.none);
        return follows.none;
      }),

    /** Lets somebody who asked follow the viewer. */
    accept: (asked: Asked, userId: bigint) =>
      changePair(db, asked, userId, "other", async (change) => {
        const { tx, viewer, other, relation, mustSee } = change;
        mustSee();
        if (relation.followedBy.state === follows.following) return follows.following;
        if (relation.followedBy.state === follows.none) throw notFound("follow request");
        if (other.followingCount >= followsMax) throw tooMany(`they follow ${followsMax} already`);
        await setPair(change, other, viewer.userId, await pairOf(tx, userId, viewer.userId), follows.following);
        return follows.following;
      }),

    /** Ends somebody's request to follow the viewer. */
    decline: (asked: Asked, userId: bigint) => endFollower(db, asked, userId, follows.requested),

    /** Makes somebody follow the viewer no more. */
    removeFollower: (asked: Asked, userId: bigint) => endFollower(db, asked, userId, follows.following),
  };
}

const endFollower = (db: Db, asked: Asked, userId: bigint, from: number) =>
  changePair(db, asked, userId, "other", async (change) => {
    const { tx, viewer, other, relation, mustSee } = change;
    const { state } = relation.followedBy;
    if (state === follows.none) mustSee();
    if (state !== from) return state;
    await setPair(change, other, viewer.userId, await pairOf(tx, userId, viewer.userId), follows.none);
    return follows.none;
  });

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

async function mustHaveRequestLeft(tx: Sql, userId: bigint): Promise<void> {
  const [row] = await tx.query(
    "SELECT COUNT(*) AS n FROM follow WHERE follower_id = ? AND following = 2", // latest
    [userId],
  );
  if (Number(row?.n) >= requestsMax) throw tooMany(`${requestsMax} requests wait for an answer`);
}

const tooMany = (message: string) => problem(Code.ResourceExhausted, "follow-limit", message);
const blocked = () => problem(Code.FailedPrecondition, "blocking", "you block this user");
