import { Code, ConnectError } from "@connectrpc/connect";
import { SpanKind } from "@opentelemetry/api";
import mysql from "mysql2/promise";
import { problem, unavailable } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";
import { gauge, histogram } from "#lib/mesh/metrics.ts";
import { isTraced, step } from "#lib/mesh/trace.ts";
import { createPulse, type Pulse } from "./pulse.ts";
import { statementOf } from "./statement.ts";

/** What may be bound. Arrays expand: `IN (?)` takes a list, `VALUES ?` a list of rows. Objects are never bound. */
export type Param = string | number | bigint | boolean | Buffer | Date | null | readonly Param[];
/** A row: BIGINT columns are strings, as ids are in contracts. */
export type Row = Readonly<Record<string, string | number | Buffer | Date | null>>;

/** A BIGINT column as the number it is; 0 where it is absent. */
export const bigintOf = (column: Row[string] | undefined): bigint => BigInt((column ?? 0) as string | number);

/** Runs statements: the pool, or one transaction. */
export type Sql = {
  query(sql: string, params?: readonly Param[]): Promise<Row[]>;
  /** The number of rows touched. */
  exec(sql: string, params?: readonly Param[]): Promise<number>;
};

/** Statements, alone or together. */
export type Statements = Sql & {
  /** Runs `work` in one READ COMMITTED transaction, again (3 times in all) where it lost a deadlock or waited for a lock. */
  tx<T>(work: (tx: Sql) => Promise<T>, tries?: number): Promise<T>;
};

export type Db = Statements & {
  /** The same by connections of its own, for what nobody asked for and everybody needs: relays, leases, projections. */
  readonly background: Statements;
  /** Whether the server answers this process, however many requests wait. */
  ping(): Promise<void>;
  close(): Promise<void>;
};

/** Connections of one process beside the one that asks whether the server lives. */
const connectionsMax = 10;
/** The same for what a process does by itself: however many requests wait, facts are told and shares of work are kept. */
const backgroundMax = 4;
/** Statements that wait for a connection; one more is refused at once. */
const waitingMax = 500;
/** A statement waits this long for a free connection: longer means that the server hangs, and more would pile up. */
const freeMs = 1_000;
/** A statement that takes longer is given up, and its connection with it. A lock is waited for half as long. */
const statementMs = 2_000;
const connectMs = 1_000;
/** A server that no statement waits for is asked this often whether it lives; what waits makes it be asked at once. */
const restMs = 1_000;
const triesMax = 3;

/** All pools of this process. */
const pools = { used: 0, waiting: 0 };
gauge({
  name: "skein_mysql_pool_used",
  help: `Connections at work, of ${connectionsMax} for requests and ${backgroundMax} for what the process does by itself.`,
  collect: (shown) => shown.set(pools.used),
});
gauge({
  name: "skein_mysql_pool_waiting",
  help: `Statements and transactions that wait for a connection, of ${waitingMax}.`,
  collect: (shown) => shown.set(pools.waiting),
});
const waitSeconds = histogram({
  name: "skein_mysql_wait_seconds",
  help: "How long a statement or a transaction waited for a connection, also where none came.",
});

const lost = { deadlock: 1213, lockWait: 1205, snapshot: 1020 } as const;
const duplicateKey = 1062;
const badDatabase = 1049;

/** Who serves does not wait for a server that hangs; a command of ours does, for as long as its statements may. */
const unwatched: Pulse = { within: (work) => work(), up: () => true, close: () => {} };

/**
 * Opens one schema of the server. `url` is mysql://user:password@host:port; TLS and the like go into its query. With a
 * `log` the server is watched: while it is away or hangs, statements are UNAVAILABLE at once.
 */
export function openMysql({ url, database, log }: { url: string; database: string; log?: Log }): Db {
  const beat = beatOf(url);
  const pulse = log === undefined ? unwatched : createPulse({ store: "mysql", ask: beat.ask, restMs, log });
  const front = poolOf({ uri: url, database, connectionLimit: connectionsMax });
  const back = poolOf({ uri: url, database, connectionLimit: backgroundMax });
  const background = statementsOver(back, pulse);
  return {
    ...statementsOver(front, pulse),
    background,
    ping: async () => void (await background.query("SELECT 1")),
    async close() {
      pulse.close();
      beat.close();
      await Promise.all([front.end(), back.end()]);
    },
  };
}

/** Connects when it is first needed. */
function poolOf(of: { uri: string; database: string; connectionLimit: number }): mysql.Pool {
  const pool = mysql.createPool({
    ...of,
    queueLimit: waitingMax,
    supportBigNumbers: true,
    bigNumberStrings: true,
    charset: "utf8mb4_bin",
    timezone: "Z",
    connectTimeout: connectMs,
    stringifyObjects: true,
    multipleStatements: false,
    trace: false, // A stack for each statement costs 4 % of a busy process, and names the driver.
  });
  pool.pool.on("connection", (connection) => {
    const unfit = (reason: unknown) => reason !== null && connection.destroy();
    connection.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", unfit);
    connection.query(
      "SET SESSION sql_mode = 'TRADITIONAL', time_zone = '+00:00', innodb_lock_wait_timeout = 1", // below statementMs
      unfit,
    );
  });
  return pool;
}

function statementsOver(pool: mysql.Pool, pulse: Pulse): Statements {
  const on = (run: (sql: string, params: readonly Param[]) => Promise<unknown>): Sql => ({
    query: (sql, params = []) => run(sql, params) as Promise<Row[]>,
    exec: async (sql, params = []) => ((await run(sql, params)) as mysql.ResultSetHeader).affectedRows,
  });
  const alone = async (sql: string, params: readonly Param[]): Promise<unknown> => {
    const connection = await freeOf(pool, pulse);
    try {
      return await ask(connection, pulse, sql, params);
    } finally {
      pools.used--;
      connection.release();
    }
  };

  return {
    ...on(alone),
    async tx(work, tries = triesMax) {
      for (let tried = 1; ; tried++) {
        try {
          return await transaction(pool, pulse, (connection) =>
            work(on((sql, params) => ask(connection, pulse, sql, params))),
          );
        } catch (reason) {
          if (!hasNumber(reason, Object.values(lost))) throw reason;
          if (tried === tries) throw outrun(reason);
          await new Promise((done) => setTimeout(done, Math.random() * 10 * tried));
        }
      }
    },
  };
}

/** Whether a statement failed because the row was there already. */
export const isDuplicate = (reason: unknown): boolean => hasNumber(reason, [duplicateKey]);

/** There is no such schema. */
export const isNoDatabase = (reason: unknown): boolean => hasNumber(reason, [badDatabase]);

/** Asks the server by a connection of its own, which no statement keeps busy and no full pool keeps away. */
function beatOf(uri: string) {
  let own: mysql.Connection | undefined;
  const drop = () => {
    own?.destroy();
    own = undefined;
  };
  return {
    async ask(): Promise<void> {
      try {
        if (own === undefined) {
          own = await mysql.createConnection({ uri, connectTimeout: connectMs });
          own.on("error", drop);
        }
        await own.query({ sql: "SELECT 1", timeout: connectMs });
      } catch (reason) {
        drop();
        throw reason;
      }
    },
    close: drop,
  };
}

async function transaction<T>(
  pool: mysql.Pool,
  pulse: Pulse,
  work: (connection: mysql.PoolConnection) => Promise<T>,
): Promise<T> {
  const connection = await freeOf(pool, pulse);
  let settled = false;
  try {
    await ask(connection, pulse, "START TRANSACTION", []);
    const result = await work(connection);
    await ask(connection, pulse, "COMMIT", []);
    settled = true;
    return result;
  } catch (reason) {
    // 1205 rolls back its statement only, so the rest is always rolled back here.
    settled = await ask(connection, pulse, "ROLLBACK", []).then(
      () => true,
      () => false,
    );
    throw reason;
  } finally {
    pools.used--;
    if (settled) connection.release();
    else connection.destroy();
  }
}

/** A connection of the pool. One that comes free too late goes back to it. */
async function freeOf(pool: mysql.Pool, pulse: Pulse): Promise<mysql.PoolConnection> {
  const sinceMs = performance.now();
  pools.waiting++;
  const coming = pool.getConnection();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`no connection came free within ${freeMs} ms`)), freeMs);
  });
  try {
    const connection = await pulse.within(() => Promise.race([coming, late]));
    pools.used++;
    return connection;
  } catch (reason) {
    coming.then(
      (connection) => connection.release(),
      () => {},
    );
    throw judged(reason);
  } finally {
    clearTimeout(timer);
    pools.waiting--;
    waitSeconds.observe((performance.now() - sinceMs) / 1000);
  }
}

/** Runs one statement; in a trace it is a step, which tells its verb and table and none of its values. */
function ask(connection: mysql.PoolConnection, pulse: Pulse, sql: string, params: readonly Param[]): Promise<unknown> {
  if (!isTraced()) return send(connection, pulse, sql, params);
  const { name, attributes } = statementOf(sql);
  return step(name, SpanKind.CLIENT, attributes, () => send(connection, pulse, sql, params));
}

/** Where a statement is given up its connection goes: an answer that comes later would block the next. */
async function send(
  connection: mysql.PoolConnection,
  pulse: Pulse,
  sql: string,
  params: readonly Param[],
): Promise<unknown> {
  const statement = { sql, values: params as unknown[], timeout: statementMs };
  try {
    const [result] = await pulse.within(() => connection.query<mysql.RowDataPacket[]>(statement));
    return result;
  } catch (reason) {
    const isGivenUp = reason instanceof ConnectError; // The server does not answer.
    if (isGivenUp || (reason as { code?: string }).code === "PROTOCOL_SEQUENCE_TIMEOUT") connection.destroy();
    throw judged(reason);
  }
}

/** A transaction that lost every race: the caller may send the whole again. */
function outrun(reason: unknown): ConnectError {
  const err = problem(Code.Aborted, "conflict", "too much happened at once; send it again");
  err.cause = reason;
  return err;
}

/** The server's own complaints pass (a caller may branch on them); a server that does not answer is UNAVAILABLE. */
function judged(reason: unknown): unknown {
  if (reason instanceof ConnectError) return reason;
  const { code, errno } = reason as { code?: string; errno?: number };
  if (code === "PROTOCOL_SEQUENCE_TIMEOUT")
    return problem(Code.DeadlineExceeded, "deadline-exceeded", "the database took too long");
  if (errno !== undefined && errno >= 1000 && errno < 2000 && !shuttingDown.has(errno)) return reason;
  return unavailable("the database", reason);
}

/** ER_TOO_MANY_CONNECTIONS, ER_SERVER_SHUTDOWN, ER_CONNECTION_KILLED, ER_OPTION_PREVENTS_STATEMENT (read only). */
const shuttingDown = new Set([1040, 1053, 1290, 1927]);

function hasNumber(reason: unknown, numbers: readonly number[]): boolean {
  const { errno } = (reason ?? {}) as { errno?: number };
  return errno !== undefined && numbers.includes(errno);
}
