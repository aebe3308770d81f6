import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { LikeService } from "#gen/skein/api/v1/like_pb.ts";
import { ReactionKind } from "#gen/skein/api/v1/resources_pb.ts";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { invalid } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { shownReactors } from "../compose/reactors.ts";
import { usersById } from "../compose/users.ts";
import { commentIdOf, postIdOf } from "./ids.ts";
import { pageOf } from "./page.ts";

const kinds = new Set<number>(Object.values(ReactionKind));

/** The kinds of both contracts are the same. */
export function reactionOf(kind: ReactionKind): Reaction {
  if (kind === ReactionKind.UNSPECIFIED || !kinds.has(kind)) {
    throw invalid("kind", "must be one of those named in the contract");
  }
  return kind as number as Reaction;
}

export function likeRoutes(clients: Pick<Clients, "like" | "user" | "graph">): ServiceImpl<typeof LikeService> {
  const { like: likes } = clients;
  const subjectOf = (post: string) => ({ kind: SubjectKind.POST, id: postIdOf(post) });
  const commentOf = (comment: string) => ({ kind: SubjectKind.COMMENT, id: commentIdOf(comment) });

  async function reactors(
    subject: { readonly kind: SubjectKind; readonly id: string },
    { kind, ...page }: Parameters<typeof pageOf>[0] & { readonly kind?: ReactionKind | undefined },
    ctx: HandlerContext,
  ) {
    const reaction = kind === undefined ? Reaction.UNSPECIFIED : reactionOf(kind);
    const found = await likes.listReactions({ subject, reaction, ...pageOf(page) }, within(ctx));
    return { reactors: await shownReactors(found.reactors, clients, ctx), nextPageToken: found.nextPageToken };
  }

  return {
    async likePost({ post }, ctx) {
      await likes.like({ subject: subjectOf(post), reaction: Reaction.LIKE }, within(ctx));
      return { liked: true };
    },

    async unlikePost({ post }, ctx) {
      await likes.unlike({ subject: subjectOf(post), only: Reaction.LIKE }, within(ctx));
      return { liked: false };
    },

    async reactToPost({ post, kind }, ctx) {
      await likes.like({ subject: subjectOf(post), reaction: reactionOf(kind) }, within(ctx));
      return { reaction: kind };
    },

    async deletePostReaction({ post }, ctx) {
      await likes.unlike({ subject: subjectOf(post) }, within(ctx));
      return {};
    },

    async reactToComment({ comment, kind }, ctx) {
      await likes.like({ subject: commentOf(comment), reaction: reactionOf(kind) }, within(ctx));
      return { reaction: kind };
    },

    async deleteCommentReaction({ comment }, ctx) {
      await likes.unlike({ subject: commentOf(comment) }, within(ctx));
      return {};
    },

    listPostReactions: (request, ctx) => reactors(subjectOf(request.post), request, ctx),
    listCommentReactions: (request, ctx) => reactors(commentOf(request.comment), request, ctx),

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
