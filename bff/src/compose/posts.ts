import type { HandlerContext } from "@connectrpc/connect";
import type { FeedItem } from "#gen/skein/feed/v1/feed_pb.ts";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { type Post, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import type { User } from "#gen/skein/user/v1/user_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { type AuthorPiece, authorPiece, type PostPiece, postPiece } from "../view/piece.ts";
import type { Reactions, ShownPost } from "../view/post.ts";
import type { Pieces } from "./pieces.ts";

/** A thin item with its content. */
type FilledItem = { readonly item: FeedItem; readonly post: PostPiece; readonly author: AuthorPiece };

/**
 * Fills thin items with content. An item whose post or author is gone since the skeleton was made is left out: the
 * page is short, and the feed goes on.
 */
export async function fillItems(
  items: readonly FeedItem[],
  pieces: Pieces,
  ctx: HandlerContext,
): Promise<FilledItem[]> {
  const authorRefs = items.map(({ authorId, authorVersion }) => ({ id: authorId, version: authorVersion }));
  const [posts, authors] = await Promise.all([postsOf(items, pieces, ctx), pieces.authors(authorRefs, ctx)]);
  return filledItems(items, posts, (nth) => authors[nth]);
}

/** The same for one author's page, whose author is known already. */
export async function fillAuthorItems(
  items: readonly FeedItem[],
  author: User,
  pieces: Pieces,
  ctx: HandlerContext,
): Promise<FilledItem[]> {
  const own = authorPiece(author);
  return filledItems(items, await postsOf(items, pieces, ctx), () => own);
}

const postsOf = (items: readonly FeedItem[], pieces: Pieces, ctx: HandlerContext) =>
  pieces.posts(
    items.map(({ postId, postVersion }) => ({ id: postId, version: postVersion })),
    ctx,
  );

function filledItems(
  items: readonly FeedItem[],
  posts: readonly (PostPiece | undefined)[],
  authorOf: (nth: number) => AuthorPiece | undefined,
): FilledItem[] {
  const filled: FilledItem[] = [];
  for (const [nth, item] of items.entries()) {
    const [post, author] = [posts[nth], authorOf(nth)];
    if (post !== undefined && author !== undefined) filled.push({ item, post, author });
  }
  return filled;
}

/** One post, asked from the owners of all that is shown: what was deleted a moment ago is not found. */
export async function postNow(id: string, clients: Clients, ctx: HandlerContext): Promise<ShownPost> {
  const [{ posts }, reactions] = await Promise.all([
    clients.post.batchGetPosts({ postIds: [id] }, within(ctx)),
    reactionsTo(id, clients, ctx),
  ]);
  const post = posts[0]?.post;
  // A repost is shown where it stands, in feeds, and is no post of its own.
  if (post === undefined || post.replySetting === ReplySetting.REPOST) throw notFound("post");
  return await withAuthor(post, reactions, clients, ctx);
}

/** How a post is liked and commented on, asked from the owners. */
export const reactionsTo = async (id: string, clients: Clients, ctx: HandlerContext): Promise<Reactions> =>
  (await reactionsToAll([id], clients, ctx))[0] ?? noReactions;

/** The same of many, in the order given: one call a noun. */
export async function reactionsToAll(
  postIds: readonly string[],
  { like, comment, post }: Clients,
  ctx: HandlerContext,
): Promise<Reactions[]> {
  const subjects = postIds.map((id) => ({ kind: SubjectKind.POST, id }));
  const ids = [...postIds];
  const [{ likes }, { counts }, { saved }] = await Promise.all([
    like.batchGetLikes({ subjects }, within(ctx)),
    comment.batchGetCommentCounts({ postIds: ids }, within(ctx)),
    callOf(ctx).viewerId === undefined ? { saved: [] } : post.batchGetSaves({ postIds: ids }, within(ctx)),
  ]);
  return ids.map((_, nth) => {
    const { count = 0n, own = Reaction.UNSPECIFIED, others = [] } = likes[nth] ?? {};
    return {
      likeCount: count,
      commentCount: counts[nth] ?? 0n,
      liked: own === Reaction.LIKE,
      otherReactions: others,
      viewerReaction: own,
      saved: saved[nth] ?? false,
    };
  });
}

/** Nobody could react to what did not exist a moment ago. */
export const noReactions: Reactions = {
  likeCount: 0n,
  commentCount: 0n,
  liked: false,
  otherReactions: [],
  viewerReaction: Reaction.UNSPECIFIED,
  saved: false,
};

/** The same where the version of the author's profile is known: from memory, mostly. 0 is not known. */
export async function withKnownAuthor(
  post: Post,
  authorVersion: bigint,
  reactions: Reactions,
  { clients, pieces }: { readonly clients: Clients; readonly pieces: Pieces },
  ctx: HandlerContext,
): Promise<ShownPost> {
  if (authorVersion === 0n) return await withAuthor(post, reactions, clients, ctx);
  const [author] = await pieces.authors([{ id: post.authorId, version: authorVersion }], ctx);
  if (author === undefined) throw notFound("post");
  return { post: postPiece(post), author, reactions };
}

/** A post that is known already, with its author. */
async function withAuthor(
  post: Post,
  reactions: Reactions,
  { user }: Clients,
  ctx: HandlerContext,
): Promise<ShownPost> {
  const { users } = await user.batchGetUsers({ userIds: [post.authorId] }, within(ctx));
  const author = users[0]?.user;
  if (author === undefined) throw notFound("post");
  return { post: postPiece(post), author: authorPiece(author), reactions };
}
