import type { PostContent } from "#gen/skein/post/v1/content_pb.ts";
import { bigintOf, isDuplicate, type Param, type Sql, type Statements } from "#lib/storage/mysql.ts";

/** Options of one poll: as many as a row of counts has columns. */
export const optionsMax = 10;
/** Rows that share the count of one poll: so many votes are counted at once. */
const slots = 16n;

const columns = Array.from({ length: optionsMax }, (_, option) => `votes${option}`);

type Asking = { readonly id: bigint; readonly createTime: Date; readonly content?: PostContent | undefined };

/** How a poll stands. */
export type Standing = {
  readonly ended: boolean;
  readonly voters: number;
  /** By option. */
  readonly votes: readonly number[];
  /** What one person chose, in the order of the options; empty where they did not. */
  readonly own: readonly number[];
};

/** Opens the polls of posts, in the transaction that makes them public. */
export async function openPolls(tx: Sql, posts: readonly Asking[]): Promise<void> {
  const rows = posts.flatMap(({ id, createTime, content }) =>
    content?.poll === undefined ? [] : [[id, new Date(createTime.getTime() + content.poll.durationSeconds * 1_000)]],
  );
  if (rows.length > 0) await tx.exec("INSERT INTO poll (post_id, end_time) VALUES ?", [rows]);
}

export type PollStore = ReturnType<typeof pollStore>;

/** The truth about votes. */
export const pollStore = (db: Statements) => ({
  /** Counts a vote once; what was voted before stands, the same again is the same as once. */
  async vote(vote: Vote): Promise<"voted" | "voted-otherwise" | "ended"> {
    try {
      return await db.tx((tx) => cast(tx, vote));
    } catch (reason) {
      if (!isDuplicate(reason)) throw reason;
      // Somebody who sends the same at the same moment was first: theirs stands.
      return await db.tx((tx) => cast(tx, vote));
    }
  },

  /** How some polls stand, and what a person chose; a post without one is not there. Three reads, whatever their number. */
  async standings(postIds: readonly bigint[], userId: bigint | undefined): Promise<Map<bigint, Standing>> {
    if (postIds.length === 0) return new Map();
    const sums = ["voters", ...columns].map((column) => `SUM(${column}) AS ${column}`).join(", ");
    const [polls, counts, own] = await Promise.all([
      db.query("SELECT post_id, end_time <= NOW(3) AS ended FROM poll WHERE post_id IN (?)", [postIds]), // PRIMARY
      db.query(`SELECT post_id, ${sums} FROM poll_count WHERE post_id IN (?) GROUP BY post_id`, [postIds]), // PRIMARY
      userId === undefined
        ? []
        : db.query("SELECT post_id, options FROM poll_vote WHERE post_id IN (?) AND user_id = ?", [postIds, userId]), // PRIMARY
    ]);
    const countOf = new Map(counts.map((row) => [bigintOf(row.post_id), row]));
    const ownOf = new Map(own.map((row) => [bigintOf(row.post_id), chosenIn(Number(row.options))]));
    return new Map(
      polls.map((row) => {
        const postId = bigintOf(row.post_id);
        const count = countOf.get(postId);
        const votes = columns.map((column) => Number(count?.[column] ?? 0));
        const standing = { ended: Number(row.ended) === 1, voters: Number(count?.voters ?? 0), votes };
        return [postId, { ...standing, own: ownOf.get(postId) ?? [] }];
      }),
    );
  },
});

type Vote = { readonly postId: bigint; readonly userId: bigint; readonly options: readonly number[] };

async function cast(tx: Sql, { postId, userId, options }: Vote): Promise<"voted" | "voted-otherwise" | "ended"> {
  const bits = options.reduce((sum, option) => sum | (1 << option), 0);
  const [before] = await tx.query("SELECT options FROM poll_vote WHERE post_id = ? AND user_id = ?", [postId, userId]); // PRIMARY
  if (before !== undefined) return Number(before.options) === bits ? "voted" : "voted-otherwise";
  const [poll] = await tx.query("SELECT end_time > NOW(3) AS open FROM poll WHERE post_id = ?", [postId]); // PRIMARY
  if (Number(poll?.open) !== 1) return "ended";
  await tx.exec("INSERT INTO poll_vote (post_id, user_id, options) VALUES (?, ?, ?)", [postId, userId, bits]);
  const added = columns.map((column) => `${column} = ${column} + VALUES(${column})`).join(", ");
  const row: Param[] = [postId, userId % slots, 1, ...columns.map((_, option) => (bits >> option) & 1)];
  await tx.exec(
    `INSERT INTO poll_count (post_id, slot, voters, ${columns.join(", ")}) VALUES (?)
     ON DUPLICATE KEY UPDATE voters = voters + VALUES(voters), ${added}`,
    [row],
  );
  return "voted";
}

const chosenIn = (bits: number): number[] =>
  Array.from({ length: optionsMax }, (_, option) => option).filter((option) => (bits >> option) & 1);
