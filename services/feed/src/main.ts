import { createClient } from "@connectrpc/connect";
import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { FeedService } from "#gen/skein/feed/v1/feed_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { LikeService } from "#gen/skein/like/v1/like_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { openBus } from "#lib/events/bus.ts";
import { createConsumer } from "#lib/events/consume.ts";
import { leases } from "#lib/events/lease.ts";
import { createLog } from "#lib/mesh/log.ts";
import { run, untilSignalled } from "#lib/mesh/run.ts";
import { host } from "#lib/mesh/serve.ts";
import { startTelemetry } from "#lib/mesh/telemetry.ts";
import { meshTokens } from "#lib/mesh/token.ts";
import { grpcTransport } from "#lib/mesh/transport.ts";
import { readModelScripts } from "#lib/readmodel/families.ts";
import { places } from "#lib/readmodel/places.ts";
import { openMysql } from "#lib/storage/mysql.ts";
import { pageTokens } from "#lib/storage/page.ts";
import { openRedis } from "#lib/storage/redis.ts";
import { config } from "./config.ts";
import { createFanout } from "./consumer/fanout.ts";
import { hearPosts } from "./consumer.ts";
import { feedHandlers } from "./handlers.ts";
import { truthOf } from "./read-model/truth.ts";
import { feedReadModel } from "./read-model.ts";
import { feedStore } from "./store.ts";

const { deployment, instance, port, drainMs } = config;
const log = createLog({ name: instance, level: config.logLevel });
const telemetry = await startTelemetry({ name: instance, otlpUrl: config.otlpUrl });
const db = openMysql({ url: config.mysqlUrl, database: `${deployment}_feed` });
const redis = openRedis({ url: config.redisUrl, deployment, scripts: readModelScripts, log });
const bus = await openBus({ url: config.natsUrl, deployment, log });
const mesh = grpcTransport({ address: config.meshUrl, caller: "feed", key: config.internalKey });
const graph = createClient(GraphService, mesh);

const store = feedStore(db);
const truth = truthOf({
  graph,
  post: createClient(PostService, mesh),
  user: createClient(UserService, mesh),
  like: createClient(LikeService, mesh),
  comment: createClient(CommentService, mesh),
});
const timelines = feedReadModel({ redis, truth });
const consuming = leases({ db, team: "post", holder: instance, log });
const fanout = createFanout({ redis, store, graph, leases: consuming, log, sql: db });
const posts = createConsumer({
  noun: "post",
  db,
  bus,
  leases: consuming,
  log,
  ...hearPosts({ store, fanout }),
  tell: (noun, positions) => places.tell(redis, noun, "feed", positions),
});

const running = await run({
  log,
  tokens: meshTokens(config.internalKey),
  port,
  drainMs,
  services: [host(FeedService, feedHandlers({ timelines, pageTokens: pageTokens(config.cursorKey) }))],
  loops: [consuming.loop, posts.loop, fanout.loop],
  ready: () => db.ping(),
  close: [mesh.close, bus.close, redis.close, db.close, telemetry.close],
});
untilSignalled(running, log);
