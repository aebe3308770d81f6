import { append, type Origin } from "#lib/events/outbox.ts";
import { notFound } from "#lib/mesh/errors.ts";
import { newId, timeOf } from "#lib/storage/id.ts";
import { type Keyed, keyRow, madeUnder } from "#lib/storage/idempotency.ts";
import { bigintOf, type Db, isDuplicate, type Row } from "#lib/storage/mysql.ts";
import { type PostChange, postCreated, postDeleted } from "./events.ts";

export type StoredPost = {
  readonly id: bigint;
  readonly authorId: bigint;
  readonly version: number;
  readonly deleted: boolean;
  readonly text: string;
  readonly createTime: Date;
};

/** What is known of a post beside its text. `deleteTime` is missing where an older release deleted it. */
export type PostRecord = Omit<StoredPost, "text"> & { readonly deleteTime: Date | undefined };

/** A post to be. `timeMs` is given by imports only. */
export type NewPost = Keyed & { readonly timeMs?: number };

const columns = "id, author_id, version, deleted, text, create_time";

/** The truth about posts. */
export type PostStore = ReturnType<typeof postStore>;

export function postStore(db: Db) {
  const byIds = async (ids: readonly bigint[]): Promise<Map<bigint, StoredPost>> => {
    const rows = await db.query(`SELECT ${columns} FROM post WHERE id IN (?)`, [[0n, ...ids]]);
    return new Map(rows.map(postOf).map((post) => [post.id, post]));
  };

  return {
    byIds,

    /** Publishes a post once for its key. Answers what stands, and whether it stood before. */
    async create(post: NewPost, origin: Origin): Promise<{ post: StoredPost; replayed: boolean }> {
      const { authorId, text } = post;
      const id = newId();
      const createTime = new Date(timeOf(id));
      const created = { postId: id, authorId, version: 1, activityId: id, deleted: false };
      try {
        await db.tx(async (tx) => {
          await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, post_id) VALUES ?", [
            [keyRow(post, id)],
          ]);
          await tx.exec("INSERT INTO post (id, author_id, version, text, create_time) VALUES (?, ?, 1, ?, ?)", [
            id,
            authorId,
            text,
            createTime,
          ]);
          await tx.exec("INSERT INTO activity (author_id, activity_id, post_id) VALUES (?, ?, ?)", [authorId, id, id]);
          await append(tx, [postCreated(created, origin)]);
        });
      } catch (reason) {
        if (!isDuplicate(reason)) throw reason;
        return { post: await madeBefore(post), replayed: true };
      }
      return { post: { id, authorId, version: 1, deleted: false, text, createTime }, replayed: false };
    },

    /** A post without its text, also a deleted one. */
    async record(postId: bigint): Promise<PostRecord | undefined> {
      const [row] = await db.query(
        "SELECT id, author_id, version, deleted, create_time, delete_time FROM post WHERE id = ?", // PRIMARY
        [postId],
      );
      return row && { ...recordOf(row), deleteTime: (row.delete_time as Date | null) ?? undefined };
    },

    /** Deletes an author's post; again is the same as once. NOT_FOUND where it is nobody's or somebody else's. */
    delete: (postId: bigint, authorId: bigint, origin: Origin): Promise<PostChange> =>
      db.tx(async (tx) => {
        const [row] = await tx.query(`SELECT ${columns} FROM post WHERE id = ? FOR UPDATE`, [postId]);
        if (row === undefined || bigintOf(row.author_id) !== authorId) throw notFound("post");
        const { version, deleted } = postOf(row);
        const change = {
          postId,
          authorId,
          version: deleted ? version : version + 1,
          activityId: undefined,
          deleted: true,
        };
        if (deleted) return change;
        await tx.exec("UPDATE post SET deleted = 1, version = version + 1, delete_time = NOW(3) WHERE id = ?", [
          postId,
        ]);
        await tx.exec("UPDATE activity SET deleted = 1 WHERE author_id = ? AND activity_id = ?", [authorId, postId]);
        await append(tx, [postDeleted(change, origin)]);
        return change;
      }),

    /** The newest activities of each author below one, in the order of the authors: one index range an author. */
    async activities(authorIds: readonly bigint[], before: bigint, limit: number): Promise<bigint[][]> {
      if (authorIds.length === 0) return [];
      const below = before === 0n ? "" : `AND activity_id < ${before}`;
      const one = `(SELECT author_id, activity_id FROM activity WHERE author_id = ? AND deleted = 0 ${below} ORDER BY activity_id DESC LIMIT ${limit})`; // PRIMARY
      const lists = new Map<bigint, bigint[]>(authorIds.map((id) => [id, []]));
      const rows = await db.query(Array.from(lists, () => one).join(" UNION ALL "), [...lists.keys()]);
      for (const row of rows) lists.get(bigintOf(row.author_id))?.push(bigintOf(row.activity_id));
      return authorIds.map((id) => (lists.get(id) ?? []).sort((a, b) => (a > b ? -1 : 1)));
    },
  };

  /** What stands under a key that was used before. Another request under it is refused. */
  async function madeBefore(keyed: Keyed): Promise<StoredPost> {
    const id = await madeUnder(db, keyed, "post_id");
    const post = (await byIds([id])).get(id);
    if (post === undefined) throw notFound("post");
    return post;
  }
}

const postOf = (row: Row): StoredPost => ({ ...recordOf(row), text: String(row.text) });

const recordOf = (row: Row): Omit<StoredPost, "text"> => ({
  id: bigintOf(row.id),
  authorId: bigintOf(row.author_id),
  version: Number(row.version),
  deleted: Number(row.deleted) === 1,
  createTime: row.create_time as Date,
});
