import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { FeedService } from "#gen/skein/feed/v1/feed_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import type { Log } from "#lib/mesh/log.ts";
import { guard } from "./resilience.ts";

/** One typed client per service. */
export type Clients = {
  readonly feed: Client<typeof FeedService>;
  readonly graph: Client<typeof GraphService>;
  readonly post: Client<typeof PostService>;
  readonly user: Client<typeof UserService>;
};

/** All clients dial one address: the path of a call names its service, and the mesh routes by it. */
export const createClients = (transport: Transport, log: Log): Clients => ({
  feed: createClient(FeedService, guard(transport, "feed", log)),
  graph: createClient(GraphService, guard(transport, "graph", log)),
  post: createClient(PostService, guard(transport, "post", log)),
  user: createClient(UserService, guard(transport, "user", log)),
});
