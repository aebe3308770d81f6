import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { LikeService } from "#gen/skein/like/v1/like_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { broughtFacts } from "#lib/events/brought.ts";
import { host } from "#lib/mesh/serve.ts";
import { visiblePosts } from "#lib/readmodel/visible-post.ts";
import { openService } from "#lib/service/open.ts";
import { pageTokens } from "#lib/storage/page.ts";
import { config } from "./config.ts";
import { changesIn } from "./events.ts";
import { visibleSubjects } from "./handlers/subjects.ts";
import { likeHandlers } from "./handlers.ts";
import { likeReadModel } from "./read-model.ts";
import { foldLikeCounts } from "./store/counts.ts";
import { likeStore } from "./store.ts";

const service = await openService("like", config);
const { db, redis, log } = service;

const store = likeStore(db);
const readModel = likeReadModel(redis, store, log);
const told = likeReadModel(redis, likeStore(db.background), log);
const brought = broughtFacts(redis.since);
const relay = service.relay({
  fold: foldLikeCounts,
  project: (events) => told.catchUp(changesIn(events), changesIn(brought.left(events))),
});
const handlers = likeHandlers({
  store,
  readModel,
  brought,
  subjects: visibleSubjects({
    posts: visiblePosts({ redis, post: service.client(PostService), graph: service.client(GraphService) }),
    comments: service.client(CommentService),
  }),
  pageTokens: pageTokens(config.cursorKey),
  nudge: relay.nudge,
});

await service.run([host(LikeService, handlers)]);
