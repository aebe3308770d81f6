import { randomBytes } from "node:crypto";
import path from "node:path";
import { connect } from "nats";
import { type Bus, openBus } from "#lib/events/bus.ts";
import { createLog, type Log } from "#lib/mesh/log.ts";
import { readModelScripts } from "#lib/readmodel/families.ts";
import { migrate } from "#lib/storage/migrate.ts";
import { type Db, openMysql } from "#lib/storage/mysql.ts";
import { rateScripts } from "#lib/storage/rate.ts";
import { openRedis, type Redis } from "#lib/storage/redis.ts";
import { until } from "./until.ts";

/** What one test file has to itself on the real servers: a deployment name, and what is opened under it. */
export type Scratch = {
  readonly deployment: string;
  readonly log: Log;
  readonly mysqlUrl: string;
  readonly redisUrl: string;
  readonly natsUrl: string;
  /** A schema with the tables of events, and those of a folder where one is given. */
  openDb(noun: string, folder?: string): Promise<Db>;
  openRedis(): Promise<Redis>;
  openBus(): Promise<Bus>;
  /** Closes everything and drops the schemas and the streams. */
  close(): Promise<void>;
};

const root = path.resolve(import.meta.dirname, "../..");

/** Opens a place of its own on the servers that `npm test` started, named in TEST_MYSQL_URL, TEST_REDIS_URL and TEST_NATS_URL. */
export function scratch(env: Readonly<Record<string, string | undefined>>): Scratch {
  const [mysqlUrl, redisUrl, natsUrl] = ["TEST_MYSQL_URL", "TEST_REDIS_URL", "TEST_NATS_URL"].map((name) => {
    const url = env[name];
    if (url === undefined) throw new Error(`${name} is not set: run this with npm test -- --only <file>`);
    return url;
  }) as [string, string, string];
  const deployment = `t${randomBytes(4).toString("hex")}`;
  const log = createLog({ name: deployment, level: "error" });
  const closing: (() => unknown)[] = [];
  const opened = new Set<string>();

  return {
    deployment,
    log,
    mysqlUrl,
    redisUrl,
    natsUrl,
    async openDb(noun, folder) {
      const database = `${deployment}_${noun}`;
      const folders = [
        path.join(root, "lib/events/schema"),
        ...(folder === undefined ? [] : [path.join(root, folder)]),
      ];
      await migrate({ url: mysqlUrl, database, folders });
      const db = openMysql({ url: mysqlUrl, database });
      opened.add(database);
      closing.push(db.close);
      return db;
    },
    async openRedis() {
      const redis = openRedis({ url: redisUrl, deployment, scripts: [...readModelScripts, ...rateScripts], log });
      closing.push(redis.close);
      await until("Redis is there", async () => redis.reached());
      return redis;
    },
    async openBus() {
      const bus = openBus({ url: natsUrl, deployment, log });
      closing.push(bus.close);
      await until("NATS is there", bus.up);
      return bus;
    },
    async close() {
      for (const shut of closing.reverse()) await shut();
      const admin = openMysql({ url: mysqlUrl, database: "mysql" });
      for (const database of opened) await admin.exec(`DROP DATABASE IF EXISTS ${database}`);
      await admin.close();
      await dropStreams(natsUrl, deployment);
    },
  };
}

/** Each stream reserves what it may grow to, so those of finished tests would leave no room for the next ones. */
async function dropStreams(natsUrl: string, deployment: string): Promise<void> {
  const { username, password, host } = new URL(natsUrl);
  const connection = await connect({
    servers: host,
    user: decodeURIComponent(username),
    pass: decodeURIComponent(password),
  });
  const streams = await connection.jetstreamManager();
  for await (const { config } of streams.streams.list()) {
    if (config.name.startsWith(`${deployment}_`.toUpperCase())) await streams.streams.delete(config.name);
  }
  await connection.close();
}
