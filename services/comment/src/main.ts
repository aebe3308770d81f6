import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { host } from "#lib/mesh/serve.ts";
import { visiblePosts } from "#lib/readmodel/visible-post.ts";
import { openService } from "#lib/service/open.ts";
import { pageTokens } from "#lib/storage/page.ts";
import { config } from "./config.ts";
import { hearReactions } from "./consumer.ts";
import { changesIn, threadsIn } from "./events.ts";
import { commentHandlers } from "./handlers.ts";
import { commentReadModel } from "./read-model.ts";
import { foldCommentCounts } from "./store/counts.ts";
import { commentStore } from "./store.ts";

const service = await openService("comment", config);
const { db, redis, log } = service;

const store = commentStore(db);
const readModel = commentReadModel(redis, store, log);
const told = commentReadModel(redis, commentStore(db.background), log);
const relay = service.relay({
  fold: foldCommentCounts,
  project: (events) => told.catchUp(changesIn(events), threadsIn(events)),
});
service.consume({ noun: "like", leases: service.leases("like"), ...hearReactions });
const handlers = commentHandlers({
  store,
  readModel,
  posts: visiblePosts({ redis, post: service.client(PostService), graph: service.client(GraphService) }),
  users: service.client(UserService),
  media: service.client(MediaService),
  pageTokens: pageTokens(config.cursorKey),
  nudge: relay.nudge,
});

await service.run([host(CommentService, handlers)]);
