import { Code } from "@connectrpc/connect";
import { append, type Origin } from "#lib/events/outbox.ts";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { newId, shards, shareOf, timeOf } from "#lib/storage/id.ts";
import { hashOf, type Keyed, keptUnder, keyRow, madeUnder } from "#lib/storage/idempotency.ts";
import { bigintOf, isDuplicate, type Param, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { draftChanged, type PostChange } from "../events.ts";
import { contentBytes, contentIn, mediaIdsIn, type Written } from "./content.ts";
import { type Publishing, publishAll } from "./publish.ts";

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
  /** How often it was changed, from 1. */
  readonly version: number;
  readonly createTime: Date;
  readonly editTime: Date;
};

type Ref = Pick<StoredDraft, "id" | "authorId">;

const columns =
  "author_id, draft_id, text, content, audience, reply_setting, named_ids, publish_time, create_time, edit_time, version";

export type DraftStore = ReturnType<typeof draftStore>;

/** The truth about drafts and schedules. */
export function draftStore(db: Statements, publishing: Publishing) {
  return {
    /** Keeps a draft once for its key. RESOURCE_EXHAUSTED where the author has as many as one may have. */
    async create(drafted: Drafted, keyed: Keyed, origin: Origin): Promise<{ draft: StoredDraft; replayed: boolean }> {
      const { authorId } = keyed;
      const time = new Date();
      const draft = { ...drafted, id: newId(), authorId, version: 1, createTime: time, editTime: time };
      try {
        await db.tx((tx) => insert(tx, draft, keyed, origin));
        return { draft, replayed: false };
      } catch (reason) {
        if (!isDuplicate(reason)) throw reason;
        const id = await madeUnder(db, keyed, "post_id");
        const found = await find(db, { id, authorId });
        if (found === undefined) throw notFound("draft");
        return { draft: found, replayed: true };
      }
    },

    /** What a key made before; NOT_FOUND where that is gone, undefined where it made nothing. */
    async made(keyed: Keyed): Promise<StoredDraft | undefined> {
      const id = await keptUnder(db, keyed, "post_id");
      if (id === undefined) return undefined;
      const found = await find(db, { id, authorId: keyed.authorId });
      if (found === undefined) throw notFound("draft");
      return found;
    },

    /** Changes a draft, and its place in the schedule, in the transaction that locks it. NOT_FOUND where there is none. */
    update: (ref: Ref, change: (current: StoredDraft) => Drafted, origin: Origin): Promise<StoredDraft> =>
      db.tx(async (tx) => {
        const current = await find(tx, ref, "FOR UPDATE");
        if (current === undefined) throw notFound("draft");
        const draft = { ...current, ...change(current), version: current.version + 1, editTime: new Date() };
        await tx.exec(
          "UPDATE draft SET text = ?, content = ?, audience = ?, reply_setting = ?, named_ids = ?, publish_time = ?, edit_time = ?, version = ? WHERE author_id = ? AND draft_id = ?",
          [...saidOf(draft), draft.editTime, draft.version, ref.authorId, ref.id],
        );
        await reschedule(tx, current, draft.publishTime);
        await tellMedia(tx, current, draft, origin);
        return draft;
      }),

    /** Removes a draft; again is the same as once. */
    delete: (ref: Ref, origin: Origin): Promise<void> =>
      db.tx(async (tx) => {
        const current = await find(tx, ref, "FOR UPDATE");
        if (current === undefined) return;
        await remove(tx, current);
        await tellMedia(tx, current, { ...current, content: undefined, version: current.version + 1 }, origin);
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
     * once whoever tries. Undefined where there is no such draft, or where it must be due by a time and is not. Where it quotes
     * `unseenId`, the slot is empty.
     */
    publish: (ref: Ref, origin: Origin, { dueBy, unseenId }: Whether = {}): Promise<PostChange | undefined> =>
      db.tx((tx) => publishDraft(tx, ref, { origin, dueBy, unseenId, publishing })),

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

async function insert(tx: Sql, draft: StoredDraft, keyed: Keyed, origin: Origin): Promise<void> {
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
    [authorId, id, ...saidOf(draft), createTime, draft.editTime, draft.version],
  ]);
  await schedule(tx, { id, authorId }, publishTime);
  await tellMedia(tx, { content: undefined }, draft, origin);
}

type Whether = { readonly dueBy?: Date | undefined; readonly unseenId?: bigint | undefined };
type Going = Whether & { readonly origin: Origin; readonly publishing: Publishing };

async function publishDraft(
  tx: Sql,
  ref: Ref,
  { origin, dueBy, unseenId, publishing }: Going,
): Promise<PostChange | undefined> {
  const draft = await find(tx, ref, "FOR UPDATE");
  if (draft === undefined) return undefined;
  const { publishTime } = draft;
  if (dueBy !== undefined && (publishTime === undefined || publishTime > dueBy)) return undefined;
  const id = newId();
  const key = keyOfDraft(draft.id);
  const createTime = new Date(timeOf(id));
  const isQuoteDetached = unseenId !== undefined && draft.content?.quotedPostId === unseenId;
  const post = { ...draft, id, key, mentionedIds: draft.namedIds, createTime, origin, isQuoteDetached };
  const [change] = await publishAll(tx, [post], publishing);
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

/** Tells which media a draft has, where they are others than before. */
async function tellMedia(
  tx: Sql,
  before: Pick<StoredDraft, "content">,
  draft: StoredDraft,
  origin: Origin,
): Promise<void> {
  const [had, has] = [mediaIdsIn(before.content), mediaIdsIn(draft.content)];
  if (had.join() !== has.join()) await append(tx, [draftChanged(draft, has, origin)]);
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
  version: Number(row.version),
});

function packed(ids: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(8 * ids.length);
  for (const [nth, id] of ids.entries()) bytes.writeBigUInt64BE(id, 8 * nth);
  return bytes;
}

const unpacked = (bytes: Buffer): bigint[] =>
  Array.from({ length: bytes.length / 8 }, (_, nth) => bytes.readBigUInt64BE(8 * nth));
