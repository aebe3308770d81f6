import { AuthService } from "#gen/skein/api/v1/auth_pb.ts";
import { CommentService } from "#gen/skein/api/v1/comment_pb.ts";
import { FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { LikeService } from "#gen/skein/api/v1/like_pb.ts";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { UserService } from "#gen/skein/api/v1/user_pb.ts";
import type { Clients } from "../clients.ts";
import { createPieces } from "../compose/pieces.ts";
import { type Rpc, rpcsOf } from "../door/rpc.ts";
import type { Limits } from "../limits.ts";
import { authRoutes } from "./auth.ts";
import { commentRoutes } from "./comment.ts";
import { feedRoutes } from "./feed.ts";
import { likeRoutes } from "./like.ts";
import { postRoutes } from "./post.ts";
import { userRoutes } from "./user.ts";

/** Every RPC of the public tree with what answers it, the same at every door. */
export function publicRpcs(clients: Clients, limits: Limits): Rpc[] {
  const pieces = createPieces(clients);
  return [
    ...rpcsOf(AuthService, authRoutes(clients, limits)),
    ...rpcsOf(UserService, userRoutes(clients)),
    ...rpcsOf(PostService, postRoutes(clients, pieces)),
    ...rpcsOf(LikeService, likeRoutes(clients)),
    ...rpcsOf(CommentService, commentRoutes(clients)),
    ...rpcsOf(FeedService, feedRoutes(clients, pieces)),
  ];
}
