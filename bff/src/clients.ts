import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { FeedService } from "#gen/skein/feed/v1/feed_pb.ts";
import { AccountService } from "#gen/skein/graph/v1/account_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { ListService } from "#gen/skein/graph/v1/list_pb.ts";
import { MuteService } from "#gen/skein/graph/v1/mute_pb.ts";
import { RelationService } from "#gen/skein/graph/v1/relation_pb.ts";
import { LikeService } from "#gen/skein/like/v1/like_pb.ts";
import { MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { ContentService } from "#gen/skein/post/v1/contents_pb.ts";
import { DraftService } from "#gen/skein/post/v1/draft_pb.ts";
import { MentionService } from "#gen/skein/post/v1/mention_pb.ts";
import { PollService } from "#gen/skein/post/v1/poll_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { QuoteService } from "#gen/skein/post/v1/quote_pb.ts";
import { RepostService } from "#gen/skein/post/v1/repost_pb.ts";
import { SaveService } from "#gen/skein/post/v1/save_pb.ts";
import { AuthorService } from "#gen/skein/user/v1/author_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import type { Log } from "#lib/mesh/log.ts";
import { guard } from "./resilience.ts";

/** One typed client per service. */
export type Clients = {
  readonly comment: Client<typeof CommentService>;
  readonly feed: Client<typeof FeedService>;
  /** Its contracts are several, by what they are about; the service is one. */
  readonly graph: Client<typeof GraphService> &
    Client<typeof RelationService> &
    Client<typeof MuteService> &
    Client<typeof ListService> &
    Client<typeof AccountService>;
  readonly like: Client<typeof LikeService>;
  readonly media: Client<typeof MediaService>;
  readonly post: Client<typeof PostService> &
    Client<typeof ContentService> &
    Client<typeof DraftService> &
    Client<typeof QuoteService> &
    Client<typeof RepostService> &
    Client<typeof SaveService> &
    Client<typeof MentionService> &
    Client<typeof PollService>;
  readonly user: Client<typeof UserService> & Client<typeof AuthorService>;
};

/** All clients dial one address: the path of a call names its service, and the mesh routes by it. */
export const createClients = (transport: Transport, log: Log): Clients => ({
  comment: createClient(CommentService, guard(transport, "comment", log)),
  feed: createClient(FeedService, guard(transport, "feed", log)),
  graph: createGraphClient(guard(transport, "graph", log)),
  like: createClient(LikeService, guard(transport, "like", log)),
  media: createClient(MediaService, guard(transport, "media", log)),
  post: createPostClient(guard(transport, "post", log)),
  user: createUserClient(guard(transport, "user", log)),
});

const createPostClient = (transport: Transport): Clients["post"] => ({
  ...createClient(PostService, transport),
  ...createClient(ContentService, transport),
  ...createClient(DraftService, transport),
  ...createClient(QuoteService, transport),
  ...createClient(RepostService, transport),
  ...createClient(SaveService, transport),
  ...createClient(MentionService, transport),
  ...createClient(PollService, transport),
});

const createUserClient = (transport: Transport): Clients["user"] => ({
  ...createClient(UserService, transport),
  ...createClient(AuthorService, transport),
});

const createGraphClient = (transport: Transport): Clients["graph"] => ({
  ...createClient(GraphService, transport),
  ...createClient(RelationService, transport),
  ...createClient(MuteService, transport),
  ...createClient(ListService, transport),
  ...createClient(AccountService, transport),
});
