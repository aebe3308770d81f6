import type { HandlerContext } from "@connectrpc/connect";
import type { Post } from "#gen/skein/post/v1/post_pb.ts";
import type { User } from "#gen/skein/user/v1/user_pb.ts";
import { within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import { pieceCache, type Ref } from "./piece-cache.ts";

/** Posts, and as many authors, that are kept, about 1 kB and 300 bytes each: the head of a feed is read by many. */
const piecesUsual = 50_000;

/** Content by (id, version): from memory where it is, from its owner where it is not. */
export type Pieces = {
  posts(refs: readonly Ref[], ctx: HandlerContext): Promise<ReadonlyMap<string, Post>>;
  authors(refs: readonly Ref[], ctx: HandlerContext): Promise<ReadonlyMap<string, User>>;
};

/** Pages are at most 100 items and so is a batch: one call a noun and page. */
export function createPieces({ post, user }: Pick<Clients, "post" | "user">, max = piecesUsual): Pieces {
  const posts = pieceCache<Post>("post_piece", max);
  const authors = pieceCache<User>("author_piece", max);
  return {
    posts: (refs, ctx) =>
      posts.get(refs, async (postIds) => {
        const answer = await post.batchGetPosts({ postIds: [...postIds] }, within(ctx));
        return answer.posts.map((slot) => slot.post);
      }),
    authors: (refs, ctx) =>
      authors.get(refs, async (userIds) => {
        const answer = await user.batchGetUsers({ userIds: [...userIds] }, within(ctx));
        return answer.users.map((slot) => slot.user);
      }),
  };
}
