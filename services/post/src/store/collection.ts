import { Code } from "@connectrpc/connect";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { newId } from "#lib/storage/id.ts";
import { keyRow, madeUnder } from "#lib/storage/idempotency.ts";
import { bigintOf, isDuplicate, type Row, type Statements } from "#lib/storage/mysql.ts";

/** Collections one person has. */
const collectionsMax = 100;

export type StoredCollection = { readonly collectionId: bigint; readonly name: string; readonly postCount: number };

/** The truth about people's collections of what they keep. */
export type CollectionStore = ReturnType<typeof collectionStore>;

export function collectionStore(db: Statements) {
  const all = async (userId: bigint): Promise<StoredCollection[]> => {
    const [rows, counts] = await Promise.all([
      db.query(
        `SELECT collection_id, name FROM collection WHERE user_id = ? ORDER BY collection_id LIMIT ${collectionsMax}`, // PRIMARY
        [userId],
      ),
      db.query(
        "SELECT collection_id, COUNT(*) AS n FROM save WHERE user_id = ? AND saved = 1 GROUP BY collection_id", // in_collection
        [userId],
      ),
    ]);
    const countOf = new Map(counts.map((row) => [bigintOf(row.collection_id), Number(row.n)]));
    return rows.map((row) => collectionOf(row, countOf));
  };

  async function find(userId: bigint, collectionId: bigint): Promise<StoredCollection> {
    const found = (await all(userId)).find((one) => one.collectionId === collectionId);
    if (found === undefined) throw notFound("collection");
    return found;
  }

  return {
    list: all,

    /** One that there is; NOT_FOUND otherwise. */
    find,

    /** Makes a collection once for its key. FAILED_PRECONDITION: there are 100. */
    async create(
      userId: bigint,
      name: string,
      key: string,
    ): Promise<{ collection: StoredCollection; replayed: boolean }> {
      const collectionId = newId();
      // No post has such a text, so a key that made a post makes no collection.
      const keyed = { authorId: userId, key, text: `\u0000collection\n${name}` };
      try {
        await db.tx(async (tx) => {
          await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, post_id) VALUES ?", [
            [keyRow(keyed, collectionId)],
          ]);
          await tx.exec("INSERT INTO saver (user_id) VALUES (?) ON DUPLICATE KEY UPDATE save_version = save_version", [
            userId,
          ]);
          await tx.query("SELECT 1 FROM saver WHERE user_id = ? FOR UPDATE", [userId]);
          const [row] = await tx.query("SELECT COUNT(*) AS n FROM collection WHERE user_id = ?", [userId]); // PRIMARY
          if (Number(row?.n) >= collectionsMax) {
            throw problem(Code.FailedPrecondition, "collection-limit", `${collectionsMax} collections reached`);
          }
          await tx.exec("INSERT INTO collection (user_id, collection_id, name) VALUES (?, ?, ?)", [
            userId,
            collectionId,
            name,
          ]);
        });
      } catch (reason) {
        if (!isDuplicate(reason)) throw reason;
        return { collection: await find(userId, await madeUnder(db, keyed, "post_id")), replayed: true };
      }
      return { collection: { collectionId, name, postCount: 0 }, replayed: false };
    },

    /** Gives a collection another name. NOT_FOUND: there is none. */
    async rename(userId: bigint, collectionId: bigint, name: string): Promise<StoredCollection> {
      await db.exec("UPDATE collection SET name = ? WHERE user_id = ? AND collection_id = ?", [
        name,
        userId,
        collectionId,
      ]); // PRIMARY
      return find(userId, collectionId);
    },

    /** Takes a collection away; again is the same as once. What was in it is in none from then on. */
    async delete(userId: bigint, collectionId: bigint): Promise<void> {
      await db.exec("DELETE FROM collection WHERE user_id = ? AND collection_id = ?", [userId, collectionId]); // PRIMARY
    },
  };
}

const collectionOf = (row: Row, countOf: ReadonlyMap<bigint, number>): StoredCollection => {
  const collectionId = bigintOf(row.collection_id);
  return { collectionId, name: String(row.name), postCount: countOf.get(collectionId) ?? 0 };
};
