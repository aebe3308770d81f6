import type { Log } from "#lib/mesh/log.ts";
import type { Loop } from "#lib/mesh/run.ts";
import type { Param, Sql, Statements } from "#lib/storage/mysql.ts";
import { events as eventsTotal } from "./backlog.ts";
import type { Delivered } from "./bus.ts";
import { type Leases, pause } from "./lease.ts";
import { type Event, eventColumns, eventOf } from "./outbox.ts";
import { isPassing } from "./poison.ts";
import { together } from "./spans.ts";

/** Facts of one aggregate that are applied again in one transaction. */
const replayBatchMax = 256;
/** Aggregates taken up by one look; the rest is found by the next, which follows at once. */
const lookMax = 100;
/** How long a replay that somebody asked for waits to be seen. */
const lookMs = 1_000;
/** A reason is a line for a person; what is longer is cut. */
const reasonMax = 500;

/** Sets facts aside; one that is there already stays as it is. */
export async function park(tx: Sql, noun: string, events: readonly Event[], reason: string): Promise<void> {
  if (events.length === 0) return;
  const rows: Param[][] = events.map(
    ({ aggregate, id, shard, version, type, payload, actor, traceparent, position }) => [
      ...[noun, aggregate, id, shard, version, type, Buffer.from(payload), reason.slice(0, reasonMax)],
      ...[actor, traceparent, position],
    ],
  );
  await tx.exec(
    "INSERT IGNORE INTO parked (stream, aggregate, id, shard, version, type, payload, reason, actor, traceparent, position) VALUES ?",
    [rows],
  );
}

/**
 * The parked aggregates of a batch. Their rows are locked, and so is a replay's: either it sees what this batch parks
 * behind them, or this batch comes after it and finds nothing parked. Where nothing is, nothing is locked.
 */
export async function parkedAmong(tx: Sql, noun: string, batch: readonly Delivered[]): Promise<ReadonlySet<string>> {
  const rows = await tx.query(
    "SELECT aggregate FROM parked WHERE stream = ? AND aggregate IN (?) FOR UPDATE", // PRIMARY
    [noun, [...new Set(batch.map(({ aggregate }) => aggregate))]],
  );
  return new Set(rows.map((row) => String(row.aggregate)));
}

type Options = {
  readonly noun: string;
  readonly db: Statements;
  readonly leases: Leases;
  readonly log: Log;
  readonly apply: (tx: Sql, events: readonly Delivered[]) => Promise<void>;
  readonly applied: (events: readonly Delivered[]) => void;
};

/**
 * Applies parked aggregates again once somebody marked them (`replay_time`): by the holder of their shard, in order of
 * version, through the consumer's own effects. One that fails again stays parked, without its mark and with its new
 * reason. A mark outlives everybody, so a replay goes on after any restart.
 */
export function replayParked(options: Options): Loop {
  return async (signal) => {
    while (!signal.aborted) {
      const found = await look(options, signal).catch((reason) => {
        if (!signal.aborted) options.log.warn("replay waits", { noun: options.noun, error: reason });
        return 0;
      });
      if (found < lookMax) await pause(lookMs, signal);
    }
  };
}

async function look(options: Options, signal: AbortSignal): Promise<number> {
  const { noun, db, leases } = options;
  const rows = await db.query(
    `SELECT aggregate FROM parked WHERE stream = ? AND replay_time IS NOT NULL AND shard IN (?) GROUP BY aggregate ORDER BY MIN(replay_time) LIMIT ${lookMax}`, // by_replay
    [noun, [-1, ...leases.held()]],
  );
  for (const { aggregate } of rows) {
    if (signal.aborted) break;
    await replay(options, String(aggregate));
  }
  return rows.length;
}

async function replay(options: Options, aggregate: string): Promise<void> {
  const { noun, log } = options;
  let atOnce = replayBatchMax;
  for (;;) {
    try {
      const replayed = await replayNext(options, aggregate, atOnce);
      if (replayed === 0) break;
      eventsTotal.inc({ stream: noun, result: "replayed" }, replayed);
    } catch (reason) {
      if (isPassing(reason)) throw reason;
      if (atOnce === 1) {
        log.error("still parked", { noun, aggregate, error: reason });
        return leaveParked(options, aggregate, reason instanceof Error ? reason.message : String(reason));
      }
      // What comes before the one that fails need not wait for it.
      atOnce = 1;
    }
  }
  log.info("replayed", { noun, aggregate });
}

/** Applies the oldest parked facts of an aggregate and takes them away, in one transaction. Answers how many. */
async function replayNext(options: Options, aggregate: string, limit: number): Promise<number> {
  const { noun, db, apply, applied } = options;
  const heard = await db.tx(async (tx) => {
    const rows = await tx.query(
      `SELECT ${eventColumns} FROM parked WHERE stream = ? AND aggregate = ? ORDER BY version LIMIT ${limit} FOR UPDATE`, // PRIMARY
      [noun, aggregate],
    );
    const events: Delivered[] = rows.map((row) => ({ ...eventOf(row), sequence: 0n, incarnation: 0 }));
    return together("hear", events, async (going) => {
      if (going.length === 0) return going;
      await apply(tx, going);
      await tx.exec("DELETE FROM parked WHERE stream = ? AND aggregate = ? AND id IN (?)", [
        noun,
        aggregate,
        going.map(({ id }) => id),
      ]);
      return going;
    });
  });
  if (heard.length > 0) applied(heard);
  return heard.length;
}

async function leaveParked({ noun, db }: Options, aggregate: string, reason: string): Promise<void> {
  await db.tx(async (tx) => {
    const [first] = await tx.query(
      "SELECT id FROM parked WHERE stream = ? AND aggregate = ? ORDER BY version LIMIT 1 FOR UPDATE", // PRIMARY
      [noun, aggregate],
    );
    if (first === undefined) return;
    await tx.exec(
      "UPDATE parked SET replay_time = NULL, reason = CASE id WHEN ? THEN ? ELSE reason END WHERE stream = ? AND aggregate = ?",
      [String(first.id), reason.slice(0, reasonMax), noun, aggregate],
    );
  });
}
