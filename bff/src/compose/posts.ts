import type { HandlerContext } from "@connectrpc/connect";
import { ReplyRefusal } from "#gen/skein/comment/v1/comment_pb.ts";
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

/** A thin item with its content, and who passed it on where that is why it is here. */
type FilledItem = {
  readonly item: FeedItem;
  readonly post: PostPiece;
  readonly author: AuthorPiece;
  readonly repostedBy?: AuthorPiece;
};

/**
 * Fills thin items with content. An item whose post or author is gone since the skeleton was made is left out: the
 * page is short, and the feed goes on.
 */
export async function fillItems(
  items: readonly FeedItem[],
  pieces: Pieces,
  ctx: HandlerContext,
): Promise<FilledItem[]> {
  const refs = items.map(({ authorId, authorVersion }) => ({ id: authorId, version: authorVersion }));
  const reposterAt = new Map<FeedItem, number>();
  for (const item of items) {
    if (item.repostedById === "") continue;
    reposterAt.set(item, refs.length);
    refs.push({ id: item.repostedById, version: item.repostedByVersion });
  }
  const [posts, authors] = await Promise.all([postsOf(items, pieces, ctx), pieces.authors(refs, ctx)]);
  const reposterOf = (item: FeedItem) => authors[reposterAt.get(item) ?? -1];
  return filledItems(items, posts, (nth) => authors[nth], reposterOf);
}

/** The same for one author's page, whose author is known already; others wrote what that one passed on. */
export async function fillAuthorItems(
  items: readonly FeedItem[],
  author: User,
  pieces: Pieces,
  ctx: HandlerContext,
): Promise<FilledItem[]> {
  const own = authorPiece(author);
  const others = items.flatMap(({ authorId, authorVersion }) =>
    authorId === author.id ? [] : [{ id: authorId, version: authorVersion }],
  );
  const [posts, found] = await Promise.all([
    postsOf(items, pieces, ctx),
    others.length === 0 ? [] : pieces.authors(others, ctx),
  ]);
  const byId = new Map(found.map((piece) => [piece?.id, piece]));
  const authorOf = (id = "") => (id === author.id ? own : byId.get(id));
  return filledItems(
    items,
    posts,
    (nth) => authorOf(items[nth]?.authorId),
    () => own,
  );
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
  reposterOf: (item: FeedItem) => AuthorPiece | undefined,
): FilledItem[] {
  const filled: FilledItem[] = [];
  for (const [nth, item] of items.entries()) {
    const [post, author] = [posts[nth], authorOf(nth)];
    if (post === undefined || author === undefined) continue;
    const repostedBy = item.repostedById === "" ? undefined : reposterOf(item);
    if (repostedBy !== undefined) filled.push({ item, post, author, repostedBy });
    else if (item.repostedById === "") filled.push({ item, post, author });
  }
  return filled;
}

/** One post, asked from the owners of all that is shown: what was deleted a moment ago is not found. */
export async function postNow(id: string, clients: Clients, ctx: HandlerContext): Promise<ShownPost> {
  const [{ posts }, reactions] = await Promise.all([
    clients.post.batchGetPosts({ postIds: [id] }, within(ctx)),
    reactionsTo(id, clients, ctx),
  ]);
  const [found] = posts;
  // A repost is shown where it stands, in feeds, and is no post of its own.
  if (found?.post === undefined || found.post.replySetting === ReplySetting.REPOST) throw notFound("post");
  return await withAuthor(found.post, { ...reactions, ...sharesIn(found) }, clients, ctx);
}

/** How often a post is passed on and kept. */
export const sharesIn = ({ repostCount, quoteCount, saveCount }: Shares): Shares => ({
  repostCount,
  quoteCount,
  saveCount,
});
type Shares = Pick<Reactions, "repostCount" | "quoteCount" | "saveCount">;

/** The same of a post that a write answered. */
export const reactionsBeside = async (
  edited: Shares,
  id: string,
  clients: Clients,
  ctx: HandlerContext,
): Promise<Reactions> => ({ ...(await reactionsTo(id, clients, ctx)), ...sharesIn(edited) });

/** How a post is liked and commented on, asked from the owners; how often it is passed on, its own row says. */
const reactionsTo = async (id: string, clients: Clients, ctx: HandlerContext): Promise<Reactions> =>
  (await reactionsToAll([id], clients, ctx))[0] ?? noReactions;

/** The same of many, in the order given: one call a noun. */
export async function reactionsToAll(
  postIds: readonly string[],
  { like, comment, post }: Clients,
  ctx: HandlerContext,
): Promise<Reactions[]> {
  const subjects = postIds.map((id) => ({ kind: SubjectKind.POST, id }));
  const ids = [...postIds];
  const [{ likes }, { counts, refusals }, { saved, reposted }] = await Promise.all([
    like.batchGetLikes({ subjects }, within(ctx)),
    comment.batchGetCommentCounts({ postIds: ids }, within(ctx)),
    callOf(ctx).viewerId === undefined
      ? { saved: [], reposted: [] }
      : post.batchGetSaves({ postIds: ids }, within(ctx)),
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
      reposted: reposted[nth] ?? false,
      replyRefusal: refusals[nth] ?? ReplyRefusal.UNSPECIFIED,
      repostCount: 0n,
      quoteCount: 0n,
      saveCount: 0n,
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
  reposted: false,
  replyRefusal: ReplyRefusal.UNSPECIFIED,
  repostCount: 0n,
  quoteCount: 0n,
  saveCount: 0n,
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
