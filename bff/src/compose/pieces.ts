import type { HandlerContext } from "@connectrpc/connect";
import { within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import { type AuthorPiece, authorPiece, type PostPiece, postPiece } from "../view/piece.ts";
import { pieceCache, type Ref } from "./piece-cache.ts";

/** Of posts so much is kept, and as much of authors: some 30,000 posts, about 3 kB each. The head of a feed is read by many. */
const bytesUsual = 100_000_000;

/** Content by (id, version), in the order asked: from memory where it is, from its owner where it is not; undefined if gone. */
export type Pieces = {
  posts(refs: readonly Ref[], ctx: HandlerContext): Promise<readonly (PostPiece | undefined)[]>;
  authors(refs: readonly Ref[], ctx: HandlerContext): Promise<readonly (AuthorPiece | undefined)[]>;
};

/** Pages are at most 100 items and so is a batch: one call a noun and page. */
export function createPieces({ post, user }: Pick<Clients, "post" | "user">, bytesMax = bytesUsual): Pieces {
  const posts = pieceCache<PostPiece>("post_piece", bytesMax);
  const authors = pieceCache<AuthorPiece>("author_piece", bytesMax);
  return {
    posts: (refs, ctx) =>
      posts.get(refs, async (postIds) => {
        const answer = await post.batchGetPosts({ postIds: [...postIds] }, within(ctx));
        return answer.posts.map((slot) => slot.post && postPiece(slot.post));
      }),
    authors: (refs, ctx) =>
      authors.get(refs, async (userIds) => {
        const answer = await user.batchGetUsers({ userIds: [...userIds] }, within(ctx));
        return answer.users.map((slot) => slot.user && authorPiece(slot.user));
      }),
  };
}
