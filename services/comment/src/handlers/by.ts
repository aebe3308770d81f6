import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { viewerOf } from "#lib/mesh/call.ts";
import { refilled } from "#lib/readmodel/refilled.ts";
import type { VisiblePosts } from "#lib/readmodel/visible-post.ts";
import { idOf } from "#lib/storage/id.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { CommentStore, StoredComment } from "../store.ts";
import { listed, seenBy } from "./seen.ts";

type List = {
  readonly scope: string;
  readonly viewer?: string;
  readonly read: (before: bigint | undefined, limit: number) => Promise<readonly StoredComment[]>;
};
type Asked = { readonly pageSize: number; readonly pageToken: string };
type Needs = { readonly store: CommentStore; readonly posts: VisiblePosts; readonly pageTokens: PageTokens };

/** What somebody said, and where somebody is named, latest first: where its reader may see it, and what it stands under. */
export function commentsBy({
  store,
  posts,
  pageTokens,
}: Needs): Pick<ServiceImpl<typeof CommentService>, "listOwnComments" | "listUserComments" | "listCommentMentions"> {
  async function page(list: List, { pageSize, pageToken }: Asked, ctx: HandlerContext) {
    const { scope, viewer, read } = list;
    const { page: found, next } = await refilled({
      before: pageTokens.decode(pageToken, scope, viewer),
      size: pageSizeOf(pageSize),
      read: async (from: bigint | undefined, limit) =>
        (await read(from, limit)).map((comment) => ({ place: comment.id, comment })),
      async keep(some) {
        const comments = some.map(({ comment }) => comment);
        const seen = await seenBy(posts, comments, ctx);
        return some.filter(({ place }) => seen.has(place));
      },
    });
    const shownNow = found.map((entry) => ({ ...entry, isStub: false }));
    return {
      comments: await listed(store, shownNow, ctx),
      nextPageToken: next === undefined ? "" : pageTokens.encode(next, scope, viewer),
    };
  }

  return {
    listOwnComments(req, ctx) {
      const viewer = viewerOf(ctx);
      const read: List["read"] = (from, limit) => store.listBy(BigInt(viewer), from, limit);
      return page({ scope: "own", viewer, read }, req, ctx);
    },

    listUserComments(req, ctx) {
      const authorId = idOf(req.userId, "user_id");
      const read: List["read"] = (from, limit) => store.listBy(authorId, from, limit);
      return page({ scope: `by:${authorId}`, read }, req, ctx);
    },

    listCommentMentions(req, ctx) {
      const viewer = viewerOf(ctx);
      const read: List["read"] = (from, limit) => store.listNaming(BigInt(viewer), from, limit);
      return page({ scope: "naming", viewer, read }, req, ctx);
    },
  };
}
