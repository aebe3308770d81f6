import { createClient } from "@connectrpc/connect";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { openBus } from "#lib/events/bus.ts";
import { leases } from "#lib/events/lease.ts";
import { createRelay } from "#lib/events/relay.ts";
import { createLog } from "#lib/mesh/log.ts";
import { run, untilSignalled } from "#lib/mesh/run.ts";
import { host } from "#lib/mesh/serve.ts";
import { meshTokens } from "#lib/mesh/token.ts";
import { grpcTransport } from "#lib/mesh/transport.ts";
import { readModelScripts } from "#lib/readmodel/families.ts";
import { places } from "#lib/readmodel/places.ts";
import { openMysql } from "#lib/storage/mysql.ts";
import { openRedis } from "#lib/storage/redis.ts";
import { config } from "./config.ts";
import { sweepRegistrations } from "./consumer.ts";
import { passwords } from "./handlers/password.ts";
import { sessions } from "./handlers/session.ts";
import { userHandlers } from "./handlers.ts";
import { userReadModel } from "./read-model.ts";
import { userStore } from "./store.ts";

const { deployment, instance, port, drainMs } = config;
const log = createLog({ name: instance, level: config.logLevel });
const db = openMysql({ url: config.mysqlUrl, database: `${deployment}_user` });
const redis = openRedis({ url: config.redisUrl, deployment, scripts: readModelScripts, log });
const bus = await openBus({ url: config.natsUrl, deployment, log });
const mesh = grpcTransport({ address: config.meshUrl, caller: "user", key: config.internalKey });
const graph = createClient(GraphService, mesh);

const store = userStore(db);
const relaying = leases({ db, team: "relay", holder: instance, log });
const lowest = (noun: string) => places.lowest(redis, noun);
const relay = createRelay({ noun: "user", db, bus, leases: relaying, log, places: lowest });

const handlers = userHandlers({
  store,
  versions: userReadModel(redis, store, log),
  graph,
  passwords: passwords({ memoryKib: config.passwordMemoryKib }),
  sessions: await sessions({ accessKey: config.accessKey, lifeSeconds: config.accessTokenSeconds }),
  nudge: relay.nudge,
});

const running = await run({
  log,
  tokens: meshTokens(config.internalKey),
  port,
  drainMs,
  services: [host(UserService, handlers)],
  loops: [relaying.loop, relay.loop, sweepRegistrations({ store, graph, nudge: relay.nudge, log })],
  ready: () => db.ping(),
  close: [mesh.close, bus.close, redis.close, db.close],
});
untilSignalled(running, log);
