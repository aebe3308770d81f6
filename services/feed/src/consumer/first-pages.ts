import type { Client } from "@connectrpc/connect";
import type { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { onBehalfOfNobody } from "#lib/mesh/call.ts";
import { homeTimelines } from "#lib/readmodel/families.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { FanoutTask, FeedStore } from "../store.ts";
import type { PullAbove } from "./pull.ts";

/** Fan-outs that begin together, and the followers of each author that do so: a pipeline of 16,384 pushes at most. */
export const togetherMax = 16;
const followersMax = 1_024;
const callMs = 5_000;

type Needs = {
  readonly redis: Redis;
  readonly store: FeedStore;
  readonly graph: Pick<Client<typeof GraphService>, "batchScanFollowers">;
  readonly pull: PullAbove;
};

/**
 * The first followers of several fan-outs: one call of graph and one round trip to Redis for all, so that posts that come together
 * cost little more than one. Answers the tasks as far as they are now; those that are pushed to everybody have `ended`.
 * An author is their own first follower, and the only one of those whom all others pull.
 */
export async function pushFirst(
  { redis, store, graph, pull }: Needs,
  tasks: readonly FanoutTask[],
): Promise<{ readonly task: FanoutTask; readonly ended: boolean }[]> {
  const beginMs = Date.now();
  const authorIds = [...new Set(tasks.map(({ authorId }) => authorId))];
  const isPulled = await Promise.all(authorIds.map(pull.isPulled));
  const pushed = authorIds.filter((_, nth) => !isPulled[nth]);
  const followers = await followersOf(graph, pushed);
  // In their order: what comes before its neighbour is pushed to a head, what comes after has to look for its place.
  const pushes = tasks.toSorted(byActivity).map(({ activityId, authorId }) => ({
    entry: { activityId, authorId },
    ownerIds: [authorId, ...(followers.get(authorId) ?? [])],
  }));
  const pipeline = redis.pipeline();
  homeTimelines.push(redis, pipeline, pushes);
  await redis.run(pipeline);
  return Promise.all(
    tasks.map(async (task) => {
      const ids = followers.get(task.authorId) ?? [];
      const reached = { ...task, beginMs, followerCount: ids.length };
      await pull.reached(task.authorId, ids.length);
      if (ids.length < followersMax) return { task: reached, ended: true };
      const going = { ...reached, afterId: ids.at(-1) as bigint };
      await store.keepProgress(going);
      return { task: going, ended: false };
    }),
  );
}

const byActivity = (a: FanoutTask, b: FanoutTask): number => (a.activityId < b.activityId ? -1 : 1);

/** From the primary: a follower who committed before the post is among them. */
async function followersOf(
  graph: Needs["graph"],
  authorIds: readonly bigint[],
): Promise<Map<bigint, readonly bigint[]>> {
  if (authorIds.length === 0) return new Map();
  const request = { userIds: authorIds.map(String), limit: followersMax };
  const { pages } = await graph.batchScanFollowers(request, onBehalfOfNobody("feed", callMs));
  return new Map(authorIds.map((id, nth) => [id, pages[nth]?.followerIds ?? []]));
}
