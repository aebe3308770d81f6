import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import { lateShards } from "#lib/events/pending.ts";
import { anyViewerIdOf } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import { mayMeet, type ViewerId } from "#lib/readmodel/audience.ts";
import type { Card } from "#lib/readmodel/card.ts";
import type { VisiblePosts } from "#lib/readmodel/visible-post.ts";
import { parseId } from "#lib/storage/id.ts";
import type { CommentStore, StoredComment } from "../store.ts";

/** A comment or its tombstone; NOT_FOUND where there never was one. */
export async function find(store: Pick<CommentStore, "byIds">, sent: string): Promise<StoredComment> {
  const id = parseId(sent);
  const comment = id === undefined ? undefined : (await store.byIds([id])).get(id);
  if (comment === undefined) throw notFound("comment");
  return comment;
}

export function postIdOf(sent: string): bigint {
  const id = parseId(sent);
  if (id === undefined) throw notFound("post");
  return id;
}

/** Whether a comment stands for a viewer who may see its post: what is hidden is for who wrote it and for the post's author. */
export const stands = ({ deleted, hidden, authorId }: StoredComment, viewerId: ViewerId, card: Card): boolean =>
  !deleted && (!hidden || viewerId === authorId || viewerId === card.authorId);

/** Those comments that are there for the viewer of a call, by id: not removed, not hidden, by somebody whom they may meet. */
export async function seenBy(
  posts: VisiblePosts,
  comments: readonly StoredComment[],
  ctx: HandlerContext,
): Promise<Map<bigint, StoredComment>> {
  const viewerId = anyViewerIdOf(ctx);
  const [there, standings] = await Promise.all([
    posts.among([...new Set(comments.map(({ postId }) => postId))], ctx),
    posts.standings(
      comments.map(({ authorId }) => authorId),
      ctx,
    ),
  ]);
  const isSeen = (comment: StoredComment) => {
    const card = there.get(comment.postId);
    const { authorId } = comment;
    return card && stands(comment, viewerId, card) && mayMeet(viewerId, authorId, standings.get(authorId));
  };
  return new Map(comments.filter(isSeen).map((comment) => [comment.id, comment]));
}

/** One comment that is there for the viewer of a call; NOT_FOUND for all that is not. */
export async function seenOne(
  posts: VisiblePosts,
  comment: StoredComment,
  ctx: HandlerContext,
): Promise<StoredComment> {
  const seen = (await seenBy(posts, [comment], ctx)).get(comment.id);
  if (seen === undefined) throw notFound("comment");
  return seen;
}

/** Comments as they are shown, each with how many reply to it. */
export async function listed(
  store: Pick<CommentStore, "replyCounts">,
  page: readonly { readonly comment: StoredComment | undefined; readonly isStub: boolean }[],
  ctx: HandlerContext,
) {
  const comments = page.flatMap(({ comment }) => comment ?? []);
  const replies = await store.replyCounts(
    comments.map(({ id }) => id),
    lateShards(ctx, "comment"),
  );
  return page.flatMap(({ comment, isStub }) =>
    comment === undefined ? [] : [(isStub ? stubShown : shown)(comment, replies.get(comment.id))],
  );
}

/** A comment as its service answers it. */
export const shown = (comment: StoredComment, replyCount = 0) => ({
  ...placed(comment, replyCount),
  version: comment.version,
  authorId: String(comment.authorId),
  text: comment.text,
  hidden: comment.hidden,
  media: [...comment.media],
  ...(comment.facets !== undefined && { facets: comment.facets }),
  ...(comment.editTime !== undefined && { editTime: timestampFromDate(comment.editTime) }),
});

/** What holds replies together: without what was said, and by whom. */
const stubShown = (comment: StoredComment, replyCount = 0) => ({
  ...placed(comment, replyCount),
  removed: true,
});

const placed = ({ id, postId, parentId, rootId, depth, createTime }: StoredComment, replyCount: number) => ({
  id: String(id),
  postId: String(postId),
  parentId: parentId === 0n ? "" : String(parentId),
  rootId: String(rootId === 0n ? id : rootId),
  depth,
  createTime: timestampFromDate(createTime),
  replyCount: BigInt(Math.max(0, replyCount)),
});
