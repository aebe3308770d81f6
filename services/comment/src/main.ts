import { createClient } from "@connectrpc/connect";
import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
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
import { commentHandlers } from "./handlers.ts";
import { commentReadModel } from "./read-model.ts";
import { commentStore, foldCommentCounts } from "./store.ts";

const { deployment, instance, port, drainMs } = config;
const log = createLog({ name: instance, level: config.logLevel });
const telemetry = await startTelemetry({ name: instance, otlpUrl: config.otlpUrl });
const db = openMysql({ url: config.mysqlUrl, database: `${deployment}_comment` });
const redis = openRedis({ url: config.redisUrl, deployment, scripts: readModelScripts, log });
const bus = await openBus({ url: config.natsUrl, deployment, log });
const mesh = grpcTransport({ address: config.meshUrl, caller: "comment", key: config.internalKey });

const store = commentStore(db);
const readModel = commentReadModel(redis, store, log);
const relaying = leases({ db, team: "relay", holder: instance, log });
const relay = createRelay({
  noun: "comment",
  db,
  bus,
  leases: relaying,
  log,
  places: (noun) => places.lowest(redis, noun),
  fold: foldCommentCounts,
  project: (events) => readModel.catchUp(changesIn(events)),
});

const handlers = commentHandlers({
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
  services: [host(CommentService, handlers)],
  loops: [relaying.loop, relay.loop],
  ready: () => db.ping(),
  close: [mesh.close, bus.close, redis.close, db.close, telemetry.close],
});
untilSignalled(running, log);
