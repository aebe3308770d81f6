import { Code } from "@connectrpc/connect";
import { notFound, problem } from "#lib/mesh/errors.ts";
import type { Db, Sql } from "#lib/storage/mysql.ts";
import { type Asked, changePair } from "./change.ts";
import { pairOf, setPair } from "./pairs.ts";
import { follows } from "./relation.ts";

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
        if (before.state === state) return state;
        if (viewer.followingCount >= followsMax) throw tooMany(`nobody follows more than ${followsMax}`);
        if (state === follows.requested) await mustHaveRequestLeft(tx, viewer.userId);
        await setPair(change, viewer, userId, before, state);
        return state;
      }),

    /** Ends the viewer's follow, or takes their request back. */
    unfollow: (asked: Asked, userId: bigint) =>
      changePair(db, asked, userId, "viewer", async (change) => {
        const before = change.relation.follows;
        if (before.state === follows.none) change.mustSee();
        else await setPair(change, change.viewer, userId, before, follows.none);
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

async function mustHaveRequestLeft(tx: Sql, userId: bigint): Promise<void> {
  const [row] = await tx.query(
    "SELECT COUNT(*) AS n FROM follow WHERE follower_id = ? AND following = 2", // latest
    [userId],
  );
  if (Number(row?.n) >= requestsMax) throw tooMany(`${requestsMax} requests wait for an answer`);
}

const tooMany = (message: string) => problem(Code.ResourceExhausted, "follow-limit", message);
const blocked = () => problem(Code.FailedPrecondition, "blocking", "you block this user");
