import type { Client, HandlerContext } from "@connectrpc/connect";
import type { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { type Card, cards, decodeCard } from "./card.ts";
import { degradedTotal } from "./degraded-metrics.ts";
import { trusting } from "./trust.ts";

type Needs = { readonly redis: Redis; readonly post: Client<typeof PostService> };
type Context = Pick<HandlerContext, "values">;

/**
 * Whether a post is there for the viewer of a call, for services that hang something on posts: its card where Redis has
 * it (one round trip), the post service where not. NOT_FOUND for what never was, is gone, or is not for this viewer.
 */
export function visiblePosts({ redis, post }: Needs) {
  const trusted = trusting(redis, ["post"]);

  async function cardBytes(postId: bigint): Promise<Buffer | null> {
    await trusted();
    const [bytes] = await redis.run(redis.pipeline().getBuffer(cards.keyOf(redis, postId)));
    return bytes as Buffer | null;
  }

  async function find(postId: bigint, ctx: Context): Promise<Pick<Card, "authorId"> | undefined> {
    const bytes = await cardBytes(postId).catch(() => {
      degradedTotal.inc({ what: "card" });
      return undefined;
    });
    if (bytes) {
      const card = decodeCard(bytes);
      return card.deleted ? undefined : card;
    }
    const { posts } = await post.batchGetPosts({ postIds: [String(postId)] }, within(ctx));
    const found = posts[0]?.post;
    return found && { authorId: BigInt(found.authorId) };
  }

  return {
    find,
    async require(postId: bigint, ctx: Context): Promise<Pick<Card, "authorId">> {
      const found = await find(postId, ctx);
      if (found === undefined) throw notFound("post");
      return found;
    },
  };
}

export type VisiblePosts = ReturnType<typeof visiblePosts>;
