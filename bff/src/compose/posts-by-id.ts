import { fromBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { ListUserPostsResponseSchema } from "#gen/skein/api/v1/post_pb.ts";
import type { Post } from "#gen/skein/api/v1/resources_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { isAway } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { Rendered } from "../door/rendered.ts";
import { authorPiece, postPiece } from "../view/piece.ts";
import { postsPage, type ShownPost } from "../view/post.ts";
import type { Pieces } from "./pieces.ts";
import { noReactions, reactionsToAll, sharesIn } from "./posts.ts";
import { withSlots } from "./slots.ts";

/** A page of a list of ids, which an owner of something made for the viewer: posts as they are now, with what they quote. */
export async function postsByIdPage(
  { postIds, nextPageToken }: { readonly postIds: readonly string[]; readonly nextPageToken: string },
  needs: { readonly clients: Clients; readonly pieces: Pieces },
  ctx: HandlerContext,
): Promise<Rendered> {
  const shown = await postsById(postIds, needs.clients, ctx);
  return postsPage(await withSlots(shown, needs, ctx), nextPageToken, callOf(ctx).viewerId);
}

/** What some comments stand under, each post once, in their order. While an owner of posts is away the comments stand alone. */
export async function postsUnder(
  comments: readonly { readonly postId: string }[],
  needs: { readonly clients: Clients; readonly pieces: Pieces },
  ctx: HandlerContext,
): Promise<Post[]> {
  const postIds = [...new Set(comments.map(({ postId }) => postId))];
  if (postIds.length === 0) return [];
  const page = await postsByIdPage({ postIds, nextPageToken: "" }, needs, ctx).catch((reason) =>
    isAway(reason) ? undefined : Promise.reject(reason),
  );
  return page === undefined ? [] : fromBinary(ListUserPostsResponseSchema, page.binary()).posts;
}

/** Posts by id in the order given, asked from the owners of all that is shown; what is not there for the viewer is left out. */
async function postsById(postIds: readonly string[], clients: Clients, ctx: HandlerContext): Promise<ShownPost[]> {
  if (postIds.length === 0) return [];
  const [{ posts }, reactions] = await Promise.all([
    clients.post.batchGetPosts({ postIds: [...postIds] }, within(ctx)),
    reactionsToAll(postIds, clients, ctx),
  ]);
  const userIds = [...new Set(posts.flatMap(({ post }) => post?.authorId ?? []))];
  if (userIds.length === 0) return [];
  const { users } = await clients.user.batchGetUsers({ userIds }, within(ctx));
  const authors = new Map(users.flatMap(({ user }) => (user ? [[user.id, authorPiece(user)] as const] : [])));
  return posts.flatMap((found, nth) => {
    const { post } = found;
    const author = post && authors.get(post.authorId);
    if (post === undefined || author === undefined) return [];
    const beside = { ...(reactions[nth] ?? noReactions), ...sharesIn(found) };
    return [{ post: postPiece(post), author, reactions: beside }];
  });
}
