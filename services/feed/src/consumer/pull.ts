import type { Client } from "@connectrpc/connect";
import type { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import type { Leases } from "#lib/events/lease.ts";
import { onBehalfOfNobody } from "#lib/mesh/call.ts";
import type { Log } from "#lib/mesh/log.ts";
import { pulled, pulledView } from "#lib/readmodel/pulled.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { type FeedStore, shardOf } from "../store.ts";

/** An author is pushed again only with so much less: one at the threshold does not go to and fro. */
const pushedBelow = 0.8;
const askMs = 2_000;
/** Accounts in one question of graph. */
const batchMax = 100;

type Needs = {
  readonly redis: Redis;
  readonly store: FeedStore;
  readonly graph: Pick<Client<typeof GraphService>, "batchGetAccounts">;
  readonly leases: Leases;
  readonly log: Log;
};

/**
 * Which authors are pulled at read time instead of pushed: those of so many followers that the pushes cost more than the reads.
 * A fan-out finds that out by what it pushes; followers who leave, or another threshold, are noticed by looking.
 */
export function pullAbove({ redis, store, graph, leases, log }: Needs) {
  const view = pulledView(redis);
  /** Undefined until it was read: till then nobody new is pulled. */
  let threshold: number | undefined;

  async function known() {
    if (view.isDue()) {
      const pipeline = redis.pipeline();
      const heard = view.look(pipeline);
      heard((await redis.run(pipeline))[0]);
    }
    return view.known();
  }

  return {
    /** Whether an activity of an author needs no push, because every reader pulls it. */
    async isPulled(authorId: bigint): Promise<boolean> {
      const found = (await known()).some((one) => one.isPulled && one.authorId === authorId);
      return found && (await pulled.isSettled(redis, authorId));
    },

    /** A fan-out has reached so many followers of an author. */
    async reached(authorId: bigint, followerCount: number): Promise<void> {
      if (threshold === undefined || followerCount < threshold) return;
      if (await pulled.mark(redis, authorId, true)) log.info("author is pulled", { followerCount, threshold });
    },

    /** Reads the threshold, and pushes authors again who have lost their followers or are below it now. */
    async look(): Promise<void> {
      threshold = await store.pullAbove();
      const ours = (await known()).filter(({ authorId }) => leases.held().has(shardOf(authorId)));
      for (const { authorId } of ours.filter(({ isPulled }) => !isPulled)) await pulled.forget(redis, authorId);
      const ids = ours.filter(({ isPulled }) => isPulled).map(({ authorId }) => String(authorId));
      for (let at = 0; at < ids.length; at += batchMax) {
        const userIds = ids.slice(at, at + batchMax);
        const { accounts } = await graph.batchGetAccounts({ userIds }, onBehalfOfNobody("feed", askMs));
        for (const [nth, id] of userIds.entries()) {
          const followerCount = Number(accounts[nth]?.followerCount ?? 0n);
          if (followerCount >= threshold * pushedBelow) continue;
          if (await pulled.mark(redis, BigInt(id), false))
            log.info("author is pushed again", { followerCount, threshold });
        }
      }
    },
  };
}

export type PullAbove = ReturnType<typeof pullAbove>;
