import type { ServiceImpl } from "@connectrpc/connect";
import type { LikeService } from "#gen/skein/api/v1/like_pb.ts";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import { usersById } from "../compose/users.ts";
import { postIdOf } from "./ids.ts";
import { pageOf } from "./page.ts";

export function likeRoutes(clients: Pick<Clients, "like" | "user" | "graph">): ServiceImpl<typeof LikeService> {
  const { like: likes } = clients;
  const subjectOf = (post: string) => ({ kind: SubjectKind.POST, id: postIdOf(post) });
  return {
    async likePost({ post }, ctx) {
      await likes.like({ subject: subjectOf(post), reaction: Reaction.LIKE }, within(ctx));
      return { liked: true };
    },

    async unlikePost({ post }, ctx) {
      await likes.unlike({ subject: subjectOf(post) }, within(ctx));
      return { liked: false };
    },

    async listPostLikes(request, ctx) {
      const page = pageOf(request);
      const { userIds, nextPageToken } = await likes.listLikes(
        { subject: subjectOf(request.post), ...page },
        within(ctx),
      );
      return { users: await usersById(userIds, clients, ctx), nextPageToken };
    },
  };
}
