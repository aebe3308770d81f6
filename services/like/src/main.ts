import { createClient } from "@connectrpc/connect";
import { LikeService } from "#gen/skein/like/v1/like_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { openBus } from "#lib/events/bus.ts";
import { leases } from "#lib/events/lease.ts";
import { createRelay } from "#lib/events/relay.ts";
import { createLog } from "#lib/mesh/log.ts";
import { run, untilSignalled } from "#lib/mesh/run.ts";
import { host } from "#lib/mesh/serve.ts";
import { startTelemetry } from "#lib/mesh/telemetry.ts";
import { meshTokens } from "#lib/mesh/token.ts";
import { grpcTransport } from "#lib/mesh/transport.ts";
import { readModelScripts } from "#lib/readmodel/families.ts";
import { places } from "#lib/readmodel/places.ts";
import { visiblePosts } from "#lib/readmodel/visible-post.ts";
import { openMysql } from "#lib/storage/mysql.ts";
import { pageTokens } from "#lib/storage/page.ts";
import { openRedis } from "#lib/storage/redis.ts";
import { config } from "./config.ts";
import { changesIn } from "./events.ts";
import { likeHandlers } from "./handlers.ts";
import { likeReadModel } from "./read-model.ts";
import { foldLikeCounts, likeStore } from "./store.ts";

const { deployment, instance, port, drainMs } = config;
const log = createLog({ name: instance, level: config.logLevel });
const telemetry = await startTelemetry({ name: instance, otlpUrl: config.otlpUrl });
const db = openMysql({ url: config.mysqlUrl, database: `${deployment}_like` });
const redis = openRedis({ url: config.redisUrl, deployment, scripts: readModelScripts, log });
const bus = await openBus({ url: config.natsUrl, deployment, log });
const mesh = grpcTransport({ address: config.meshUrl, caller: "like", key: config.internalKey });

const store = likeStore(db);
const readModel = likeReadModel(redis, store, log);
const relaying = leases({ db, team: "relay", holder: instance, log });
const relay = createRelay({
  noun: "like",
  db,
  bus,
  leases: relaying,
  log,
  places: (noun) => places.lowest(redis, noun),
  fold: foldLikeCounts,
  project: (events) => readModel.catchUp(changesIn(events)),
});

const handlers = likeHandlers({
  store,
  readModel,
  posts: visiblePosts({ redis, post: createClient(PostService, mesh) }),
  pageTokens: pageTokens(config.cursorKey),
  nudge: relay.nudge,
});

const running = await run({
  log,
  tokens: meshTokens(config.internalKey),
  port,
  drainMs,
  services: [host(LikeService, handlers)],
  loops: [relaying.loop, relay.loop],
  ready: () => db.ping(),
  close: [mesh.close, bus.close, redis.close, db.close, telemetry.close],
});
untilSignalled(running, log);
