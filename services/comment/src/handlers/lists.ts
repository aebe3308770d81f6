import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { CommentOrder, type CommentService, type ListCommentsRequest } from "#gen/skein/comment/v1/comment_pb.ts";
import { anyViewerIdOf } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import type { ViewerId } from "#lib/readmodel/audience.ts";
import type { Card } from "#lib/readmodel/card.ts";
import { metPage } from "#lib/readmodel/met-page.ts";
import type { VisiblePosts } from "#lib/readmodel/visible-post.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { CommentStore, Level, LivelyPlace, StoredComment } from "../store.ts";
import { find, listed, postIdOf, stands } from "./seen.ts";

type Needs = { readonly store: CommentStore; readonly posts: VisiblePosts; readonly pageTokens: PageTokens };

/** An entry of a level, for one viewer: a comment as it stands, a stub for its replies, or nothing to show. */
type Entry<P> = {
  readonly place: P;
  readonly comment: StoredComment | undefined;
  readonly isStub: boolean;
  readonly userId: bigint | undefined;
  readonly absent: boolean;
};

/** One level of the tree under a post, in the order that is asked for. */
export function commentLists({
  store,
  posts,
  pageTokens,
}: Needs): Pick<ServiceImpl<typeof CommentService>, "listComments"> {
  /** Which level is asked for; NOT_FOUND where what it hangs on is gone. */
  async function levelOf({ postId, parentId }: ListCommentsRequest): Promise<Level> {
    if (parentId === "") return { postId: postIdOf(postId), parentId: 0n };
    const parent = await find(store, parentId);
    if (parent.deleted && !parent.stub) throw notFound("comment");
    return { postId: parent.postId, parentId: parent.id };
  }

  /** What of some places there is for a viewer: what they may not see is a stub where replies hang on it. */
  async function entries<P>(
    all: readonly { readonly place: P; readonly comment: StoredComment | undefined }[],
    { viewerId, card }: { readonly viewerId: ViewerId; readonly card: Card },
  ): Promise<Entry<P>[]> {
    const isHidden = (comment: StoredComment) => !comment.deleted && !stands(comment, viewerId, card);
    const hidden = all.flatMap(({ comment }) => (comment !== undefined && isHidden(comment) ? [comment] : []));
    const replied = await store.replied(hidden);
    return all.map(({ place, comment }) => {
      const isShown = comment !== undefined && stands(comment, viewerId, card);
      const isStub = !isShown && comment !== undefined && (comment.stub || replied.has(comment.id));
      return { place, comment, isStub, userId: isShown ? comment.authorId : undefined, absent: !isShown && !isStub };
    });
  }

  async function page<P>(
    { before, size, read }: { before: P | undefined; size: number; read: Read<P> },
    viewer: { readonly viewerId: ViewerId; readonly card: Card },
    ctx: HandlerContext,
  ) {
    const met = await metPage<Entry<P>, P>({
      viewerId: viewer.viewerId,
      before,
      size,
      read: async (from, limit) => entries(await read(from, limit), viewer),
      standings: (userIds) => posts.standings(userIds, ctx),
    });
    return { comments: await listed(store, met.page, ctx), next: met.next };
  }

  return {
    async listComments(req, ctx) {
      const size = pageSizeOf(req.pageSize);
      const order = orderOf(req.order);
      const level = await levelOf(req);
      const scope = `comments:${level.postId}${level.parentId === 0n ? "" : `:${level.parentId}`}`;
      const tokens = livelyTokens(pageTokens, `lively:${scope}`);
      const isLively = order === CommentOrder.LIVELIEST;
      const lively = isLively ? tokens.decode(req.pageToken) : undefined;
      const latest = isLively ? undefined : pageTokens.decode(req.pageToken, scope);
      const viewer = { viewerId: anyViewerIdOf(ctx), card: await posts.require(level.postId, ctx) };
      if (isLively) {
        const read: Read<LivelyPlace> = (from, limit) => store.listLively(level, from, limit);
        const { comments, next } = await page({ before: lively, size, read }, viewer, ctx);
        return { comments, nextPageToken: next === undefined ? "" : tokens.encode(next) };
      }
      const read: Read<bigint> = async (from, limit) =>
        (await store.list(level, from, limit)).map((comment) => ({ place: comment.id, comment }));
      const { comments, next } = await page({ before: latest, size, read }, viewer, ctx);
      return { comments, nextPageToken: next === undefined ? "" : pageTokens.encode(next, scope) };
    },
  };
}

/** Places of a level below one, and what stands there; undefined for what was removed. */
type Read<P> = (
  from: P | undefined,
  limit: number,
) => Promise<readonly { readonly place: P; readonly comment: StoredComment | undefined }[]>;

function orderOf(sent: CommentOrder): CommentOrder {
  if (sent === CommentOrder.UNSPECIFIED) return CommentOrder.LATEST;
  if (sent !== CommentOrder.LATEST && sent !== CommentOrder.LIVELIEST) {
    throw invalid("order", "must be one of those named in the contract");
  }
  return sent;
}

/** Page tokens of two parts: the id, and how lively it was then. */
function livelyTokens(tokens: PageTokens, scope: string) {
  const scopeOf = (id: bigint) => `${scope}:${id}`;
  return {
    encode: ({ heat, id }: LivelyPlace): string =>
      `${tokens.encode(id, scope)}.${tokens.encode(BigInt(heat), scopeOf(id))}`,
    decode(token: string): LivelyPlace | undefined {
      if (token === "") return undefined;
      const [first = "", second = ""] = token.split(".");
      // What has no second part is no token of ours, and is refused as one that is signed for something else.
      const id = tokens.decode(first || "-", scope) ?? 0n;
      return { id, heat: Number(tokens.decode(second || "-", scopeOf(id))) };
    },
  };
}
