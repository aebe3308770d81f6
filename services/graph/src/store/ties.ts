import { Code } from "@connectrpc/connect";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { type TieKind, tieMember, wordsMember } from "#lib/readmodel/tie.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { blockChanged, muteChanged } from "../events.ts";
import { type Asked, changePair, type PairChange } from "./change.ts";
import { edges, type ReadEdges } from "./follow-lists.ts";
import { closeFriends, pairOf, setMember, setPair, setTie } from "./pairs.ts";
import { follows, tieKinds } from "./relation.ts";

/** Whom one account may block, and mute, at most: a set of ties stays a few hundred kilobytes. */
const tiesMax = 5_000;

/** Blocks and mutes, and all ties as a set. */
export function ties(db: Statements) {
  return {
    /** Blocks somebody, which ends every follow, request and close friendship between the two; or blocks them no more. */
    block: (asked: Asked, userId: bigint, blocking: boolean) =>
      changePair(db, asked, userId, "both", async (change) => {
        const { viewer, other, relation } = change;
        if (!(await mayTie(change, "blocking", blocking))) return;
        await setTie(change, viewer, "blocking", userId, blocking);
        await setTie(change, other, "blockedBy", viewer.userId, blocking);
        if (blocking) await part(change);
        const version = relation.blocking.version + 1n;
        const pair = { blockerId: viewer.userId, blockedId: userId, blocking, version };
        change.tell(blockChanged(pair, asked.origin));
      }),

    mute: (asked: Asked, userId: bigint, muting: boolean) =>
      changePair(db, asked, userId, "viewer", async (change) => {
        const { viewer, relation } = change;
        if (!(await mayTie(change, "muting", muting))) return;
        await setTie(change, viewer, "muting", userId, muting);
        const version = relation.muting.version + 1n;
        change.tell(muteChanged({ muterId: viewer.userId, mutedId: userId, muting, version }, asked.origin));
      }),

    blocks: (userId: bigint): ReadEdges => edges(db, ofKind, [userId, tieKinds.blocking]),
    mutes: (userId: bigint): ReadEdges => edges(db, ofKind, [userId, tieKinds.muting]),

    /** Every tie of a person as members of their set, and the version of that, as of one moment; at most `limit`. */
    tieSet: (userId: bigint, limit: number) => tieSet(db, userId, limit),

    tieVersions: async (userIds: readonly bigint[]): Promise<Map<bigint, bigint>> => {
      const ids = [0n, ...userIds];
      const rows = await db.query("SELECT user_id, tie_version FROM account WHERE user_id IN (?)", [ids]); // PRIMARY
      return new Map(rows.map((row) => [bigintOf(row.user_id), bigintOf(row.tie_version)]));
    },
  };
}

const ofKind = "SELECT edge_id, other_id AS user_id FROM tie WHERE user_id = ? AND kind = ? AND held = 1"; // latest

/** Whether there is anything to change. What is one's own one may end, whoever may see whom by now. */
async function mayTie(change: PairChange, kind: "blocking" | "muting", held: boolean): Promise<boolean> {
  const { tx, viewer, relation, mustSee } = change;
  const isHeld = relation[kind].state === 1;
  if (held || !isHeld) mustSee();
  if (isHeld === held) return false;
  if (!held) return true;
  const [row] = await tx.query("SELECT COUNT(*) AS n FROM tie WHERE user_id = ? AND kind = ? AND held = 1", [
    viewer.userId,
    tieKinds[kind],
  ]); // latest
  if (Number(row?.n) < tiesMax) return true;
  throw problem(Code.ResourceExhausted, `${kind}-limit`, `${tiesMax} reached`);
}

/** Ends what a block ends, both ways: follows, requests, and being among close friends. */
async function part(change: PairChange): Promise<void> {
  const { tx, viewer, other, relation } = change;
  if (relation.follows.state !== follows.none) {
    await setPair(change, viewer, other.userId, relation.follows, follows.none);
  }
  if (relation.followedBy.state !== follows.none) {
    await setPair(change, other, viewer.userId, await pairOf(tx, other.userId, viewer.userId), follows.none);
  }
  if (relation.closeFriend.state === 1) await setMember(change, viewer, closeFriends, other, false);
  if (relation.closeFriendOf.state === 1) await setMember(change, other, closeFriends, viewer, false);
}

/** The letter of each kind is in `lib/readmodel/tie.ts`. */
const kindNames = new Map(Object.entries(tieKinds).map(([name, kind]) => [kind as number, name as TieKind]));

const tieSet = (db: Statements, userId: bigint, limit: number): Promise<{ version: bigint; members: string[] }> =>
  db.tx(async (tx) => {
    const [account] = await tx.query("SELECT tie_version FROM account WHERE user_id = ? FOR UPDATE", [userId]); // PRIMARY
    if (account === undefined) throw notFound("user");
    const rows = await tx.query(
      `SELECT other_id, kind FROM tie WHERE user_id = ? AND held = 1 LIMIT ${limit}`, // PRIMARY
      [userId],
    );
    const members = rows.map((row) => tieMember(kindNames.get(Number(row.kind)) as TieKind, bigintOf(row.other_id)));
    if (await hasWords(tx, userId)) members.push(wordsMember);
    return { version: bigintOf(account.tie_version), members };
  });

export const hasWords = async (sql: Sql, userId: bigint): Promise<boolean> =>
  (await sql.query("SELECT 1 FROM muted_word WHERE user_id = ? LIMIT 1", [userId])).length > 0; // PRIMARY
