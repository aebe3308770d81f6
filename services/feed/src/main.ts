import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { FeedService } from "#gen/skein/feed/v1/feed_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { ListService } from "#gen/skein/graph/v1/list_pb.ts";
import { LikeService } from "#gen/skein/like/v1/like_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { QuoteService } from "#gen/skein/post/v1/quote_pb.ts";
import { SaveService } from "#gen/skein/post/v1/save_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { host } from "#lib/mesh/serve.ts";
import { openService } from "#lib/service/open.ts";
import { pageTokens } from "#lib/storage/page.ts";
import { config } from "./config.ts";
import { createAuditor } from "./consumer/audit.ts";
import { createFanout } from "./consumer/fanout.ts";
import { pullAbove } from "./consumer/pull.ts";
import { hearPosts } from "./consumer.ts";
import { feedHandlers } from "./handlers.ts";
import { examiner } from "./read-model/explain.ts";
import { looking } from "./read-model/look.ts";
import { truthOf } from "./read-model/truth.ts";
import { feedReadModel } from "./read-model.ts";
import { feedStore } from "./store.ts";

const service = await openService("feed", config);
const { db, redis, log } = service;

const graph = { ...service.client(GraphService), ...service.client(ListService) };
const store = feedStore(db);
const truth = truthOf({
  graph,
  post: { ...service.client(PostService), ...service.client(QuoteService) },
  save: service.client(SaveService),
  user: service.client(UserService),
  like: service.client(LikeService),
  comment: service.client(CommentService),
});
const look = looking(redis);
const timelines = feedReadModel({ redis, truth, look });
const leases = service.leases("post");
const pull = pullAbove({ redis, store, graph, leases, log });
const fanout = createFanout({ redis, store, graph, leases, pull, log, sql: db });
service.consume({ noun: "post", leases, ...hearPosts({ store, fanout }) });

const examine = examiner({ redis, truth, look, store });
const auditor = createAuditor({ timelines, truth, redis, log, everyMs: config.auditMs });
const handlers = feedHandlers({
  store,
  truth,
  auditor,
  timelines,
  examine,
  pageTokens: pageTokens(config.cursorKey),
});
// Its own database keeps fan-outs, and no page is read from there: what Redis has is answered without it.
await service.run([host(FeedService, handlers)], [fanout.loop, auditor.loop], async () => {});
