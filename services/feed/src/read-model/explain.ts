import type { CallOptions } from "@connectrpc/connect";
import type { GetFollowResponse } from "#gen/skein/graph/v1/graph_pb.ts";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import type { GetPostRecordResponse } from "#gen/skein/post/v1/record_pb.ts";
import { pause } from "#lib/events/lease.ts";
import type { Standing } from "#lib/readmodel/audience.ts";
import type { Card } from "#lib/readmodel/card.ts";
import { lag, sinceOf } from "#lib/readmodel/lag.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { FanoutRecord, FeedStore } from "../store.ts";
import type { Placed } from "./decide.ts";
import { homeCandidates, type Sources } from "./home.ts";
import type { Look } from "./look.ts";
import type { Truth } from "./truth.ts";
import { decideByTruth, visibleBy } from "./visible.ts";

/** What the home read does with one post, what truth says of it, and all that was looked at to know. */
export type Evidence = {
  readonly viewerId: bigint;
  readonly postId: bigint;
  readonly post: GetPostRecordResponse | undefined;
  /** The viewer to the author; to themselves where there is no post. */
  readonly follow: GetFollowResponse;
  /** The author to the viewer, and for whom the post is; undefined where there is no post. */
  readonly standing: Standing | undefined;
  readonly card: Card | undefined;
  readonly hasProfile: boolean;
  /** Truth says that the post belongs into the feed. */
  readonly due: boolean;
  /** The first step of the home read proposes it, the second lets it pass. */
  readonly proposed: boolean;
  readonly visible: boolean;
  readonly shown: boolean;
  readonly sources: Sources | undefined;
  readonly lagMs: number | undefined;
  readonly fanout: FanoutRecord | undefined;
  /** It is a repost whose post the viewer is not to see. */
  readonly isOriginalHidden: boolean;
  /** The repost in whose place the post is shown among the newest of the feed. */
  readonly passedOn: Placed | undefined;
};

type Needs = { readonly redis: Redis; readonly truth: Truth; readonly look: Look; readonly store: FeedStore };

/** Of a post that is not shown by itself, so many of the newest entries are searched for one that passes it on. */
const searchedMax = 100;
/** Looks before the read and truth are said to differ: what was written between two looks is no bug. */
const looksMax = 3;
const againMs = 100;

/**
 * Reads one entry of a home feed as the home read does, leaving Redis as it is, and asks truth about the same pair. A
 * pair on which the two differ is looked at again, so that a change under way is not taken for a bug.
 */
export function examiner(needs: Needs) {
  const { below: candidates } = homeCandidates({ ...needs, keeps: false });
  const visibleOf = visibleBy({ look: needs.look.look, truth: needs.truth });

  return async (viewerId: bigint, postId: bigint, options: CallOptions): Promise<Evidence> => {
    for (let looks = 1; ; looks++) {
      const evidence = await look(viewerId, postId, options);
      if (evidence.due === evidence.shown || looks === looksMax) return evidence;
      await pause(againMs, AbortSignal.timeout(againMs));
    }
  };

  async function look(viewerId: bigint, postId: bigint, options: CallOptions): Promise<Evidence> {
    const { truth } = needs;
    const post = await truth.postRecord(postId, options);
    const authorId = post === undefined ? viewerId : BigInt(post.authorId);
    const follow = await truth.follow(viewerId, authorId, options);
    const none = {
      viewerId,
      postId,
      post,
      follow,
      standing: undefined,
      card: undefined,
      hasProfile: false,
      due: false,
      proposed: false,
      visible: false,
      isOriginalHidden: false,
      passedOn: undefined,
    };
    if (post === undefined || follow.followerState === AccountState.UNSPECIFIED)
      return { ...none, shown: false, sources: undefined, lagMs: undefined, fanout: undefined };
    const entry = { activityId: postId, authorId };
    const [read, { own, ownShown, passedOn, passedOnShown }, lagMs, fanout] = await Promise.all([
      readAs(viewerId, entry, options),
      decideByTruth(truth, [entry], { viewerId, atHome: true }, options),
      lagTime(needs.redis, entry),
      needs.store.fanout(entry),
    ]);
    const shown = read.proposed && read.visible;
    return {
      ...none,
      ...read,
      standing: own.standings.get(authorId),
      card: own.cards[0],
      hasProfile: read.visible || own.versions[0] !== undefined,
      due: ownShown.length + passedOnShown.length > 0,
      isOriginalHidden: passedOn !== undefined && passedOnShown.length === 0,
      shown,
      lagMs,
      fanout,
      passedOn: shown || post.deleted ? undefined : await passing(viewerId, postId, options),
    };
  }

  /** The newest repost by which a post is in the feed. */
  async function passing(viewerId: bigint, postId: bigint, options: CallOptions): Promise<Placed | undefined> {
    const { entries } = await candidates(viewerId, undefined, searchedMax, options);
    const { items } = await visibleOf(entries, { viewerId, atHome: true }, options, performance.now());
    return items.find((item) => item.postId === postId && item.repostedBy !== undefined);
  }

  /** Both steps of a home read whose page ends above the entry. */
  async function readAs(viewerId: bigint, entry: TimelineEntry, options: CallOptions) {
    const [{ entries, sources }, seen] = await Promise.all([
      candidates(viewerId, entry.activityId + 1n, 1, options),
      visibleOf([entry], { viewerId, atHome: true }, options, performance.now()).then(({ items }) => items),
    ]);
    const proposed = entries.some(({ activityId }) => activityId === entry.activityId);
    return { proposed, visible: seen.length > 0, sources };
  }
}

async function lagTime(redis: Redis, entry: TimelineEntry): Promise<number | undefined> {
  const pipeline = redis.pipeline();
  lag.since(redis, pipeline, entry);
  return sinceOf((await redis.run(pipeline))[0]);
}
