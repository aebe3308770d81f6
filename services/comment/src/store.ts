import type { Media } from "#gen/skein/media/v1/media_pb.ts";
import type { Facets } from "#gen/skein/text/v1/text_pb.ts";
import type { Origin } from "#lib/events/outbox.ts";
import { append } from "#lib/events/outbox.ts";
import { tellPending } from "#lib/events/pending.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Count } from "#lib/readmodel/count.ts";
import { batched, type Wanted } from "#lib/storage/batch.ts";
import { newId, timeOf } from "#lib/storage/id.ts";
import { keptUnder, madeUnder } from "#lib/storage/idempotency.ts";
import { bigintOf, isDuplicate, type Row, type Statements } from "#lib/storage/mysql.ts";
import { commentEdited, commentHidden, commentName } from "./events.ts";
import { countsOf, replyCountsOf } from "./store/counts.ts";
import { changeMentions } from "./store/mention.ts";
import { removeComment } from "./store/remove.ts";
import {
  type Asked,
  asked,
  facetBytes,
  facetsIn,
  mediaIn,
  type NewComment,
  type Saying,
  type Standing,
  sayAll,
} from "./store/say.ts";
import { type Changed, changeThread, type Thread, threadsOf } from "./store/thread.ts";

export type StoredComment = Standing & {
  readonly id: bigint;
  readonly postId: bigint;
  readonly authorId: bigint;
  readonly version: bigint;
  readonly deleted: boolean;
  /** Deleted, and there for its replies. */
  readonly stub: boolean;
  readonly hidden: boolean;
  readonly text: string;
  readonly facets: Facets | undefined;
  readonly media: readonly Media[];
  readonly createTime: Date;
  readonly editTime: Date | undefined;
};

/** One level of a tree: the replies to a comment, or what is no reply (0). */
export type Level = { readonly postId: bigint; readonly parentId: bigint };

/** A place in the order by liveliness. */
export type LivelyPlace = { readonly heat: number; readonly id: bigint };

const columns =
  "id, post_id, author_id, version, deleted, stub, hidden, parent_id, root_id, depth, text, facets, media, create_time, edit_time";

/** The truth about comments. */
export type CommentStore = ReturnType<typeof commentStore>;

export function commentStore(db: Statements) {
  const say = batched<Saying & Wanted, void>({ what: "comments", db, work: sayAll });

  const byIds = async (ids: readonly bigint[]): Promise<Map<bigint, StoredComment>> => {
    const rows = await db.query(`SELECT ${columns} FROM comment WHERE id IN (?)`, [[0n, ...ids]]); // by_id
    return new Map(rows.map((row) => [bigintOf(row.id), commentOf(row)]));
  };

  async function madeBefore(id: bigint, origin: Origin): Promise<StoredComment> {
    const comment = (await byIds([id])).get(id);
    if (comment === undefined) throw notFound("comment");
    await tellPending(db, commentName(comment.id), comment.postId, origin);
    return comment;
  }

  return {
    ...changes(db),
    ...lists(db, byIds),

    /** Comments or their tombstones. */
    byIds,

    /**
     * Says something once for its key. Answers what stands, and whether it stood before. A run that was given up
     * (`mustBeWanted`) leaves the key to the one that came after it. NOT_FOUND where what is replied to was removed.
     */
    async create(
      wanted: NewComment,
      origin: Origin,
      mustBeWanted = () => {},
    ): Promise<{ comment: StoredComment; replayed: boolean }> {
      const { postId, authorId, standing, text, facets, media } = wanted;
      const id = newId();
      const createTime = new Date(timeOf(id));
      try {
        await say({ ...wanted, id, createTime, origin, mustBeWanted });
      } catch (reason) {
        if (!isDuplicate(reason)) throw reason;
        return { comment: await madeBefore(await madeUnder(db, asked(wanted), "comment_id"), origin), replayed: true };
      }
      const fresh = { version: 1n, deleted: false, stub: false, hidden: false, editTime: undefined };
      return {
        comment: { ...fresh, ...standing, id, postId, authorId, text, facets, media, createTime },
        replayed: false,
      };
    },

    /** What a key made before, also where what it shows is gone; undefined where it made nothing. */
    async made(wanted: Asked, origin: Origin): Promise<StoredComment | undefined> {
      const id = await keptUnder(db, asked(wanted), "comment_id");
      return id === undefined ? undefined : await madeBefore(id, origin);
    },

    /** How many comments each post has, with what the shards `late` have not folded; one nobody ever commented on is not there. */
    counts: (postIds: readonly bigint[], late: readonly number[] = []): Promise<Map<bigint, Count>> =>
      countsOf(db, postIds, late),

    /** How many replies each comment has, in the same way. */
    replyCounts: (ids: readonly bigint[], late: readonly number[]): Promise<Map<bigint, number>> =>
      replyCountsOf(db, ids, late),

    /** Who may comment on a post. */
    thread: async (postId: bigint): Promise<Thread> => (await threadsOf(db, [postId]))(postId),
  };
}

/** Comments in some order. */
const lists = (db: Statements, byIds: (ids: readonly bigint[]) => Promise<Map<bigint, StoredComment>>) => ({
  /** One level of what was said under a post, latest first; removed ones with replies are there. */
  async list({ postId, parentId }: Level, before: bigint | undefined, limit: number): Promise<StoredComment[]> {
    const below = before === undefined ? "" : `AND id < ${before}`;
    const rows = await db.query(
      `SELECT ${columns} FROM comment WHERE post_id = ? AND parent_id = ? AND (deleted = 0 OR stub = 1) ${below} ORDER BY id DESC LIMIT ${limit}`, // children
      [postId, parentId],
    );
    return rows.map(commentOf);
  },

  /** Those of some comments that replies hang on, removed ones too where more hangs on those. */
  async replied(comments: readonly Pick<StoredComment, "postId" | "id">[]): Promise<ReadonlySet<bigint>> {
    if (comments.length === 0) return new Set();
    const levels = comments.map(({ postId, id }) => [postId, id]);
    const rows = await db.query(
      "SELECT DISTINCT parent_id FROM comment WHERE (post_id, parent_id) IN (?) AND (deleted = 0 OR stub = 1)", // children
      [levels],
    );
    return new Set(rows.map((row) => bigintOf(row.parent_id)));
  },

  /** What a person said, latest first. */
  async listBy(authorId: bigint, before: bigint | undefined, limit: number): Promise<StoredComment[]> {
    const below = before === undefined ? "" : `AND id < ${before}`;
    const rows = await db.query(
      `SELECT ${columns} FROM comment WHERE author_id = ? AND deleted = 0 ${below} ORDER BY id DESC LIMIT ${limit}`, // by_author
      [authorId],
    );
    return rows.map(commentOf);
  },

  /** What names a person, latest first. */
  async listNaming(userId: bigint, before: bigint | undefined, limit: number): Promise<StoredComment[]> {
    const below = before === undefined ? "" : `AND comment_id < ${before}`;
    const rows = await db.query(
      `SELECT comment_id FROM comment_mention WHERE user_id = ? ${below} ORDER BY comment_id DESC LIMIT ${limit}`, // PRIMARY
      [userId],
    );
    const ids = rows.map((row) => bigintOf(row.comment_id));
    const found = await byIds(ids);
    return ids.flatMap((id) => found.get(id) ?? []);
  },

  /** The same with the liveliest first; what was said a moment ago comes with the relay. */
  async listLively(
    { postId, parentId }: Level,
    before: LivelyPlace | undefined,
    limit: number,
  ): Promise<{ place: LivelyPlace; comment: StoredComment | undefined }[]> {
    const below =
      before === undefined
        ? ""
        : `AND (heat < ${before.heat} OR (heat = ${before.heat} AND comment_id < ${before.id}))`;
    const rows = await db.query(
      `SELECT comment_id, heat FROM comment_rank WHERE post_id = ? AND parent_id = ? ${below} ORDER BY heat DESC, comment_id DESC LIMIT ${limit}`, // lively
      [postId, parentId],
    );
    const ids = rows.map((row) => bigintOf(row.comment_id));
    const found = await byIds(ids);
    return rows.map((row, nth) => {
      const id = ids[nth] as bigint;
      const comment = found.get(id);
      return {
        place: { heat: Number(row.heat), id },
        comment: comment?.deleted && !comment.stub ? undefined : comment,
      };
    });
  },
});

/** What changes a comment or a thread that is there. Who may do so is decided before: whose they are never changes. */
const changes = (db: Statements) => ({
  /** Gives a comment another text; the same text changes nothing. NOT_FOUND where it was removed. */
  edit: (
    id: bigint,
    { text, facets }: Pick<StoredComment, "text" | "facets">,
    origin: Origin,
  ): Promise<StoredComment> =>
    db.tx(async (tx) => {
      const [row] = await tx.query(`SELECT ${columns} FROM comment WHERE id = ? FOR UPDATE`, [id]); // by_id
      const comment = row && commentOf(row);
      if (comment === undefined || comment.deleted) throw notFound("comment");
      if (comment.text === text) {
        await tellPending(tx, commentName(id), comment.postId, origin);
        return comment;
      }
      const edited = { ...comment, text, facets, version: comment.version + 1n, editTime: new Date() };
      await tx.exec(
        "UPDATE comment SET text = ?, facets = ?, version = ?, edit_time = ? WHERE post_id = ? AND id = ?",
        [text, facetBytes(facets), edited.version, edited.editTime, comment.postId, id],
      );
      await changeMentions(tx, comment, edited);
      await append(tx, [commentEdited({ ...edited, commentId: id }, origin)]);
      return edited;
    }),

  /** Hides a comment, or shows it again; again is the same as once. NOT_FOUND where it was removed. */
  hide: (id: bigint, hidden: boolean, origin: Origin): Promise<void> =>
    db.tx(async (tx) => {
      const [row] = await tx.query(`SELECT ${columns} FROM comment WHERE id = ? FOR UPDATE`, [id]); // by_id
      const comment = row && commentOf(row);
      if (comment === undefined || comment.deleted) throw notFound("comment");
      if (comment.hidden === hidden) return tellPending(tx, commentName(id), comment.postId, origin);
      const version = comment.version + 1n;
      await tx.exec("UPDATE comment SET hidden = ?, version = ? WHERE post_id = ? AND id = ?", [
        Number(hidden),
        version,
        comment.postId,
        id,
      ]);
      await append(tx, [commentHidden({ ...comment, commentId: id, version, hidden }, origin)]);
    }),

  /** Removes a comment; again is the same as once. One that has replies stays as a stub until they are gone. */
  delete: ({ id, postId }: Pick<StoredComment, "id" | "postId">, origin: Origin): Promise<void> =>
    db.tx((tx) => removeComment(tx, { id, postId }, origin)),

  /** Sets who may comment on a post. */
  changeThread: (
    postId: bigint,
    change: Partial<Pick<Thread, "locked" | "repliers">>,
    origin: Origin,
  ): Promise<Changed> => changeThread(db, postId, change, origin),
});

const commentOf = (row: Row): StoredComment => ({
  id: bigintOf(row.id),
  postId: bigintOf(row.post_id),
  authorId: bigintOf(row.author_id),
  version: bigintOf(row.version),
  deleted: Number(row.deleted) === 1,
  stub: Number(row.stub) === 1,
  hidden: Number(row.hidden) === 1,
  parentId: bigintOf(row.parent_id),
  rootId: bigintOf(row.root_id),
  depth: Number(row.depth),
  text: String(row.text),
  facets: facetsIn(row.facets),
  media: mediaIn(row.media),
  createTime: row.create_time as Date,
  editTime: (row.edit_time as Date | null) ?? undefined,
});
