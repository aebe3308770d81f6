import { Reaction, type SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import type { Event, Fact } from "#lib/events/outbox.ts";
import { withPending } from "#lib/events/pending.ts";
import type { Count } from "#lib/readmodel/count.ts";
import { bigintOf, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { changesIn, type Deltas, deltasOf, likeCountsChanged } from "../events.ts";

/** The column of each kind's count, likes first. */
const columnOf = {
  [Reaction.LIKE]: "like_count",
  [Reaction.DISLIKE]: "dislike_count",
  [Reaction.LOVE]: "love_count",
  [Reaction.LAUGH]: "laugh_count",
  [Reaction.WOW]: "wow_count",
  [Reaction.SAD]: "sad_count",
  [Reaction.ANGRY]: "angry_count",
  [Reaction.CELEBRATE]: "celebrate_count",
  [Reaction.FIRE]: "fire_count",
  [Reaction.THANKS]: "thanks_count",
} as const;

const kinds = Object.entries(columnOf).map(([kind, column]) => ({ kind: Number(kind) as Reaction, column }));
const others = kinds.filter(({ kind }) => kind !== Reaction.LIKE);
const columns = kinds.map(({ column }) => column).join(", ");
const added = kinds.map(({ column }) => `${column} = ${column} + VALUES(${column})`).join(", ");

/** Every way to react. */
export const reactionKinds: readonly Reaction[] = kinds.map(({ kind }) => kind);

/** How many react to each subject of one kind, with what the shards `late` have not folded; one that nobody ever reacted to is not there. */
export async function countsOf(
  db: Statements,
  kind: SubjectKind,
  ids: readonly bigint[],
  late: readonly number[] = [],
): Promise<Map<bigint, Count>> {
  const sql = `SELECT subject_id, version, ${columns} FROM like_count WHERE subject_id IN (?) AND subject_kind = ?`; // PRIMARY
  const params = [[0n, ...ids], kind];
  const { rows, pending } = await withPending(db, { sql, columns: 2 + kinds.length, params }, late);
  const found = new Map<bigint, Count>(rows.map((row) => [bigintOf(row.subject_id), countOf(row)]));
  for (const { subject, deltas } of deltasOf(changesIn(pending))) {
    if (subject.kind !== kind) continue;
    const { like, rest } = parted(deltas);
    const folded = found.get(subject.id) ?? { version: 0, value: 0 };
    found.set(subject.id, { ...folded, pending: like, ...(rest.size > 0 && { pendingOthers: rest }) });
  }
  return found;
}

/** Adds a batch's reactions to the counts and says what they are now. Runs once for each fact: numbering happens once. */
export async function foldLikeCounts(tx: Sql, events: readonly Event[]): Promise<Fact[]> {
  const changed = deltasOf(changesIn(events)).sort((a, b) => (a.subject.id < b.subject.id ? -1 : 1));
  if (changed.length === 0) return [];
  await tx.exec(
    `INSERT INTO like_count (subject_id, subject_kind, version, ${columns}) VALUES ? ON DUPLICATE KEY UPDATE ${added}, version = version + 1`,
    [
      changed.map(({ subject, deltas }) => [
        subject.id,
        subject.kind,
        1,
        ...kinds.map(({ kind }) => deltas.get(kind) ?? 0),
      ]),
    ],
  );
  const rows = await tx.query(
    `SELECT subject_id, subject_kind, version, ${columns} FROM like_count WHERE (subject_id, subject_kind) IN (?)`, // PRIMARY
    [changed.map(({ subject }) => [subject.id, subject.kind])],
  );
  return rows.map((row) =>
    likeCountsChanged({ kind: Number(row.subject_kind) as SubjectKind, id: bigintOf(row.subject_id) }, countOf(row)),
  );
}

function countOf(row: Row): Count {
  const some = others.flatMap(({ kind, column }) => {
    const n = Number(row[column]);
    return n === 0 ? [] : [[kind, n] as const];
  });
  const count = { version: Number(row.version), value: Number(row.like_count) };
  return some.length === 0 ? count : { ...count, others: new Map(some) };
}

/** Likes, and the rest. */
function parted(deltas: Deltas): { like: number; rest: ReadonlyMap<number, number> } {
  return {
    like: deltas.get(Reaction.LIKE) ?? 0,
    rest: new Map([...deltas].filter(([kind]) => kind !== Reaction.LIKE)),
  };
}
