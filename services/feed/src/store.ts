import { shards } from "#lib/events/lease.ts";
import { shareOf } from "#lib/storage/id.ts";
import { bigintOf, type Db, type Row, type Sql } from "#lib/storage/mysql.ts";

/** A fan-out and how far it is: followers up to `afterId` have the activity. */
export type FanoutTask = {
  readonly activityId: bigint;
  readonly authorId: bigint;
  readonly afterId: bigint;
  readonly traceparent: string;
  /** Pages this process has pushed of it. */
  readonly pages?: number;
};

/** The share of work an author's tasks belong to: that of the author's facts. */
export const shardOf = (authorId: bigint): number => shareOf(authorId, shards);

/** Beyond, "this many" is all there is to know. */
const tasksCountMax = 10_000;

export type FeedStore = ReturnType<typeof feedStore>;

export function feedStore(db: Db) {
  return {
    /** Adds tasks; one that is there goes on where it is. */
    async addTasks(sql: Sql, tasks: readonly FanoutTask[]): Promise<void> {
      if (tasks.length === 0) return;
      await sql.exec("INSERT IGNORE INTO fanout_task (shard, activity_id, author_id, after_id, traceparent) VALUES ?", [
        tasks.map(({ activityId, authorId, afterId, traceparent }) => [
          shardOf(authorId),
          activityId,
          authorId,
          afterId,
          traceparent,
        ]),
      ]);
    },

    async tasksOf(held: ReadonlySet<number>, limit: number): Promise<FanoutTask[]> {
      if (held.size === 0) return [];
      const rows = await db.query(
        `SELECT activity_id, author_id, after_id, traceparent FROM fanout_task WHERE shard IN (?) ORDER BY activity_id LIMIT ${limit}`, // PRIMARY
        [[...held]],
      );
      return rows.map(taskOf);
    },

    /** How many there are in some shards, as far as `tasksCountMax`. */
    async countTasks(held: ReadonlySet<number>): Promise<number> {
      const [row] = await db.query(
        `SELECT COUNT(*) AS n FROM (SELECT 1 FROM fanout_task WHERE shard IN (?) LIMIT ${tasksCountMax}) AS some`, // PRIMARY
        [[-1, ...held]],
      );
      return Number(row?.n);
    },

    async keepProgress({ activityId, authorId, afterId }: FanoutTask): Promise<void> {
      await db.exec("UPDATE fanout_task SET after_id = ? WHERE shard = ? AND activity_id = ?", [
        afterId,
        shardOf(authorId),
        activityId,
      ]);
    },

    async finish(tasks: readonly FanoutTask[]): Promise<void> {
      if (tasks.length === 0) return;
      await db.exec("DELETE FROM fanout_task WHERE (shard, activity_id) IN (?)", [
        tasks.map(({ activityId, authorId }) => [shardOf(authorId), activityId]),
      ]);
    },
  };
}

const taskOf = (row: Row): FanoutTask => ({
  activityId: bigintOf(row.activity_id),
  authorId: bigintOf(row.author_id),
  afterId: bigintOf(row.after_id),
  traceparent: String(row.traceparent),
});
