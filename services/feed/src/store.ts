import { shards, shareOf } from "#lib/storage/id.ts";
import { bigintOf, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";

import { advanceReadPosition, readPosition } from "./store/position.ts";

/** A fan-out and how far it is: followers up to `afterId` have the activity. */
export type FanoutTask = {
  readonly activityId: bigint;
  readonly authorId: bigint;
  readonly afterId: bigint;
  readonly traceparent: string;
  /** When the activity's fact was written; undefined where the task was made without one. */
  readonly publicMs: number | undefined;
  /** When its first page was begun. */
  readonly beginMs: number | undefined;
  /** Followers reached so far. */
  readonly followerCount: number;
  /** Pages this process has pushed of it. */
  readonly pages?: number;
};

/** A fan-out as it is remembered; without an end it is under way. */
export type FanoutRecord = Omit<FanoutTask, "activityId" | "authorId" | "afterId"> & {
  readonly endMs: number | undefined;
};

type Activity = Pick<FanoutTask, "activityId" | "authorId">;

/** A fan-out that nobody has begun. */
export const newTask = (activity: Activity): FanoutTask => ({
  ...activity,
  afterId: 0n,
  traceparent: "",
  publicMs: undefined,
  beginMs: undefined,
  followerCount: 0,
});

/** The share of work an author's tasks belong to: that of the author's facts. */
export const shardOf = (authorId: bigint): number => shareOf(authorId, shards);

/** Beyond, "this many" is all there is to know. */
const tasksCountMax = 10_000;

const pullAboveName = "pull_above";
/** Pushes of one post to so many cost Redis about a second; the same posts are a few reads more for those who look. */
const pullAboveDefault = 100_000;

export type FeedStore = ReturnType<typeof feedStore>;

export function feedStore(db: Statements) {
  return {
    /** Adds tasks; one that is there goes on where it is. */
    async addTasks(sql: Sql, tasks: readonly FanoutTask[]): Promise<void> {
      if (tasks.length === 0) return;
      await sql.exec(
        "INSERT IGNORE INTO fanout_task (shard, activity_id, author_id, after_id, traceparent, public_time) VALUES ?",
        [
          tasks.map(({ activityId, authorId, afterId, traceparent, publicMs }) => [
            shardOf(authorId),
            activityId,
            authorId,
            afterId,
            traceparent,
            timeParam(publicMs),
          ]),
        ],
      );
    },

    async tasksOf(held: ReadonlySet<number>, limit: number): Promise<FanoutTask[]> {
      if (held.size === 0) return [];
      const rows = await db.query(
        `SELECT ${taskColumns}, activity_id, author_id, after_id FROM fanout_task WHERE shard IN (?) ORDER BY activity_id LIMIT ${limit}`, // PRIMARY
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

    async keepProgress({ activityId, authorId, afterId, beginMs, followerCount }: FanoutTask): Promise<void> {
      await db.exec(
        "UPDATE fanout_task SET after_id = ?, begin_time = ?, follower_count = ? WHERE shard = ? AND activity_id = ?",
        [afterId, timeParam(beginMs), followerCount, shardOf(authorId), activityId],
      );
    },

    /** Ends tasks and remembers them; of one that is run again (a fact told again) the first run stays. */
    async finish(tasks: readonly (FanoutTask & { readonly endMs: number })[]): Promise<void> {
      if (tasks.length === 0) return;
      const ended = tasks.map(({ activityId, authorId, traceparent, publicMs, beginMs, endMs, followerCount }) => [
        shardOf(authorId),
        activityId,
        authorId,
        traceparent,
        timeParam(publicMs),
        timeParam(beginMs),
        timeParam(endMs),
        followerCount,
      ]);
      await Promise.all([
        db.exec(
          "INSERT IGNORE INTO fanout_done (shard, activity_id, author_id, traceparent, public_time, begin_time, end_time, follower_count) VALUES ?",
          [ended],
        ),
        db.exec("DELETE FROM fanout_task WHERE (shard, activity_id) IN (?)", [
          tasks.map(({ activityId, authorId }) => [shardOf(authorId), activityId]),
        ]),
      ]);
    },

    /** From how many followers on an author is pulled at read time instead of pushed. */
    async pullAbove(): Promise<number> {
      const [row] = await db.query("SELECT value FROM setting WHERE name = ?", [pullAboveName]); // PRIMARY
      return row === undefined ? pullAboveDefault : Number(row.value);
    },

    async setPullAbove(followers: number): Promise<void> {
      await db.exec("INSERT INTO setting (name, value) VALUES (?, ?) ON DUPLICATE KEY UPDATE value = VALUES(value)", [
        pullAboveName,
        followers,
      ]);
    },

    readPosition: (viewerId: bigint): Promise<bigint | undefined> => readPosition(db, viewerId),

    advanceReadPosition: (viewerId: bigint, activityId: bigint): Promise<bigint> =>
      advanceReadPosition(db, viewerId, activityId),

    fanout: (activity: Activity): Promise<FanoutRecord | undefined> => fanoutOf(db, activity),

    forgetDone: (beforeMs: number, limit: number): Promise<void> => forgetDone(db, beforeMs, limit),
  };
}

const taskColumns = "traceparent, public_time, begin_time, follower_count";

/** What is remembered of a fan-out; undefined where it is forgotten, or its fact was not heard yet. */
async function fanoutOf(db: Statements, { activityId, authorId }: Activity): Promise<FanoutRecord | undefined> {
  const one = [shardOf(authorId), activityId];
  const rows = await db.query(
    `SELECT ${taskColumns}, end_time FROM fanout_done WHERE shard = ? AND activity_id = ? UNION ALL SELECT ${taskColumns}, NULL FROM fanout_task WHERE shard = ? AND activity_id = ?`, // PRIMARY, PRIMARY
    [...one, ...one],
  );
  const row = rows.find(({ end_time }) => end_time !== null) ?? rows[0];
  return row && { ...recordOf(row), endMs: msOf(row.end_time) };
}

/** Forgets fan-outs that ended before a moment, oldest first. */
async function forgetDone(db: Statements, beforeMs: number, limit: number): Promise<void> {
  const rows = await db.query(
    `SELECT shard, activity_id FROM fanout_done WHERE end_time < ? ORDER BY end_time LIMIT ${limit}`, // by_end
    [new Date(beforeMs)],
  );
  if (rows.length === 0) return;
  await db.exec("DELETE FROM fanout_done WHERE (shard, activity_id) IN (?)", [
    rows.map(({ shard, activity_id }) => [Number(shard), bigintOf(activity_id)]),
  ]);
}

const taskOf = (row: Row): FanoutTask => ({
  activityId: bigintOf(row.activity_id),
  authorId: bigintOf(row.author_id),
  afterId: bigintOf(row.after_id),
  ...recordOf(row),
});

const recordOf = (row: Row) => ({
  traceparent: String(row.traceparent),
  publicMs: msOf(row.public_time),
  beginMs: msOf(row.begin_time),
  followerCount: Number(row.follower_count),
});

const msOf = (time: Row[string] | undefined): number | undefined => (time instanceof Date ? time.getTime() : undefined);

const timeParam = (ms: number | undefined): Date | null => (ms === undefined ? null : new Date(ms));
