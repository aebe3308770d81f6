import { PostService } from "#gen/skein/post/v1/post_pb.ts";
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
import { openRedis } from "#lib/storage/redis.ts";
import { config } from "./config.ts";
import { changeOf } from "./events.ts";
import { postHandlers } from "./handlers.ts";
import { postReadModel } from "./read-model.ts";
import { postStore } from "./store.ts";

const { deployment, instance, port, drainMs } = config;
const log = createLog({ name: instance, level: config.logLevel });
const telemetry = await startTelemetry({ name: instance, otlpUrl: config.otlpUrl });
const db = openMysql({ url: config.mysqlUrl, database: `${deployment}_post` });
const redis = openRedis({ url: config.redisUrl, deployment, scripts: readModelScripts, log });
const bus = await openBus({ url: config.natsUrl, deployment, log });

const store = postStore(db);
const readModel = postReadModel(redis, store, log);
const relaying = leases({ db, team: "relay", holder: instance, log });
const relay = createRelay({
  noun: "post",
  db,
  bus,
  leases: relaying,
  log,
  places: (noun) => places.lowest(redis, noun),
  project: (events) => readModel.catchUp(events.map(changeOf).filter((change) => change !== undefined)),
});

const running = await run({
  log,
  tokens: meshTokens(config.internalKey),
  port,
  drainMs,
  services: [host(PostService, postHandlers({ db, store, readModel, nudge: relay.nudge }))],
  loops: [relaying.loop, relay.loop],
  ready: () => db.ping(),
  close: [bus.close, redis.close, db.close, telemetry.close],
});
untilSignalled(running, log);
