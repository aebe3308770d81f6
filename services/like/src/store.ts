import { Reaction, type SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import type { Count } from "#lib/readmodel/count.ts";
import type { SetState } from "#lib/readmodel/member-set.ts";
import { batched, type Wanted } from "#lib/storage/batch.ts";
import { bigintOf, type Statements } from "#lib/storage/mysql.ts";
import type { Subject } from "./events.ts";
import { countsOf, reactionKinds } from "./store/counts.ts";
import { type Liked, reactAll, type Wish } from "./store/react.ts";

/** One reaction of a list: its id is the sort key, latest first. */
export type Reacted = { readonly place: bigint; readonly userId: bigint; readonly reaction: Reaction };
/** A subject and how somebody reacts to it. */
export type Own = readonly [subjectId: bigint, reaction: Reaction];

/** One way, or all of them. */
const waysOf = (reaction: Reaction): readonly Reaction[] =>
  reaction === Reaction.UNSPECIFIED ? reactionKinds : [reaction];

/** The truth about likes and other reactions. */
export type LikeStore = ReturnType<typeof likeStore>;

export function likeStore(db: Statements) {
  const react = batched<Wish & Wanted, Liked>({
    what: "likes",
    db,
    work: reactAll,
  });

  return {
    /** Sets how somebody reacts. A run that was given up (`mustBeWanted`) must not set back what was set since. */
    react: (wish: Wish, mustBeWanted = () => {}): Promise<Liked> => react({ ...wish, mustBeWanted }),

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

    /** What a person reacts to in one way, or in any, latest reaction first: one range a way. */
    async listOwn(
      userId: bigint,
      kind: SubjectKind,
      reaction: Reaction,
      before: bigint | undefined,
      limit: number,
    ): Promise<{ place: bigint; id: bigint }[]> {
      const below = before === undefined ? "" : `AND like_id < ${before}`;
      const ways = waysOf(reaction);
      const range = (way: Reaction) =>
        `(SELECT like_id, subject_id FROM reaction WHERE user_id = ? AND subject_kind = ? AND reaction = ${way} ${below} ORDER BY like_id DESC LIMIT ${limit})`; // own_latest
      const rows = await db.query(
        `${ways.map(range).join(" UNION ALL ")} ORDER BY like_id DESC LIMIT ${limit}`,
        ways.flatMap(() => [userId, kind]),
      );
      return rows.map((row) => ({ place: bigintOf(row.like_id), id: bigintOf(row.subject_id) }));
    },

    /** The newest subjects a person reacts to, by id, as of one moment. */
    reactedSet: (userId: bigint, kind: SubjectKind, limit: number): Promise<SetState & { own: Own[] }> =>
      db.tx(async (tx) => {
        const [liker] = await tx.query("SELECT like_version FROM liker WHERE user_id = ? FOR UPDATE", [userId]);
        const rows = await tx.query(
          `SELECT subject_id, reaction FROM reaction WHERE user_id = ? AND subject_kind = ? AND reaction > 0 ORDER BY subject_id DESC LIMIT ${limit}`, // PRIMARY
          [userId, kind],
        );
        const own = rows.map((row): Own => [bigintOf(row.subject_id), Number(row.reaction) as Reaction]);
        const lowWatermark = own.length < limit ? 0n : (own.at(-1)?.[0] ?? 0n);
        return { version: bigintOf(liker?.like_version), lowWatermark, own };
      }),

    likeVersions: async (userIds: readonly bigint[]): Promise<Map<bigint, bigint>> => {
      const rows = await db.query("SELECT user_id, like_version FROM liker WHERE user_id IN (?)", [[0n, ...userIds]]);
      return new Map(rows.map((row) => [bigintOf(row.user_id), bigintOf(row.like_version)]));
    },

    /** How many react to each subject of one kind, with what the shards `late` have not folded; one that nobody ever reacted to is not there. */
    counts: (kind: SubjectKind, ids: readonly bigint[], late: readonly number[] = []): Promise<Map<bigint, Count>> =>
      countsOf(db, kind, ids, late),

    /** Who reacts to a subject in one way, or in any, latest first: one range a way. */
    async list(
      { kind, id }: Subject,
      reaction: Reaction,
      before: bigint | undefined,
      limit: number,
    ): Promise<Reacted[]> {
      const below = before === undefined ? "" : `AND like_id < ${before}`;
      const ways = waysOf(reaction);
      const range = (way: Reaction) =>
        `(SELECT like_id, user_id, reaction FROM reaction_of WHERE subject_id = ? AND subject_kind = ? AND reaction = ${way} ${below} ORDER BY like_id DESC LIMIT ${limit})`; // latest
      const rows = await db.query(
        `${ways.map(range).join(" UNION ALL ")} ORDER BY like_id DESC LIMIT ${limit}`,
        ways.flatMap(() => [id, kind]),
      );
      return rows.map((row) => ({
        place: bigintOf(row.like_id),
        userId: bigintOf(row.user_id),
        reaction: Number(row.reaction) as Reaction,
      }));
    },
  };
}
