import type { ServiceImpl } from "@connectrpc/connect";
import type { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { viewerOf } from "#lib/mesh/call.ts";
import { refilled } from "#lib/readmodel/refilled.ts";
import type { VisiblePosts } from "#lib/readmodel/visible-post.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { CommentStore } from "../store.ts";
import { listed, seenBy } from "./seen.ts";

type Needs = { readonly store: CommentStore; readonly posts: VisiblePosts; readonly pageTokens: PageTokens };

/** What the viewer said, where they may still see what it stands under. */
export const ownComments = ({
  store,
  posts,
  pageTokens,
}: Needs): Pick<ServiceImpl<typeof CommentService>, "listOwnComments"> => ({
  async listOwnComments(req, ctx) {
    const viewer = viewerOf(ctx);
    const { page: own, next } = await refilled({
      before: pageTokens.decode(req.pageToken, "own", viewer),
      size: pageSizeOf(req.pageSize),
      read: async (from: bigint | undefined, limit) =>
        (await store.listOwn(BigInt(viewer), from, limit)).map((comment) => ({ place: comment.id, comment })),
      async keep(found) {
        const seen = await seenBy(
          posts,
          found.map(({ comment }) => comment),
          ctx,
        );
        return found.filter(({ place }) => seen.has(place));
      },
    });
    const shownNow = own.map((entry) => ({ ...entry, isStub: false }));
    return {
      comments: await listed(store, shownNow, ctx),
      nextPageToken: next === undefined ? "" : pageTokens.encode(next, "own", viewer),
    };
  },
});
