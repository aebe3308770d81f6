import type { HandlerContext } from "@connectrpc/connect";
import { FeedReason, type FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { FeedItemSchema, type ListHomeFeedResponse, Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { share } from "#lib/mesh/decode.ts";
import { invalid } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { MutedWords } from "../compose/muted-words.ts";
import type { Pieces } from "../compose/pieces.ts";
import { fillItems } from "../compose/posts.ts";
import { withSlots } from "../compose/slots.ts";
import type { Routes } from "../door/rpc.ts";
import { readOf } from "../view/beside.ts";
import { withNewer } from "../view/newer.ts";
import { homePage } from "../view/post.ts";
import { isId, listIdOf } from "./ids.ts";
import { aboveOf, pageOf, pageSizeMax, tellDegraded } from "./page.ts";

/** A device that shows more names its newest. */
const seenMax = 100;
/** "99+" is all that a badge says. */
const countMax = 99;
/** As many as there are posts kept, some 800 bytes each: what is said of a post is the same for most of its readers. */
const itemsMax = 30_000;
share(FeedItemSchema, itemsMax);

export function feedRoutes(clients: Clients, pieces: Pieces, muted: MutedWords): Routes<typeof FeedService> {
  const { feed } = clients;

  /** What of a page is shown: without the words that the viewer mutes. */
  async function shown(page: Pick<ListHomeFeedResponse, "items" | "mutedWordsVersion">, ctx: HandlerContext) {
    const { items, mutedWordsVersion } = page;
    const [filled, isMuted] = await Promise.all([fillItems(items, pieces, ctx), muted(mutedWordsVersion, ctx)]);
    const { viewerId } = callOf(ctx);
    return filled
      .filter(({ post }) => post.content.authorId === viewerId || !isMuted(readOf(post.content)))
      .map(({ item, ...of }) => ({
        ...of,
        activityId: item.activityId,
        reason: shownReason(item.reason),
        reactions: item,
        quoted: item.quoted,
      }));
  }

  return {
    async listHomeFeed(request, ctx) {
      const page = await feed.listHomeFeed({ ...pageOf(request), after: aboveOf(request) }, within(ctx));
      tellDegraded(page.fromTruth, ctx);
      const items = await withSlots(await shown(page, ctx), { clients, pieces }, ctx);
      return withNewer(homePage(items, page.nextPageToken, callOf(ctx).viewerId), page.newerPageToken);
    },

    async listListFeed({ list, ...asked }, ctx) {
      const page = await feed.listListFeed({ listId: listIdOf(list), ...pageOf(asked) }, within(ctx));
      tellDegraded(page.fromTruth, ctx);
      const items = await withSlots(await shown(page, ctx), { clients, pieces }, ctx);
      return homePage(items, page.nextPageToken, callOf(ctx).viewerId);
    },

    async countNewItems(request, ctx) {
      const seen = seenIn(request.seen);
      const page = await feed.listHomeFeed({ pageSize: pageSizeMax }, within(ctx));
      tellDegraded(page.fromTruth, ctx);
      const oldest = [...seen].reduce((one, other) => (BigInt(other) < BigInt(one) ? other : one));
      const isAbove = ({ activityId }: { readonly activityId: string }) => BigInt(activityId) > BigInt(oldest);
      const above = page.items.filter(isAbove);
      const unseen = (await shown({ ...page, items: above }, ctx)).filter(({ activityId }) => !seen.has(activityId));
      const goesOn = above.length === page.items.length && page.nextPageToken !== "";
      return { count: Math.min(unseen.length, countMax), more: unseen.length > countMax || goesOn };
    },

    async setReadPosition({ activityId }, ctx) {
      return { activityId: (await feed.setReadPosition({ activityId }, within(ctx))).activityId };
    },

    async getReadPosition(_request, ctx) {
      const { activityId } = await feed.getReadPosition({}, within(ctx));
      return activityId === "" ? {} : { activityId };
    },
  };
}

function seenIn(ids: readonly string[]): ReadonlySet<string> {
  if (ids.length < 1 || ids.length > seenMax) throw invalid("seen", `must be 1 to ${seenMax} activityIds`);
  if (!ids.every(isId)) throw invalid("seen", "must be activityIds");
  return new Set(ids);
}

function shownReason(reason: Reason): FeedReason {
  if (reason === Reason.FOLLOWING) return FeedReason.FOLLOWING;
  if (reason === Reason.LIST) return FeedReason.LIST;
  if (reason === Reason.REPOST) return FeedReason.REPOST;
  return reason === Reason.OWN ? FeedReason.OWN : FeedReason.UNSPECIFIED;
}
