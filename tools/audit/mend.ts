import { createLog } from "#lib/mesh/log.ts";
import { cards } from "#lib/readmodel/card.ts";
import { commentCounts, likeCounts } from "#lib/readmodel/count.ts";
import { followSets, homeTimelines, ownSets, reactedSets, tieSets } from "#lib/readmodel/families.ts";
import { openRedis } from "#lib/storage/redis.ts";
import type { Stores } from "../stores.ts";
import type { Wrong } from "./look.ts";

const reachMs = 10_000;
const againMs = 50;

/** Drops what showed something wrong. Missing means rebuild: the next read makes it anew, from truth. */
export async function openMender({ redisUrl: url, deployment }: Stores) {
  const log = createLog({ name: "audit", level: "error" });
  const redis = openRedis({ url, deployment, scripts: [], log });
  const deadline = Date.now() + reachMs;
  while (
    !(await redis.ping().then(
      () => true,
      () => false,
    ))
  ) {
    if (Date.now() > deadline) throw new Error("Redis does not answer; npm run status shows what runs");
    await new Promise((again) => setTimeout(again, againMs));
  }
  return {
    async mend(userId: string, { missing, extra, reactions }: Wrong): Promise<void> {
      const viewerId = BigInt(userId);
      await followSets.drop(redis, [viewerId]);
      await tieSets.drop(redis, [viewerId]);
      await reactedSets.drop(redis, [viewerId]);
      await ownSets.drop(redis, [viewerId]);
      const pipeline = redis.pipeline().del(homeTimelines.keyOf(redis, viewerId));
      for (const id of [...missing, ...extra, ...reactions].map(BigInt)) {
        pipeline.del(cards.keyOf(redis, id), likeCounts.keyOf(redis, id), commentCounts.keyOf(redis, id));
      }
      await redis.run(pipeline);
    },
    close: () => redis.close(),
  };
}
