import { AuthService } from "#gen/skein/api/v1/auth_pb.ts";
import { CommentService } from "#gen/skein/api/v1/comment_pb.ts";
import { FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { LikeService } from "#gen/skein/api/v1/like_pb.ts";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { UserService } from "#gen/skein/api/v1/user_pb.ts";
import type { Clients } from "../clients.ts";
import { createPieces } from "../compose/pieces.ts";
import { type Binding, bind } from "../door/binding.ts";
import { authRoutes } from "./auth.ts";
import { commentRoutes } from "./comment.ts";
import { feedRoutes } from "./feed.ts";
import { likeRoutes } from "./like.ts";
import { postRoutes } from "./post.ts";
import { userRoutes } from "./user.ts";

/** Every RPC of the public tree with what answers it. */
export function publicBindings(clients: Clients): Binding[] {
  const pieces = createPieces(clients);
  return [
    ...bind(AuthService, authRoutes(clients)),
    ...bind(UserService, userRoutes(clients)),
    ...bind(PostService, postRoutes(clients, pieces)),
    ...bind(LikeService, likeRoutes(clients)),
    ...bind(CommentService, commentRoutes(clients)),
    ...bind(FeedService, feedRoutes(clients, pieces)),
  ];
}
