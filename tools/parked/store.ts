import { bigintOf, type Db, isNoDatabase, openMysql, type Param, type Row, type Sql } from "#lib/storage/mysql.ts";
import { services } from "../launcher/kinds.ts";
import type { Stores } from "../stores.ts";

/** Which parked events are meant; what is left out means any. */
export type Filter = {
  readonly service?: string | undefined;
  readonly stream?: string | undefined;
  readonly aggregate?: string | undefined;
  readonly type?: string | undefined;
  readonly id?: bigint | undefined;
  readonly sinceMs?: number | undefined;
};

export type ParkedEvent = {
  /** Who could not apply it. */
  readonly service: string;
  readonly stream: string;
  readonly aggregate: string;
  readonly id: bigint;
  readonly version: bigint;
  readonly type: string;
  readonly reason: string;
  readonly parkTime: Date;
  /** When somebody asked for its replay; undefined where nobody did, or it failed again since. */
  readonly replayTime: Date | undefined;
  readonly actor: bigint;
  /** 32 hex digits; empty where the event has no trace. */
  readonly traceId: string;
  readonly payload: Buffer;
};

/** A key of what is replayed as one. */
export type Aggregate = Pick<ParkedEvent, "service" | "stream" | "aggregate">;

const columns =
  "stream, aggregate, id, version, type, reason, park_time, replay_time, actor, traceparent, payload" as const;
const droppedColumns =
  "stream, aggregate, id, shard, version, type, payload, reason, park_time, actor, traceparent, position" as const;
/** Events that one transaction drops. */
const dropMax = 500;

export type ParkedStore = ReturnType<typeof openParked>;

/** The parked events of every service that consumes, read and marked where they are: in the consumer's own schema. */
export function openParked({ mysqlUrl, deployment }: Pick<Stores, "mysqlUrl" | "deployment">) {
  const dbs = new Map(
    services.map((service) => [service as string, openMysql({ url: mysqlUrl, database: `${deployment}_${service}` })]),
  );
  const dbOf = (service: string): Db => dbs.get(service) as Db;

  async function inEach<T>(filter: Filter, ask: (db: Db, service: string) => Promise<T[]>): Promise<T[]> {
    const meant = [...dbs].filter(([service]) => filter.service === undefined || filter.service === service);
    // A service that never ran here has nothing parked.
    const asked = meant.map(([service, db]) =>
      ask(db, service).catch((reason) => (isNoDatabase(reason) ? [] : Promise.reject(reason))),
    );
    return (await Promise.all(asked)).flat();
  }

  return {
    /** The oldest first, in order of version within an aggregate, `limit` a service at most. */
    list: (filter: Filter, limit: number): Promise<ParkedEvent[]> =>
      inEach(filter, async (db, service) => {
        const { where, params } = whereOf(filter);
        const sql = `SELECT ${columns} FROM parked WHERE ${where} ORDER BY park_time, aggregate, version LIMIT ${limit}`; // PRIMARY
        return (await db.query(sql, params)).map((row) => eventOf(service, row));
      }),

    /** How many there are for each reason, the commonest first. */
    async counts(filter: Filter) {
      const { where, params } = whereOf(filter);
      const sql = `SELECT stream, type, reason, COUNT(*) AS n, COUNT(DISTINCT aggregate) AS aggregates FROM parked WHERE ${where} GROUP BY stream, type, reason`; // PRIMARY
      const rows = await inEach(filter, async (db, service) =>
        (await db.query(sql, params)).map((row) => ({
          service,
          stream: String(row.stream),
          type: String(row.type),
          reason: String(row.reason),
          events: Number(row.n),
          aggregates: Number(row.aggregates),
        })),
      );
      return rows.sort((a, b) => b.events - a.events);
    },

    /** The aggregates that have such an event, those that were parked first at the front. */
    aggregates: (filter: Filter): Promise<Aggregate[]> =>
      inEach(filter, async (db, service) => {
        const { where, params } = whereOf(filter);
        const sql = `SELECT stream, aggregate FROM parked WHERE ${where} GROUP BY stream, aggregate ORDER BY MIN(park_time), aggregate`; // PRIMARY
        const rows = await db.query(sql, params);
        return rows.map((row) => ({ service, stream: String(row.stream), aggregate: String(row.aggregate) }));
      }),

    /** Asks the consumer to replay an aggregate. Answers how many events wait. */
    mark: ({ service, stream, aggregate }: Aggregate): Promise<number> =>
      dbOf(service).exec("UPDATE parked SET replay_time = NOW(3) WHERE stream = ? AND aggregate = ?", [
        stream,
        aggregate,
      ]),

    /** How an aggregate stands: the events left, whether they still wait for their replay, and why the first is parked. */
    async look({ service, stream, aggregate }: Aggregate) {
      const rows = await dbOf(service).query(
        "SELECT reason, replay_time FROM parked WHERE stream = ? AND aggregate = ? ORDER BY version", // PRIMARY
        [stream, aggregate],
      );
      return {
        left: rows.length,
        waits: rows.some(({ replay_time }) => replay_time !== null),
        reason: String(rows[0]?.reason ?? ""),
      };
    },

    /** Gives events up. Each is kept whole in `parked_dropped`, with who and why. Answers how many. */
    async drop(events: readonly ParkedEvent[], by: string, why: string): Promise<number> {
      let dropped = 0;
      for (const service of new Set(events.map((event) => event.service))) {
        const own = events.filter((event) => event.service === service);
        for (let at = 0; at < own.length; at += dropMax) {
          dropped += await dbOf(service).tx((tx) => give(tx, own.slice(at, at + dropMax), by, why));
        }
      }
      return dropped;
    },

    close: async (): Promise<void> => void (await Promise.all([...dbs.values()].map((db) => db.close()))),
  };
}

async function give(tx: Sql, events: readonly ParkedEvent[], by: string, why: string): Promise<number> {
  const keys = events.map(({ stream, aggregate, id }) => [stream, aggregate, id]);
  // Locked first: a replay that takes one away meanwhile leaves nothing to drop.
  await tx.query("SELECT id FROM parked WHERE (stream, aggregate, id) IN (?) FOR UPDATE", [keys]); // PRIMARY
  await tx.exec(
    `INSERT INTO parked_dropped (${droppedColumns}, dropped_by, drop_reason) SELECT ${droppedColumns}, ?, ? FROM parked WHERE (stream, aggregate, id) IN (?) ON DUPLICATE KEY UPDATE drop_time = NOW(3), dropped_by = VALUES(dropped_by), drop_reason = VALUES(drop_reason)`,
    [by, why, keys],
  );
  return tx.exec("DELETE FROM parked WHERE (stream, aggregate, id) IN (?)", [keys]);
}

function whereOf({ stream, aggregate, type, id, sinceMs }: Filter): { where: string; params: Param[] } {
  const asked: [string, Param | undefined][] = [
    ["stream = ?", stream],
    ["aggregate = ?", aggregate],
    ["type = ?", type],
    ["id = ?", id],
    ["park_time >= ?", sinceMs === undefined ? undefined : new Date(sinceMs)],
  ];
  const parts = asked.filter((part): part is [string, Param] => part[1] !== undefined);
  return { where: ["1 = 1", ...parts.map(([sql]) => sql)].join(" AND "), params: parts.map(([, param]) => param) };
}

const eventOf = (service: string, row: Row): ParkedEvent => ({
  service,
  stream: String(row.stream),
  aggregate: String(row.aggregate),
  id: bigintOf(row.id),
  version: bigintOf(row.version),
  type: String(row.type),
  reason: String(row.reason),
  parkTime: row.park_time as Date,
  replayTime: (row.replay_time as Date | null) ?? undefined,
  actor: bigintOf(row.actor),
  traceId: String(row.traceparent).slice(3, 35),
  payload: row.payload as Buffer,
});
