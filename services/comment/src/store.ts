import { append, type Event, type Origin } from "#lib/events/outbox.ts";
import { tellPending, withPending } from "#lib/events/pending.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Count } from "#lib/readmodel/count.ts";
import { batched, type Wanted } from "#lib/storage/batch.ts";
import { newId, timeOf } from "#lib/storage/id.ts";
import { type Keyed, keyRow, madeUnder } from "#lib/storage/idempotency.ts";
import { bigintOf, isDuplicate, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { changesIn, commentChanged, commentCountsChanged, commentName, deltasOf } from "./events.ts";

export type StoredComment = {
  readonly id: bigint;
  readonly postId: bigint;
  readonly authorId: bigint;
  readonly version: bigint;
  readonly deleted: boolean;
  readonly text: string;
  readonly createTime: Date;
};

/** A comment to be. */
export type NewComment = Keyed & { readonly postId: bigint };

/** A comment about to be there. */
type Saying = NewComment & { readonly id: bigint; readonly createTime: Date; readonly origin: Origin };

const columns = "id, post_id, author_id, version, deleted, text, create_time";

/** The truth about comments. */
export type CommentStore = ReturnType<typeof commentStore>;

export function commentStore(db: Statements) {
  const say = batched<Saying & Wanted, void>({ what: "comments", db, work: sayAll });

  const byId = async (id: bigint): Promise<StoredComment | undefined> => {
    const [row] = await db.query(`SELECT ${columns} FROM comment WHERE id = ?`, [id]); // by_id
    return row && commentOf(row);
  };

  return {
    /** A comment or its tombstone. */
    byId,

    /** The same of many, by id. */
    async byIds(ids: readonly bigint[]): Promise<Map<bigint, StoredComment>> {
      const rows = await db.query(`SELECT ${columns} FROM comment WHERE id IN (?)`, [[0n, ...ids]]); // by_id
      return new Map(rows.map((row) => [bigintOf(row.id), commentOf(row)]));
    },

    /**
     * Says something once for its key. Answers what stands, and whether it stood before. A run that was given up
     * (`mustBeWanted`) leaves the key to the one that came after it.
     */
    async create(
      wanted: NewComment,
      origin: Origin,
      mustBeWanted = () => {},
    ): Promise<{ comment: StoredComment; replayed: boolean }> {
      const { postId, authorId, text } = wanted;
      const id = newId();
      const createTime = new Date(timeOf(id));
      try {
        await say({ ...wanted, id, createTime, origin, mustBeWanted });
      } catch (reason) {
        if (!isDuplicate(reason)) throw reason;
        const comment = await madeBefore(wanted);
        await tellPending(db, commentName(comment.id), comment.postId, origin);
        return { comment, replayed: true };
      }
      return { comment: { id, postId, authorId, version: 1n, deleted: false, text, createTime }, replayed: false };
    },

    /** Removes a comment; again is the same as once. Whose it is never changes, so who may is decided before. */
    delete: ({ id, postId, authorId, version }: StoredComment, origin: Origin): Promise<void> =>
      db.tx(async (tx) => {
        const removed = await tx.exec(
          "UPDATE comment SET deleted = 1, version = version + 1 WHERE post_id = ? AND id = ? AND deleted = 0", // PRIMARY
          [postId, id],
        );
        if (removed === 0) return tellPending(tx, commentName(id), postId, origin);
        const deleted = { commentId: id, postId, authorId, version: version + 1n, deleted: true };
        await append(tx, [commentChanged(deleted, origin)]);
      }),

    /** What was said under a post, latest first. */
    async list(postId: bigint, before: bigint | undefined, limit: number): Promise<StoredComment[]> {
      const below = before === undefined ? "" : `AND id < ${before}`;
      const rows = await db.query(
        `SELECT ${columns} FROM comment WHERE post_id = ? AND deleted = 0 ${below} ORDER BY id DESC LIMIT ${limit}`, // PRIMARY
        [postId],
      );
      return rows.map(commentOf);
    },

    /** How many comments each post has, with what the shards `late` have not folded; one nobody ever commented on is not there. */
    counts: async (postIds: readonly bigint[], late: readonly number[] = []): Promise<Map<bigint, Count>> => {
      const sql = "SELECT post_id, comment_count, version FROM comment_count WHERE post_id IN (?)";
      const { rows, pending } = await withPending(db, { sql, columns: 3, params: [[0n, ...postIds]] }, late);
      const countOf = (row: Row) => ({ version: Number(row.version), value: Number(row.comment_count) });
      const found = new Map<bigint, Count>(rows.map((row) => [bigintOf(row.post_id), countOf(row)]));
      for (const [id, delta] of deltasOf(changesIn(pending))) {
        found.set(id, { version: 0, value: 0, ...found.get(id), pending: delta });
      }
      return found;
    },
  };

  /** What stands under a key that was used before. Another request under it is refused. */
  async function madeBefore(wanted: NewComment): Promise<StoredComment> {
    const comment = await byId(await madeUnder(db, asked(wanted), "comment_id"));
    if (comment === undefined) throw notFound("comment");
    return comment;
  }
}

/** Says some things in one transaction of a few statements. A key that was used before is a duplicate key, and undoes them all. */
async function sayAll(tx: Sql, all: readonly Saying[]): Promise<undefined[]> {
  await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, comment_id) VALUES ?", [
    all.map((one) => keyRow(asked(one), one.id)),
  ]);
  await tx.exec("INSERT INTO comment (post_id, id, author_id, version, text, create_time) VALUES ?", [
    all.map(({ postId, id, authorId, text, createTime }) => [postId, id, authorId, 1, text, createTime]),
  ]);
  const created = ({ id: commentId, postId, authorId, origin }: Saying) =>
    commentChanged({ commentId, postId, authorId, version: 1n, deleted: false }, origin);
  await append(tx, all.map(created));
  return all.map(() => undefined);
}

/** Adds a batch's comments to the counts and says what they are now. Runs once for each fact: numbering happens once. */
export async function foldCommentCounts(tx: Sql, events: readonly Event[]): Promise<void> {
  const deltas = [...deltasOf(changesIn(events))].sort(([a], [b]) => (a < b ? -1 : 1));
  if (deltas.length === 0) return;
  await tx.exec(
    "INSERT INTO comment_count (post_id, comment_count, version) VALUES ? ON DUPLICATE KEY UPDATE comment_count = comment_count + VALUES(comment_count), version = version + 1",
    [deltas.map(([postId, delta]) => [postId, delta, 1])],
  );
  const rows = await tx.query("SELECT post_id, comment_count, version FROM comment_count WHERE post_id IN (?)", [
    deltas.map(([postId]) => postId),
  ]);
  await append(
    tx,
    rows.map((row) => commentCountsChanged(bigintOf(row.post_id), bigintOf(row.comment_count), bigintOf(row.version))),
  );
}

/** The whole request as its key remembers it: the same words under another post are another request. */
const asked = ({ authorId, key, postId, text }: NewComment): Keyed => ({ authorId, key, text: `${postId}\n${text}` });

const commentOf = (row: Row): StoredComment => ({
  id: bigintOf(row.id),
  postId: bigintOf(row.post_id),
  authorId: bigintOf(row.author_id),
  version: bigintOf(row.version),
  deleted: Number(row.deleted) === 1,
  text: String(row.text),
  createTime: row.create_time as Date,
});
