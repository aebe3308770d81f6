import { FeedReason, type FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import type { MutedWords } from "../compose/muted-words.ts";
import type { Pieces } from "../compose/pieces.ts";
import { fillItems } from "../compose/posts.ts";
import { withQuotes } from "../compose/quotes.ts";
import { withReposts } from "../compose/reposts.ts";
import type { Routes } from "../door/rpc.ts";
import { readOf } from "../view/beside.ts";
import { homePage } from "../view/post.ts";
import { pageOf, tellDegraded } from "./page.ts";

export function feedRoutes(clients: Clients, pieces: Pieces, muted: MutedWords): Routes<typeof FeedService> {
  const { feed } = clients;
  return {
    async listHomeFeed(request, ctx) {
      const page = await feed.listHomeFeed(pageOf(request), within(ctx));
      const { items, nextPageToken, fromTruth, mutedWordsVersion } = page;
      tellDegraded(fromTruth, ctx);
      const [filled, isMuted] = await Promise.all([fillItems(items, pieces, ctx), muted(mutedWordsVersion, ctx)]);
      const all = filled.map(({ item, post, author }) => ({
        activityId: item.activityId,
        reason: shownReason(item.reason),
        post,
        author,
        reactions: item,
      }));
      const { viewerId } = callOf(ctx);
      const read = (await withReposts(all, clients, ctx)).filter(
        ({ post }) => post.content.authorId === viewerId || !isMuted(readOf(post.content)),
      );
      return homePage(await withQuotes(read, { clients, pieces }, ctx), nextPageToken, viewerId);
    },
  };
}

function shownReason(reason: Reason): FeedReason {
  if (reason === Reason.FOLLOWING) return FeedReason.FOLLOWING;
  return reason === Reason.OWN ? FeedReason.OWN : FeedReason.UNSPECIFIED;
}
