import { Code } from "@connectrpc/connect";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { newId } from "#lib/storage/id.ts";
import { keyRow, madeUnder } from "#lib/storage/idempotency.ts";
import { bigintOf, isDuplicate, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { type Asked, changeOwn, changePair, type PairChange } from "./change.ts";
import { edges, type ReadEdges } from "./follow-lists.ts";
import { closeFriends, memberOf, setMember } from "./pairs.ts";

/** Lists of one account beside close friends, and people on one list. */
const listsMax = 100;
const membersMax = 1_000;

export type StoredList = { readonly listId: bigint; readonly name: string; readonly memberCount: number };

/** People's lists of people. */
export function lists(db: Statements) {
  return {
    lists: (ownerId: bigint): Promise<StoredList[]> => listsOf(db, ownerId),

    /** Makes a list once for its key. */
    async create(asked: Asked, name: string, key: string): Promise<{ list: StoredList; replayed: boolean }> {
      const listId = newId();
      const keyed = { authorId: asked.viewerId, key, text: name };
      try {
        await changeOwn(db, asked, async ({ tx, viewer }) => {
          await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, list_id) VALUES ?", [
            [keyRow(keyed, listId)],
          ]);
          const [row] = await tx.query(
            "SELECT COUNT(*) AS n FROM user_list WHERE owner_id = ? AND list_id > 0", // PRIMARY
            [viewer.userId],
          );
          if (Number(row?.n) >= listsMax) throw full("list-limit", `${listsMax} lists reached`);
          await tx.exec("INSERT INTO user_list (owner_id, list_id, name) VALUES (?, ?, ?)", [
            viewer.userId,
            listId,
            name,
          ]);
        });
      } catch (reason) {
        if (!isDuplicate(reason)) throw reason;
        return { list: await mustFind(db, asked.viewerId, await madeUnder(db, keyed, "list_id")), replayed: true };
      }
      return { list: { listId, name, memberCount: 0 }, replayed: false };
    },

    rename: async (asked: Asked, listId: bigint, name: string): Promise<StoredList> => {
      const { made } = await changeOwn(db, asked, async ({ tx, viewer }) => {
        const list = await mustFind(tx, viewer.userId, mustBeNamed(listId));
        await tx.exec("UPDATE user_list SET name = ? WHERE owner_id = ? AND list_id = ?", [
          name,
          viewer.userId,
          listId,
        ]);
        return { ...list, name };
      });
      return made;
    },

    delete: (asked: Asked, listId: bigint) =>
      changeOwn(db, asked, async ({ tx, viewer }) => {
        const which = [viewer.userId, mustBeNamed(listId)];
        await tx.exec("DELETE FROM user_list WHERE owner_id = ? AND list_id = ?", which);
        await tx.exec("DELETE FROM list_member WHERE owner_id = ? AND list_id = ?", which);
      }),

    /** Puts somebody on a list, or takes them off it. Close friends are a tie of theirs. */
    setMember: (asked: Asked, listId: bigint, userId: bigint, isMember: boolean) =>
      changePair(db, asked, userId, listId === closeFriends ? "both" : "viewer", (change) =>
        changeMember(change, listId, isMember),
      ),

    /** Everyone on a list: at most `membersMax`. */
    async memberSet(ownerId: bigint, listId: bigint): Promise<bigint[]> {
      await mustFind(db, ownerId, listId);
      const rows = await db.query(
        `SELECT member_id FROM list_member WHERE owner_id = ? AND list_id = ? AND member = 1 LIMIT ${membersMax}`, // latest
        [ownerId, listId],
      );
      return rows.map((row) => bigintOf(row.member_id));
    },

    async members(ownerId: bigint, listId: bigint): Promise<ReadEdges> {
      await mustFind(db, ownerId, listId);
      return edges(
        db,
        "SELECT edge_id, member_id AS user_id FROM list_member WHERE owner_id = ? AND list_id = ? AND member = 1", // latest
        [ownerId, listId],
      );
    },
  };
}

async function changeMember(change: PairChange, listId: bigint, isMember: boolean): Promise<void> {
  const { tx, viewer, other, mustSee } = change;
  const { memberCount } = await mustFind(tx, viewer.userId, listId);
  const wasMember = (await memberOf(tx, viewer.userId, listId, other.userId)).state === 1;
  if (isMember || !wasMember) mustSee();
  if (wasMember === isMember) return;
  if (isMember && memberCount >= membersMax) throw full("member-limit", `${membersMax} members reached`);
  await setMember(change, viewer, listId, other, isMember);
}

/** Close friends first, then the oldest. */
async function listsOf(sql: Sql, ownerId: bigint): Promise<StoredList[]> {
  const rows = await sql.query(
    "SELECT list_id, name, member_count FROM user_list WHERE owner_id = ? ORDER BY list_id", // PRIMARY
    [ownerId],
  );
  const found = rows.map((row) => ({
    listId: bigintOf(row.list_id),
    name: String(row.name),
    memberCount: Number(row.member_count),
  }));
  return found[0]?.listId === closeFriends ? found : [{ listId: closeFriends, name: "", memberCount: 0 }, ...found];
}

async function mustFind(sql: Sql, ownerId: bigint, listId: bigint): Promise<StoredList> {
  const list = (await listsOf(sql, ownerId)).find((known) => known.listId === listId);
  if (list === undefined) throw notFound("list");
  return list;
}

function mustBeNamed(listId: bigint): bigint {
  if (listId !== closeFriends) return listId;
  throw problem(Code.FailedPrecondition, "close-friends", "close friends have no other name, and no end");
}

const full = (reason: string, message: string) => problem(Code.ResourceExhausted, reason, message);
