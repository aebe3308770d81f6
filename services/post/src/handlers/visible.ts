import type { HandlerContext } from "@connectrpc/connect";
import { viewerOf } from "#lib/mesh/call.ts";
import { refilled } from "#lib/readmodel/refilled.ts";
import type { StandingReader } from "#lib/readmodel/standing.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { PostReadModel } from "../read-model.ts";
import { seeing } from "./seen.ts";

type Needs = { readonly readModel: Pick<PostReadModel, "load">; readonly standings: StandingReader };
type Asked = { readonly pageSize: number; readonly pageToken: string };
type Listed = { readonly place: bigint; readonly postId: bigint };

/** A page of a list of the viewer's own, without the posts that they may not see now. `scope` names the list. */
export async function ownPage(
  needs: Needs & { readonly pageTokens: PageTokens },
  { pageSize, pageToken, scope }: Asked & { readonly scope: string },
  read: (viewerId: bigint, before: bigint | undefined, limit: number) => Promise<readonly Listed[]>,
  ctx: HandlerContext,
): Promise<{ postIds: string[]; nextPageToken: string }> {
  const viewer = viewerOf(ctx);
  const { page, next } = await refilled({
    before: needs.pageTokens.decode(pageToken, scope, viewer),
    size: pageSizeOf(pageSize),
    read: (from: bigint | undefined, limit) => read(BigInt(viewer), from, limit),
    async keep(found) {
      const ids = found.map(({ postId }) => postId);
      const seen = await seeing(needs).among(ids, ctx);
      return found.filter(({ postId }) => seen.has(postId));
    },
  });
  return {
    postIds: page.map(({ postId }) => String(postId)),
    nextPageToken: next === undefined ? "" : needs.pageTokens.encode(next, scope, viewer),
  };
}
