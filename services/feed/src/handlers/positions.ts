import type { ServiceImpl } from "@connectrpc/connect";
import type { FeedService } from "#gen/skein/feed/v1/feed_pb.ts";
import { viewerOf } from "#lib/mesh/call.ts";
import { invalid } from "#lib/mesh/errors.ts";
import { idOf, timeOf } from "#lib/storage/id.ts";
import type { FeedStore } from "../store.ts";

/** How far the clock of the machine that made an id may be ahead. A position of the future would stand until that comes. */
const aheadMaxMs = 10_000;

/** Down from where somebody has read. */
export const positions = (store: Pick<FeedStore, "readPosition" | "advanceReadPosition">) =>
  ({
    async setReadPosition(req, ctx) {
      const activityId = idOf(req.activityId, "activity_id");
      if (timeOf(activityId) > Date.now() + aheadMaxMs) throw invalid("activity_id", "must not be of the future");
      return { activityId: String(await store.advanceReadPosition(BigInt(viewerOf(ctx)), activityId)) };
    },

    async getReadPosition(_req, ctx) {
      const activityId = await store.readPosition(BigInt(viewerOf(ctx)));
      return { activityId: activityId === undefined ? "" : String(activityId) };
    },
  }) satisfies Partial<ServiceImpl<typeof FeedService>>;
