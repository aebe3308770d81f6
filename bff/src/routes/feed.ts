import type { ServiceImpl } from "@connectrpc/connect";
import { FeedReason, type FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import { within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import type { Pieces } from "../compose/pieces.ts";
import { fillItems } from "../compose/posts.ts";
import { pageOf, tellDegraded } from "./page.ts";

export function feedRoutes({ feed }: Pick<Clients, "feed">, pieces: Pieces): ServiceImpl<typeof FeedService> {
  return {
    async listHomeFeed(request, ctx) {
      const { items, nextPageToken, fromTruth } = await feed.listHomeFeed(pageOf(request), within(ctx));
      tellDegraded(fromTruth, ctx);
      const shown = await fillItems(items, pieces, ctx);
      return {
        items: shown.map(({ item, post }) => ({ activityId: item.activityId, reason: shownReason(item.reason), post })),
        nextPageToken,
      };
    },
  };
}

function shownReason(reason: Reason): FeedReason {
  if (reason === Reason.FOLLOWING) return FeedReason.FOLLOWING;
  return reason === Reason.OWN ? FeedReason.OWN : FeedReason.UNSPECIFIED;
}
