import { AccountService } from "#gen/skein/api/v1/account_pb.ts";
import { ActivityService } from "#gen/skein/api/v1/activity_pb.ts";
import { AuthService } from "#gen/skein/api/v1/auth_pb.ts";
import { CommentService } from "#gen/skein/api/v1/comment_pb.ts";
import { DraftService } from "#gen/skein/api/v1/draft_pb.ts";
import { FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { LikeService } from "#gen/skein/api/v1/like_pb.ts";
import { ListService } from "#gen/skein/api/v1/list_pb.ts";
import { MediaService } from "#gen/skein/api/v1/media_pb.ts";
import { MuteService } from "#gen/skein/api/v1/mute_pb.ts";
import { PollService } from "#gen/skein/api/v1/poll_pb.ts";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { RelationService } from "#gen/skein/api/v1/relation_pb.ts";
import { RepostService } from "#gen/skein/api/v1/repost_pb.ts";
import { SaveService } from "#gen/skein/api/v1/save_pb.ts";
import { UserService } from "#gen/skein/api/v1/user_pb.ts";
import type { Clients } from "../clients.ts";
import { mutedWords } from "../compose/muted-words.ts";
import { createPieces } from "../compose/pieces.ts";
import { type Rpc, rpcsOf } from "../door/rpc.ts";
import type { Limits } from "../limits.ts";
import { accountRoutes } from "./account.ts";
import { activityRoutes } from "./activity.ts";
import { authRoutes } from "./auth.ts";
import { commentRoutes } from "./comment.ts";
import { draftRoutes } from "./draft.ts";
import { feedRoutes } from "./feed.ts";
import { likeRoutes } from "./like.ts";
import { listRoutes } from "./list.ts";
import { mediaRoutes } from "./media.ts";
import { muteRoutes } from "./mute.ts";
import { pollRoutes } from "./poll.ts";
import { postRoutes } from "./post.ts";
import { relationRoutes } from "./relation.ts";
import { repostRoutes } from "./repost.ts";
import { saveRoutes } from "./save.ts";
import { userRoutes } from "./user.ts";

/** Every RPC of the public tree with what answers it, the same at every door. */
export function publicRpcs(clients: Clients, limits: Limits, pieceBytesMax?: number): Rpc[] {
  const pieces = createPieces(clients, pieceBytesMax);
  const muted = mutedWords(clients);
  return [
    ...rpcsOf(AuthService, authRoutes(clients, limits)),
    ...rpcsOf(AccountService, accountRoutes(clients)),
    ...rpcsOf(UserService, userRoutes(clients)),
    ...rpcsOf(RelationService, relationRoutes(clients)),
    ...rpcsOf(MuteService, muteRoutes(clients)),
    ...rpcsOf(ListService, listRoutes(clients)),
    ...rpcsOf(MediaService, mediaRoutes(clients)),
    ...rpcsOf(PostService, postRoutes(clients, pieces, muted)),
    ...rpcsOf(PollService, pollRoutes(clients)),
    ...rpcsOf(RepostService, repostRoutes(clients)),
    ...rpcsOf(DraftService, draftRoutes(clients, pieces)),
    ...rpcsOf(LikeService, likeRoutes(clients)),
    ...rpcsOf(CommentService, commentRoutes(clients, pieces)),
    ...rpcsOf(SaveService, saveRoutes(clients, pieces)),
    ...rpcsOf(ActivityService, activityRoutes(clients, pieces)),
    ...rpcsOf(FeedService, feedRoutes(clients, pieces, muted)),
  ];
}
