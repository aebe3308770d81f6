import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { FeedService } from "#gen/skein/feed/v1/feed_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { LikeService } from "#gen/skein/like/v1/like_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import type { Log } from "#lib/mesh/log.ts";
import { guard } from "./resilience.ts";

/** One typed client per service. */
export type Clients = {
  readonly comment: Client<typeof CommentService>;
  readonly feed: Client<typeof FeedService>;
  readonly graph: Client<typeof GraphService>;
  readonly like: Client<typeof LikeService>;
  readonly post: Client<typeof PostService>;
  readonly user: Client<typeof UserService>;
};

/** All clients dial one address: the path of a call names its service, and the mesh routes by it. */
export const createClients = (transport: Transport, log: Log): Clients => ({
  comment: createClient(CommentService, guard(transport, "comment", log)),
  feed: createClient(FeedService, guard(transport, "feed", log)),
  graph: createClient(GraphService, guard(transport, "graph", log)),
  like: createClient(LikeService, guard(transport, "like", log)),
  post: createClient(PostService, guard(transport, "post", log)),
  user: createClient(UserService, guard(transport, "user", log)),
});
