import type { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { append, type Event, type Origin } from "#lib/events/outbox.ts";
import { withPending } from "#lib/events/pending.ts";
import type { Count } from "#lib/readmodel/count.ts";
import type { SetState } from "#lib/readmodel/member-set.ts";
import { batched, type Wanted } from "#lib/storage/batch.ts";
import { bigintOf, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { changesIn, deltasOf, likeCountsChanged, type Subject } from "./events.ts";
import { type Liked, reactAll, type Wish } from "./store/react.ts";

/** One like of a list: its id is the sort key, latest first. */
export type Like = { readonly place: bigint; readonly userId: bigint };
/** The truth about likes. */
export type LikeStore = ReturnType<typeof likeStore>;

export function likeStore(db: Statements) {
  const react = batched<Wish & Wanted, Liked>({
    what: "likes",
    db,
    work: reactAll,
  });

  return {
    /** Sets how somebody reacts. A run that was given up (`mustBeWanted`) must not set back what was set since. */
    react: (
      userId: bigint,
      subject: Subject,
      reaction: Reaction,
      origin: Origin,
      mustBeWanted = () => {},
    ): Promise<Liked> => react({ userId, subject, reaction, origin, mustBeWanted }),

    /** Whether a person ever reacted to a subject, also where that was taken back. */
    async hasReacted(userId: bigint, { kind, id }: Subject): Promise<boolean> {
      const found = await db.query(
        "SELECT 1 FROM reaction WHERE user_id = ? AND subject_kind = ? AND subject_id = ?", // PRIMARY
        [userId, kind, id],
      );
      return found.length > 0;
    },

    /** How a person reacts to some subjects of one kind: those without a reaction are not in the map. */
    async own(userId: bigint, kind: SubjectKind, ids: readonly bigint[]): Promise<Map<bigint, Reaction>> {
      const rows = await db.query(
        "SELECT subject_id, reaction FROM reaction WHERE user_id = ? AND subject_kind = ? AND subject_id IN (?) AND reaction > 0",
        [userId, kind, [0n, ...ids]],
      );
      return new Map(rows.map((row) => [bigintOf(row.subject_id), Number(row.reaction) as Reaction]));
    },

    /** The newest subjects a person likes, by id, as of one moment. */
    likedSet: (userId: bigint, kind: SubjectKind, limit: number): Promise<SetState & { ids: bigint[] }> =>
      db.tx(async (tx) => {
        const [liker] = await tx.query("SELECT like_version FROM liker WHERE user_id = ? FOR UPDATE", [userId]);
        const rows = await tx.query(
          `SELECT subject_id FROM reaction WHERE user_id = ? AND subject_kind = ? AND reaction = 1 ORDER BY subject_id DESC LIMIT ${limit}`, // PRIMARY
          [userId, kind],
        );
        const ids = rows.map((row) => bigintOf(row.subject_id));
        const lowWatermark = ids.length < limit ? 0n : (ids.at(-1) ?? 0n);
        return { version: bigintOf(liker?.like_version), lowWatermark, ids };
      }),

    likeVersions: async (userIds: readonly bigint[]): Promise<Map<bigint, bigint>> => {
      const rows = await db.query("SELECT user_id, like_version FROM liker WHERE user_id IN (?)", [[0n, ...userIds]]);
      return new Map(rows.map((row) => [bigintOf(row.user_id), bigintOf(row.like_version)]));
    },

    /** How many like each subject of one kind, with what the shards `late` have not folded; one nobody ever liked is not there. */
    counts: (kind: SubjectKind, ids: readonly bigint[], late: readonly number[] = []): Promise<Map<bigint, Count>> =>
      counts(db, kind, ids, late),

    /** Who likes a subject, latest first. */
    async list({ kind, id }: Subject, before: bigint | undefined, limit: number): Promise<Like[]> {
      const below = before === undefined ? "" : `AND like_id < ${before}`;
      const rows = await db.query(
        `SELECT like_id, user_id FROM reaction_of WHERE subject_id = ? AND subject_kind = ? AND reaction = 1 ${below} ORDER BY like_id DESC LIMIT ${limit}`, // latest
        [id, kind],
      );
      return rows.map((row) => ({ place: bigintOf(row.like_id), userId: bigintOf(row.user_id) }));
    },
  };
}

async function counts(
  db: Statements,
  kind: SubjectKind,
  ids: readonly bigint[],
  late: readonly number[],
): Promise<Map<bigint, Count>> {
  const sql = "SELECT subject_id, like_count, version FROM like_count WHERE subject_id IN (?) AND subject_kind = ?";
  const { rows, pending } = await withPending(db, { sql, columns: 3, params: [[0n, ...ids], kind] }, late);
  const countOf = (row: Row) => ({ version: Number(row.version), value: Number(row.like_count) });
  const found = new Map<bigint, Count>(rows.map((row) => [bigintOf(row.subject_id), countOf(row)]));
  for (const { subject, delta } of deltasOf(changesIn(pending))) {
    if (subject.kind === kind)
      found.set(subject.id, { version: 0, value: 0, ...found.get(subject.id), pending: delta });
  }
  return found;
}

/** Adds a batch's likes to the counts and says what they are now. Runs once for each fact: numbering happens once. */
export async function foldLikeCounts(tx: Sql, events: readonly Event[]): Promise<void> {
  const deltas = deltasOf(changesIn(events)).sort((a, b) => (a.subject.id < b.subject.id ? -1 : 1));
  if (deltas.length === 0) return;
  await tx.exec(
    "INSERT INTO like_count (subject_id, subject_kind, like_count, version) VALUES ? ON DUPLICATE KEY UPDATE like_count = like_count + VALUES(like_count), version = version + 1",
    [deltas.map(({ subject, delta }) => [subject.id, subject.kind, delta, 1])],
  );
  const rows = await tx.query(
    "SELECT subject_id, subject_kind, like_count, version FROM like_count WHERE (subject_id, subject_kind) IN (?)",
    [deltas.map(({ subject }) => [subject.id, subject.kind])],
  );
  await append(
    tx,
    rows.map((row) => {
      const subject = { kind: Number(row.subject_kind) as SubjectKind, id: bigintOf(row.subject_id) };
      return likeCountsChanged(subject, bigintOf(row.like_count), bigintOf(row.version));
    }),
  );
}
