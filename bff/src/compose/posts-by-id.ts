import type { HandlerContext } from "@connectrpc/connect";
import { callOf, within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import type { Rendered } from "../door/rendered.ts";
import { authorPiece, postPiece } from "../view/piece.ts";
import { postsPage, type ShownPost } from "../view/post.ts";
import type { Pieces } from "./pieces.ts";
import { noReactions, reactionsToAll } from "./posts.ts";
import { withQuotes } from "./quotes.ts";

/** A page of a list of ids, which an owner of something made for the viewer: posts as they are now, with what they quote. */
export async function postsByIdPage(
  { postIds, nextPageToken }: { readonly postIds: readonly string[]; readonly nextPageToken: string },
  needs: { readonly clients: Clients; readonly pieces: Pieces },
  ctx: HandlerContext,
): Promise<Rendered> {
  const shown = await postsById(postIds, needs.clients, ctx);
  return postsPage(await withQuotes(shown, needs, ctx), nextPageToken, callOf(ctx).viewerId);
}

/** Posts by id in the order given, asked from the owners of all that is shown; what is not there for the viewer is left out. */
export async function postsById(
  postIds: readonly string[],
  clients: Clients,
  ctx: HandlerContext,
): Promise<ShownPost[]> {
  if (postIds.length === 0) return [];
  const [{ posts }, reactions] = await Promise.all([
    clients.post.batchGetPosts({ postIds: [...postIds] }, within(ctx)),
    reactionsToAll(postIds, clients, ctx),
  ]);
  const userIds = [...new Set(posts.flatMap(({ post }) => post?.authorId ?? []))];
  if (userIds.length === 0) return [];
  const { users } = await clients.user.batchGetUsers({ userIds }, within(ctx));
  const authors = new Map(users.flatMap(({ user }) => (user ? [[user.id, authorPiece(user)] as const] : [])));
  return posts.flatMap(({ post }, nth) => {
    const author = post && authors.get(post.authorId);
    if (post === undefined || author === undefined) return [];
    return [{ post: postPiece(post), author, reactions: reactions[nth] ?? noReactions }];
  });
}
