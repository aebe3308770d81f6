import type { CallOptions, Client, HandlerContext } from "@connectrpc/connect";
import type { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import type { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { viewerOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import { isRedisAway, type Redis } from "#lib/storage/redis.ts";
import { maySeePost, mayWrite } from "./audience.ts";
import { type Card, cards, decodeCard } from "./card.ts";
import { degradedTotal } from "./degraded-metrics.ts";
import { mustBeOpen, type Standings, standingReader, viewerIdOf } from "./standing.ts";
import { trusting } from "./trust.ts";

type Needs = {
  readonly redis: Redis;
  readonly post: Client<typeof PostService>;
  readonly graph: Client<typeof GraphService>;
};
type Context = Pick<HandlerContext, "values">;

/**
 * Whether a post is there for the viewer of a call, for services that hang something on posts: its card and how its author
 * stands to the viewer, from Redis (two round trips, for the card names the author), from their owners where Redis has
 * nothing. NOT_FOUND for what never was, is gone, or is not for this viewer: the three look the same.
 */
export function visiblePosts({ redis, post, graph }: Needs) {
  const trusted = trusting(redis, ["post"]);
  const standings = standingReader(redis, graph);

  async function keptCards(postIds: readonly bigint[]): Promise<Map<bigint, Card>> {
    await trusted();
    const [values] = await redis.run(redis.pipeline().mgetBuffer(...postIds.map((id) => cards.keyOf(redis, id))));
    return new Map(
      postIds.flatMap((id, nth) => {
        const bytes = (values as (Buffer | null)[])[nth];
        return bytes ? [[id, decodeCard(bytes)] as const] : [];
      }),
    );
  }

  async function find(postId: bigint, ctx: Context): Promise<Card | undefined> {
    const viewerId = viewerIdOf(ctx);
    const card = (await cardsOf([postId], within(ctx))).get(postId);
    if (card === undefined || card.deleted) return undefined;
    const known = await standings(viewerId, [card.authorId], within(ctx));
    return maySeePost(viewerId, card, known.get(card.authorId)) ? card : undefined;
  }

  /** Cards of many posts, by as many round trips as of one. */
  async function cardsOf(postIds: readonly bigint[], options: CallOptions): Promise<Map<bigint, Card>> {
    const kept = await keptCards(postIds).catch((reason: unknown) => {
      if (!isRedisAway(reason)) throw reason;
      degradedTotal.inc({ what: "card" });
      return new Map<bigint, Card>();
    });
    const missing = postIds.filter((id) => !kept.has(id));
    return missing.length === 0 ? kept : new Map([...kept, ...(await cardsByTruth(post, missing, options))]);
  }

  return {
    find,

    /** Which of some posts are there for the viewer of a call. */
    async among(postIds: readonly bigint[], ctx: Context): Promise<ReadonlySet<bigint>> {
      if (postIds.length === 0) return new Set();
      const viewerId = viewerIdOf(ctx);
      const known = await cardsOf(postIds, within(ctx));
      const authorIds = [...known.values()].map(({ authorId }) => authorId);
      const stands = await standings(viewerId, authorIds, within(ctx));
      const maySee = (card: Card) => maySeePost(viewerId, card, stands.get(card.authorId));
      return new Set([...known].flatMap(([id, card]) => (maySee(card) ? [id] : [])));
    },

    /** How people stand to the viewer of a call: whose comments and likes they meet. */
    standings: (userIds: readonly bigint[], ctx: Context): Promise<Standings> =>
      standings(viewerIdOf(ctx), userIds, within(ctx)),

    /** PERMISSION_DENIED where the viewer's own account is not open. */
    mayWrite: (ctx: Context): Promise<void> => mustBeOpen(standings, BigInt(viewerOf(ctx)), within(ctx)),

    async require(postId: bigint, ctx: Context): Promise<Card> {
      const found = await find(postId, ctx);
      if (found === undefined) throw notFound("post");
      return found;
    },

    /** The same for who would hang something on it: PERMISSION_DENIED where the viewer's own account is not open. */
    async requireToWrite(postId: bigint, ctx: Context): Promise<Card> {
      const viewerId = BigInt(viewerOf(ctx));
      const card = (await cardsOf([postId], within(ctx))).get(postId);
      const authorIds = card === undefined ? [] : [card.authorId];
      const known = await standings(viewerId, [viewerId, ...authorIds], within(ctx));
      mayWrite(known.get(viewerId));
      if (card === undefined || !maySeePost(viewerId, card, known.get(card.authorId))) throw notFound("post");
      return card;
    },
  };
}

export type VisiblePosts = ReturnType<typeof visiblePosts>;

/** Ids in one call of post. */
const batchMax = 100;

/** Cards from truth, which leaves them in the read model; a post that never was is not in the map. */
export async function cardsByTruth(
  post: Pick<Client<typeof PostService>, "batchGetCards">,
  postIds: readonly bigint[],
  options: CallOptions,
): Promise<Map<bigint, Card>> {
  const found = new Map<bigint, Card>();
  for (let at = 0; at < postIds.length; at += batchMax) {
    const ids = postIds.slice(at, at + batchMax);
    const { cards: slots } = await post.batchGetCards({ postIds: ids.map(String) }, options);
    for (const [nth, id] of ids.entries()) {
      const card = slots[nth]?.card;
      if (card === undefined) continue;
      const { version, authorId, deleted, audience, mentionedUserIds } = card;
      found.set(id, { version: Number(version), authorId, deleted, audience, mentionedIds: mentionedUserIds });
    }
  }
  return found;
}
