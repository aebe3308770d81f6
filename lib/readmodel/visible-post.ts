import { type CallOptions, type Client, Code, type HandlerContext } from "@connectrpc/connect";
import type { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import type { PostService, Card as SentCard } from "#gen/skein/post/v1/post_pb.ts";
import { anyViewerIdOf, viewerOf, within } from "#lib/mesh/call.ts";
import { notFound, problem } from "#lib/mesh/errors.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { mayReply, maySeePost, mayWrite, type Standing, type ViewerId } from "./audience.ts";
import { type Card, cards, decodeCard, isRepost } from "./card.ts";
import { keptSoon } from "./passing.ts";
import { askedAbout, mustBeOpen, type Standings, standingReader } from "./standing.ts";
import { trusting } from "./trust.ts";

type Needs = {
  readonly redis: Redis;
  readonly post: Client<typeof PostService>;
  readonly graph: Client<typeof GraphService>;
};
type Context = Pick<HandlerContext, "values">;
/** A post's card, and how its author stands to a viewer. */
type Placed = { readonly card: Card; readonly standing: Standing | undefined };

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
    const keys = postIds.map((id) => cards.keyOf(redis, id));
    const [values] = await redis.run(redis.values(redis.pipeline(), keys));
    const bytes = values as (Buffer | null)[];
    return new Map(postIds.flatMap((id, nth) => (bytes[nth] ? [[id, decodeCard(bytes[nth])] as const] : [])));
  }

  async function find(postId: bigint, ctx: Context): Promise<Card | undefined> {
    const viewerId = anyViewerIdOf(ctx);
    const { cards: found, kept } = await cardsOf([postId], within(ctx));
    const card = found.get(postId);
    const known = await standings(viewerId, askedAbout(viewerId, card === undefined ? [] : [card]), within(ctx));
    if (card !== undefined && isThere(viewerId, card, known.get(card.authorId))) return card;
    await lookAgain(kept, ctx);
    return undefined;
  }

  /** Cards of many posts, by as many round trips as of one, and the posts whose cards Redis had. */
  async function cardsOf(postIds: readonly bigint[], options: CallOptions) {
    const known = (await keptSoon("card", () => keptCards(postIds))) ?? new Map<bigint, Card>();
    const [kept, missing] = [[...known.keys()], postIds.filter((id) => !known.has(id))];
    if (missing.length === 0) return { cards: known, kept };
    return { cards: new Map([...known, ...(await cardsByTruth(post, missing, options))]), kept };
  }

  /**
   * Asks truth for posts that are hidden by what Redis has. For a post that never was truth is asked because Redis has nothing:
   * so both refusals take the same steps, and time does not tell them apart.
   */
  async function lookAgain(hidden: readonly bigint[], ctx: Context): Promise<void> {
    if (hidden.length > 0) await cardsByTruth(post, hidden, within(ctx));
  }

  async function toWrite(postId: bigint, ctx: Context) {
    const viewerId = BigInt(viewerOf(ctx));
    const { cards: found, kept } = await cardsOf([postId], within(ctx));
    const card = found.get(postId);
    const known = await standings(
      viewerId,
      [viewerId, ...askedAbout(viewerId, card === undefined ? [] : [card])],
      within(ctx),
    );
    mayWrite(known.get(viewerId));
    const standing = card && known.get(card.authorId);
    if (card !== undefined && isThere(viewerId, card, standing)) return { card, standing };
    await lookAgain(kept, ctx);
    throw notFound("post");
  }

  /** Those of some posts which are there for the viewer of a call, by id, each with how its author stands to them. */
  async function standingAmong(postIds: readonly bigint[], ctx: Context): Promise<ReadonlyMap<bigint, Placed>> {
    if (postIds.length === 0) return new Map();
    const viewerId = anyViewerIdOf(ctx);
    const { cards: known, kept } = await cardsOf(postIds, within(ctx));
    const stands = await standings(viewerId, askedAbout(viewerId, known.values()), within(ctx));
    const seen = new Map<bigint, Placed>();
    for (const [id, card] of known) {
      const standing = stands.get(card.authorId);
      if (isThere(viewerId, card, standing)) seen.set(id, { card, standing });
    }
    await lookAgain(
      kept.filter((id) => !seen.has(id)),
      ctx,
    );
    return seen;
  }

  return {
    find,

    standingAmong,

    /** Those of some posts which are there for the viewer of a call, by id. */
    among: async (postIds: readonly bigint[], ctx: Context): Promise<ReadonlyMap<bigint, Card>> =>
      new Map([...(await standingAmong(postIds, ctx))].map(([id, { card }]) => [id, card])),

    /** How people stand to the viewer of a call: whose comments and likes they meet. */
    standings: (userIds: readonly bigint[], ctx: Context): Promise<Standings> =>
      standings(anyViewerIdOf(ctx), userIds, within(ctx)),

    /** PERMISSION_DENIED where the viewer's own account is not open. */
    mayWrite: (ctx: Context): Promise<void> => mustBeOpen(standings, BigInt(viewerOf(ctx)), within(ctx)),

    async require(postId: bigint, ctx: Context): Promise<Card> {
      const found = await find(postId, ctx);
      if (found === undefined) throw notFound("post");
      return found;
    },

    /**
     * The same for who would hang something on it: PERMISSION_DENIED where the viewer's own account is not open.
     */
    requireToWrite: async (postId: bigint, ctx: Context): Promise<Card> => (await toWrite(postId, ctx)).card,

    /**
     * The same for who would reply, and whether they follow whose it is: PERMISSION_DENIED, `reply-not-allowed`, where the post's
     * author wants no reply of theirs.
     */
    async requireToReply(postId: bigint, ctx: Context): Promise<{ readonly card: Card; readonly following: boolean }> {
      const { card, standing } = await toWrite(postId, ctx);
      if (mayReply(BigInt(viewerOf(ctx)), card, standing)) return { card, following: standing?.following === true };
      throw problem(Code.PermissionDenied, "reply-not-allowed", "the author limits who may reply to this post");
    },
  };
}

export type VisiblePosts = ReturnType<typeof visiblePosts>;

/** A repost is no post that something hangs on. */
const isThere = (viewerId: ViewerId, card: Card, standing: Standing | undefined): boolean =>
  !isRepost(card) && maySeePost(viewerId, card, standing);

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
      found.set(id, cardOf(card));
    }
  }
  return found;
}

function cardOf({ version, authorId, deleted, audience, replySetting, ...sent }: SentCard): Card {
  const { mentionedUserIds: mentionedIds, repostedPostId, repostedAuthorId, countVersion } = sent;
  const { repostCount, quoteCount, saveCount, quotedPostId, quotedAuthorId } = sent;
  const counts = { reposts: Number(repostCount), quotes: Number(quoteCount), saves: Number(saveCount) };
  return {
    version: Number(version),
    authorId,
    deleted,
    audience,
    mentionedIds,
    replySetting,
    ...(repostedPostId !== 0n && { reposted: { postId: repostedPostId, authorId: repostedAuthorId } }),
    ...(quotedPostId !== undefined && { quoted: { postId: quotedPostId, authorId: quotedAuthorId } }),
    ...((countVersion > 0n || counts.reposts + counts.quotes + counts.saves > 0) && {
      shares: { ...counts, version: Number(countVersion) },
    }),
  };
}
