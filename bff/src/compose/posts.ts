import type { HandlerContext } from "@connectrpc/connect";
import type { Post as ShownPost } from "#gen/skein/api/v1/resources_pb.ts";
import type { FeedItem } from "#gen/skein/feed/v1/feed_pb.ts";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import type { Post } from "#gen/skein/post/v1/post_pb.ts";
import type { User } from "#gen/skein/user/v1/user_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { postView, type Reactions } from "../view/post.ts";
import type { Pieces } from "./pieces.ts";

/** A thin item with the post it stands for, as this viewer sees it. */
type ShownItem = { readonly item: FeedItem; readonly post: ShownPost };

/**
 * Fills thin items with content. An item whose post or author is gone since the skeleton was made is left out: the
 * page is short, and the feed goes on.
 */
export async function fillItems(items: readonly FeedItem[], pieces: Pieces, ctx: HandlerContext): Promise<ShownItem[]> {
  const postRefs = items.map(({ postId, postVersion }) => ({ id: postId, version: postVersion }));
  const authorRefs = items.map(({ authorId, authorVersion }) => ({ id: authorId, version: authorVersion }));
  const [posts, authors] = await Promise.all([pieces.posts(postRefs, ctx), pieces.authors(authorRefs, ctx)]);
  return shownItems(items, posts, authors, ctx);
}

/** The same for one author's page, whose author is known already. */
export async function fillAuthorItems(
  items: readonly FeedItem[],
  author: User,
  pieces: Pieces,
  ctx: HandlerContext,
): Promise<ShownItem[]> {
  const posts = await pieces.posts(
    items.map(({ postId, postVersion }) => ({ id: postId, version: postVersion })),
    ctx,
  );
  return shownItems(items, posts, new Map([[author.id, author]]), ctx);
}

function shownItems(
  items: readonly FeedItem[],
  posts: ReadonlyMap<string, Post>,
  authors: ReadonlyMap<string, User>,
  ctx: HandlerContext,
): ShownItem[] {
  const { viewerId } = callOf(ctx);
  return items.flatMap((item) => {
    const post = posts.get(item.postId);
    const author = authors.get(item.authorId);
    return post && author ? [{ item, post: postView(post, author, item, viewerId) }] : [];
  });
}

/** One post, asked from the owners of all that is shown: what was deleted a moment ago is not found. */
export async function onePost(id: string, clients: Clients, ctx: HandlerContext): Promise<ShownPost> {
  const [{ posts }, reactions] = await Promise.all([
    clients.post.batchGetPosts({ postIds: [id] }, within(ctx)),
    reactionsTo(id, clients, ctx),
  ]);
  const post = posts[0]?.post;
  if (post === undefined) throw notFound("post");
  return await withAuthor(post, reactions, clients, ctx);
}

/** How a post is liked and commented on, asked from the owners. */
export async function reactionsTo(id: string, { like, comment }: Clients, ctx: HandlerContext): Promise<Reactions> {
  const [{ likes }, { counts }] = await Promise.all([
    like.batchGetLikes({ subjects: [{ kind: SubjectKind.POST, id }] }, within(ctx)),
    comment.batchGetCommentCounts({ postIds: [id] }, within(ctx)),
  ]);
  return {
    likeCount: likes[0]?.count ?? 0n,
    commentCount: counts[0] ?? 0n,
    liked: likes[0]?.own === Reaction.LIKE,
  };
}

/** Nobody could react to what did not exist a moment ago. */
export const noReactions: Reactions = { likeCount: 0n, commentCount: 0n, liked: false };

/** A post that is known already, with its author. */
export async function withAuthor(
  post: Post,
  reactions: Reactions,
  { user }: Clients,
  ctx: HandlerContext,
): Promise<ShownPost> {
  const { users } = await user.batchGetUsers({ userIds: [post.authorId] }, within(ctx));
  const author = users[0]?.user;
  if (author === undefined) throw notFound("post");
  return postView(post, author, reactions, callOf(ctx).viewerId);
}
