import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { openBus } from "#lib/events/bus.ts";
import { leases } from "#lib/events/lease.ts";
import { createRelay } from "#lib/events/relay.ts";
import { createLog } from "#lib/mesh/log.ts";
import { run, untilSignalled } from "#lib/mesh/run.ts";
import { host } from "#lib/mesh/serve.ts";
import { startTelemetry } from "#lib/mesh/telemetry.ts";
import { meshTokens } from "#lib/mesh/token.ts";
import { readModelScripts } from "#lib/readmodel/families.ts";
import { places } from "#lib/readmodel/places.ts";
import { openMysql } from "#lib/storage/mysql.ts";
import { pageTokens } from "#lib/storage/page.ts";
import { openRedis } from "#lib/storage/redis.ts";
import { config } from "./config.ts";
import { followersIn } from "./events.ts";
import { graphHandlers } from "./handlers.ts";
import { graphReadModel } from "./read-model.ts";
import { foldFollowerCounts, graphStore } from "./store.ts";

const { deployment, instance, port, drainMs } = config;
const log = createLog({ name: instance, level: config.logLevel });
const telemetry = await startTelemetry({ name: instance, otlpUrl: config.otlpUrl });
const db = openMysql({ url: config.mysqlUrl, database: `${deployment}_graph` });
const redis = openRedis({ url: config.redisUrl, deployment, scripts: readModelScripts, log });
const bus = await openBus({ url: config.natsUrl, deployment, log });

const store = graphStore(db);
const followSets = graphReadModel(redis, store);
const relaying = leases({ db, team: "relay", holder: instance, log });
const lowest = (noun: string) => places.lowest(redis, noun);
const relay = createRelay({
  noun: "graph",
  db,
  bus,
  leases: relaying,
  log,
  places: lowest,
  fold: foldFollowerCounts,
  project: (events) => followSets.catchUp(followersIn(events)),
});

const handlers = graphHandlers({ db, store, followSets, pageTokens: pageTokens(config.cursorKey), nudge: relay.nudge });

const running = await run({
  log,
  tokens: meshTokens(config.internalKey),
  port,
  drainMs,
  services: [host(GraphService, handlers)],
  loops: [relaying.loop, relay.loop],
  ready: () => db.ping(),
  close: [bus.close, redis.close, db.close, telemetry.close],
});
untilSignalled(running, log);
