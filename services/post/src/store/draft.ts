import { Code } from "@connectrpc/connect";
import type { Origin } from "#lib/events/outbox.ts";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { newId, shards, shareOf, timeOf } from "#lib/storage/id.ts";
import { hashOf, type Keyed, keyRow, madeUnder } from "#lib/storage/idempotency.ts";
import { bigintOf, isDuplicate, type Param, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import type { PostChange } from "../events.ts";
import { contentBytes, contentIn, type Written } from "./content.ts";
import { publishAll } from "./publish.ts";

/** Drafts of one author, scheduled posts among them. */
const draftsMax = 100;

/** What a draft says of the post it is to be. */
export type Drafted = Written & {
  readonly audience: number;
  readonly replySetting: number;
  /** Whom it names beside its text. */
  readonly namedIds: readonly bigint[];
  /** When it becomes public by itself; undefined where it does not. */
  readonly publishTime: Date | undefined;
};

export type StoredDraft = Drafted & {
  readonly id: bigint;
  readonly authorId: bigint;
  readonly createTime: Date;
  readonly editTime: Date;
};

type Ref = Pick<StoredDraft, "id" | "authorId">;

const columns =
  "author_id, draft_id, text, content, audience, reply_setting, named_ids, publish_time, create_time, edit_time";

export type DraftStore = ReturnType<typeof draftStore>;

/** The truth about drafts and schedules. */
export function draftStore(db: Statements) {
  return {
    /** Keeps a draft once for its key. RESOURCE_EXHAUSTED where the author has as many as one may have. */
    async create(drafted: Drafted, keyed: Keyed): Promise<{ draft: StoredDraft; replayed: boolean }> {
      const { authorId } = keyed;
      const time = new Date();
      const draft = { ...drafted, id: newId(), authorId, createTime: time, editTime: time };
      try {
        await db.tx((tx) => insert(tx, draft, keyed));
        return { draft, replayed: false };
      } catch (reason) {
        if (!isDuplicate(reason)) throw reason;
        const id = await madeUnder(db, keyed, "post_id");
        const found = await find(db, { id, authorId });
        if (found === undefined) throw notFound("draft");
        return { draft: found, replayed: true };
      }
    },

    /** Changes a draft, and its place in the schedule, in the transaction that locks it. NOT_FOUND where there is none. */
    update: (ref: Ref, change: (current: StoredDraft) => Drafted): Promise<StoredDraft> =>
      db.tx(async (tx) => {
        const current = await find(tx, ref, "FOR UPDATE");
        if (current === undefined) throw notFound("draft");
        const draft = { ...current, ...change(current), editTime: new Date() };
        await tx.exec(
          "UPDATE draft SET text = ?, content = ?, audience = ?, reply_setting = ?, named_ids = ?, publish_time = ?, edit_time = ? WHERE author_id = ? AND draft_id = ?",
          [...saidOf(draft), draft.editTime, ref.authorId, ref.id],
        );
        await reschedule(tx, current, draft.publishTime);
        return draft;
      }),

    /** Removes a draft; again is the same as once. */
    delete: (ref: Ref): Promise<void> =>
      db.tx(async (tx) => {
        const current = await find(tx, ref, "FOR UPDATE");
        if (current !== undefined) await remove(tx, current);
      }),

    /** An author's drafts below one, newest first. */
    async list(authorId: bigint, before: bigint | undefined, limit: number): Promise<StoredDraft[]> {
      const below = before === undefined ? "" : `AND draft_id < ${before}`;
      const rows = await db.query(
        `SELECT ${columns} FROM draft WHERE author_id = ? ${below} ORDER BY draft_id DESC LIMIT ${limit}`, // PRIMARY
        [authorId],
      );
      return rows.map(draftOf);
    },

    find: (ref: Ref): Promise<StoredDraft | undefined> => find(db, ref),

    /** The post a draft became; undefined where it became none. */
    async published({ id, authorId }: Ref): Promise<bigint | undefined> {
      const [row] = await db.query("SELECT post_id FROM idempotency WHERE user_id = ? AND key_hash = ?", [
        authorId,
        hashOf(keyOfDraft(id)),
      ]); // PRIMARY
      return row && bigintOf(row.post_id);
    },

    /**
     * Makes a draft public: post, fact and the end of the draft commit together, under a key of the draft's own, so it happens
     * once whoever tries. Undefined where there is no such draft, or where it must be due by a time and is not.
     */
    publish: (ref: Ref, origin: Origin, dueBy?: Date): Promise<PostChange | undefined> =>
      db.tx((tx) => publishDraft(tx, ref, origin, dueBy)),

    /** Scheduled posts of some shards that are due, the longest due first in each. */
    async due(of: readonly number[], time: Date, limit: number): Promise<(Ref & { readonly dueTime: Date })[]> {
      if (of.length === 0) return [];
      const rows = await db.query(
        `SELECT author_id, draft_id, due_time FROM schedule WHERE shard IN (?) AND due_time <= ? ORDER BY due_time LIMIT ${limit}`, // PRIMARY
        [of, time],
      );
      return rows.map((row) => ({
        id: bigintOf(row.draft_id),
        authorId: bigintOf(row.author_id),
        dueTime: row.due_time as Date,
      }));
    },

    /** Looks at a schedule again no sooner than at a time. */
    postpone: ({ id, authorId }: Ref, time: Date): Promise<number> =>
      db.exec("UPDATE schedule SET due_time = ? WHERE shard = ? AND draft_id = ?", [time, shardOf(authorId), id]), // by_draft
  };
}

/** No client's key has a space in it. */
const keyOfDraft = (id: bigint): string => `draft ${id}`;
const shardOf = (authorId: bigint): number => shareOf(authorId, shards);

async function insert(tx: Sql, draft: StoredDraft, keyed: Keyed): Promise<void> {
  const { id, authorId, publishTime, createTime } = draft;
  await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, post_id) VALUES (?)", [keyRow(keyed, id)]);
  await tx.exec(
    "INSERT INTO draft_count (author_id, drafts) VALUES (?, 1) ON DUPLICATE KEY UPDATE drafts = drafts + 1",
    [authorId],
  );
  const [count] = await tx.query("SELECT drafts FROM draft_count WHERE author_id = ?", [authorId]); // PRIMARY
  if (Number(count?.drafts) > draftsMax) {
    throw problem(Code.ResourceExhausted, "too-many-drafts", `you have ${draftsMax} drafts, as many as there may be`);
  }
  await tx.exec(`INSERT INTO draft (${columns}) VALUES (?)`, [
    [authorId, id, ...saidOf(draft), createTime, draft.editTime],
  ]);
  await schedule(tx, { id, authorId }, publishTime);
}

async function publishDraft(tx: Sql, ref: Ref, origin: Origin, dueBy?: Date): Promise<PostChange | undefined> {
  const draft = await find(tx, ref, "FOR UPDATE");
  if (draft === undefined) return undefined;
  const { publishTime } = draft;
  if (dueBy !== undefined && (publishTime === undefined || publishTime > dueBy)) return undefined;
  const id = newId();
  const key = keyOfDraft(draft.id);
  const createTime = new Date(timeOf(id));
  const [change] = await publishAll(tx, [{ ...draft, id, key, mentionedIds: draft.namedIds, createTime, origin }]);
  await remove(tx, draft);
  return change;
}

async function find(sql: Sql, { id, authorId }: Ref, lock = ""): Promise<StoredDraft | undefined> {
  const [row] = await sql.query(`SELECT ${columns} FROM draft WHERE author_id = ? AND draft_id = ? ${lock}`, [
    authorId,
    id,
  ]); // PRIMARY
  return row && draftOf(row);
}

async function remove(tx: Sql, draft: StoredDraft): Promise<void> {
  const { id, authorId } = draft;
  await reschedule(tx, draft, undefined);
  await tx.exec("DELETE FROM draft WHERE author_id = ? AND draft_id = ?", [authorId, id]);
  await tx.exec("UPDATE draft_count SET drafts = drafts - 1 WHERE author_id = ?", [authorId]);
}

async function reschedule(tx: Sql, draft: StoredDraft, publishTime: Date | undefined): Promise<void> {
  if (draft.publishTime?.getTime() === publishTime?.getTime()) return;
  const { id, authorId } = draft;
  // By the draft, not by the time: it may have been postponed.
  if (draft.publishTime !== undefined) {
    await tx.exec("DELETE FROM schedule WHERE shard = ? AND draft_id = ?", [shardOf(authorId), id]); // by_draft
  }
  await schedule(tx, draft, publishTime);
}

async function schedule(tx: Sql, { id, authorId }: Ref, publishTime: Date | undefined): Promise<void> {
  if (publishTime === undefined) return;
  await tx.exec("INSERT INTO schedule (shard, due_time, draft_id, author_id) VALUES (?, ?, ?, ?)", [
    shardOf(authorId),
    publishTime,
    id,
    authorId,
  ]);
}

const saidOf = ({ text, content, audience, replySetting, namedIds, publishTime }: Drafted): Param[] => [
  text,
  contentBytes(content),
  audience,
  replySetting,
  packed(namedIds),
  publishTime ?? null,
];

const draftOf = (row: Row): StoredDraft => ({
  id: bigintOf(row.draft_id),
  authorId: bigintOf(row.author_id),
  text: String(row.text),
  content: contentIn(row.content),
  audience: Number(row.audience),
  replySetting: Number(row.reply_setting),
  namedIds: unpacked(row.named_ids as Buffer),
  publishTime: (row.publish_time as Date | null) ?? undefined,
  createTime: row.create_time as Date,
  editTime: row.edit_time as Date,
});

function packed(ids: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(8 * ids.length);
  for (const [nth, id] of ids.entries()) bytes.writeBigUInt64BE(id, 8 * nth);
  return bytes;
}

const unpacked = (bytes: Buffer): bigint[] =>
  Array.from({ length: bytes.length / 8 }, (_, nth) => bytes.readBigUInt64BE(8 * nth));
