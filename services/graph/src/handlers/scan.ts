import { invalid } from "#lib/mesh/errors.ts";
import { idOf, parseId } from "#lib/storage/id.ts";
import type { GraphHandlers, Needs } from "./call.ts";

/** Followers in one packed page of a scan: 32 KiB. */
const scanPage = 4_096;
/** Users of one batched scan, and followers in its answer: 128 KiB. */
const scannedMax = 64;
const scannedFollowersMax = 16_384;

/** What fan-outs walk: everyone who follows somebody, by id. */
export const scanHandlers = ({ store }: Needs) =>
  ({
    async *scanFollowers(req, ctx) {
      const userId = idOf(req.userId, "user_id");
      let after = parseId(req.afterUserId) ?? 0n;
      for (let pages = 1; ; pages++) {
        const followerIds = await store.followersAfter(userId, after, scanPage);
        if (followerIds.length > 0) yield { followerIds };
        if (followerIds.length < scanPage || pages === req.pageLimit || ctx.signal.aborted) return;
        after = followerIds.at(-1) ?? after;
      }
    },

    async batchScanFollowers({ userIds, limit }) {
      if (userIds.length > scannedMax) throw invalid("user_ids", `must be at most ${scannedMax}`);
      if (limit < 1 || limit * userIds.length > scannedFollowersMax) {
        throw invalid("limit", `must be at least 1, and times the users at most ${scannedFollowersMax}`);
      }
      const found = await store.firstFollowers(
        userIds.map((id) => idOf(id, "user_ids")),
        limit,
      );
      return { pages: found.map((followerIds) => ({ followerIds })) };
    },
  }) satisfies Partial<GraphHandlers>;
