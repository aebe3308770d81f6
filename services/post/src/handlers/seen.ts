import type { HandlerContext } from "@connectrpc/connect";
import { anyViewerIdOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import { maySeePost } from "#lib/readmodel/audience.ts";
import { isRepost } from "#lib/readmodel/card.ts";
import { askedAbout, type StandingReader } from "#lib/readmodel/standing.ts";
import type { PostReadModel } from "../read-model.ts";
import type { StoredPost } from "../store.ts";

type Needs = { readonly readModel: Pick<PostReadModel, "load">; readonly standings: StandingReader };
type Context = Pick<HandlerContext, "values">;

/** Posts as the viewer of a call may see them. */
export function seeing({ readModel, standings }: Needs) {
  /** Those of some posts that the viewer may see. */
  async function among(ids: readonly bigint[], ctx: Context): Promise<Map<bigint, StoredPost>> {
    return seenOf(standings, [...(await readModel.load(ids)).values()], ctx);
  }

  return {
    among,

    /** One that the viewer may see; NOT_FOUND otherwise, and for a repost, which is no post of its own. */
    async require(postId: bigint, ctx: HandlerContext): Promise<StoredPost> {
      const post = (await among([postId], ctx)).get(postId);
      if (post === undefined || isRepost(post)) throw notFound("post");
      return post;
    },
  };
}

/** Those of some loaded posts that the viewer of a call may see, by id. */
export async function seenOf(
  standings: StandingReader,
  posts: readonly StoredPost[],
  ctx: Context,
): Promise<Map<bigint, StoredPost>> {
  const viewerId = anyViewerIdOf(ctx);
  const known = await standings(viewerId, askedAbout(viewerId, posts), within(ctx));
  const isSeen = (post: StoredPost) => maySeePost(viewerId, post, known.get(post.authorId));
  return new Map(posts.filter(isSeen).map((post) => [post.id, post]));
}
