import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import type { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { anyViewerIdOf, callOf } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { mayMeet, maySeeAccount, maySeeFollows, type ViewerId } from "#lib/readmodel/audience.ts";
import { idOf } from "#lib/storage/id.ts";
import type { Asked, Told } from "../store/change.ts";
import { importFollows } from "../store/import.ts";
import { askedIn, changed, type GraphHandlers, type Needs, viewerIdOf } from "./call.ts";
import { peoplePage } from "./page.ts";
import { relationshipOf, seenBy } from "./standing.ts";

/** Follows in one import call, and lists, which may be empty. */
const importMax = 5_000;
/** Followings looked through at a time for those who follow somebody too. */
const familiarRead = 1_000;

/** ACCOUNT_STATE_UNSPECIFIED. */
const noAccount = 0;

type PageRequest = { readonly pageSize: number; readonly pageToken: string };
type PairCall = (req: { readonly userId: string }, ctx: HandlerContext) => Promise<{ relationship: object }>;

/** A change between the viewer and a user, which answers how the two stand then. */
export const changing =
  (needs: Needs, change: (asked: Asked, userId: bigint) => Promise<Told>): PairCall =>
  async (req, ctx) => {
    const asked = askedIn(ctx);
    const userId = idOf(req.userId, "user_id");
    await changed(needs, ctx, () => change(asked, userId));
    const relations = await needs.store.relations(asked.viewerId, [userId]);
    return { relationship: relationshipOf(relations.get(userId)) };
  };

export function followHandlers(needs: Needs) {
  const { store, pageTokens: tokens } = needs;

  async function mustSeeFollows(viewerId: ViewerId, userId: bigint): Promise<void> {
    const seen = await seenBy(store, viewerId, maySeeFollows)([userId]);
    if (!seen.has(userId)) throw notFound("user");
  }

  async function list(kind: "followers" | "following", req: PageRequest & { userId: string }, ctx: HandlerContext) {
    const userId = idOf(req.userId, "user_id");
    const viewerId = anyViewerIdOf(ctx);
    await mustSeeFollows(viewerId, userId);
    const keep = seenBy(store, viewerId, mayMeet);
    return peoplePage({ tokens, scope: `${kind}:${userId}`, request: req, read: store[kind](userId), keep });
  }

  const own = (kind: "requests" | "sentRequests" | "mutuals", request: PageRequest, ctx: HandlerContext) => {
    const viewerId = viewerIdOf(ctx);
    const keep = seenBy(store, viewerId, maySeeAccount);
    return peoplePage({ tokens, scope: `${kind}:${viewerId}`, request, read: store[kind](viewerId), keep });
  };

  return {
    followUser: changing(needs, store.follow),
    unfollowUser: changing(needs, store.unfollow),
    acceptFollowRequest: changing(needs, store.accept),
    declineFollowRequest: changing(needs, store.decline),
    removeFollower: changing(needs, store.removeFollower),

    listFollowers: (req, ctx) => list("followers", req, ctx),
    listFollowing: (req, ctx) => list("following", req, ctx),
    listFollowRequests: (req, ctx) => own("requests", req, ctx),
    listSentFollowRequests: (req, ctx) => own("sentRequests", req, ctx),
    listMutuals: (req, ctx) => own("mutuals", req, ctx),

    async listFamiliarFollowers(req, ctx) {
      const userId = idOf(req.userId, "user_id");
      const viewerId = viewerIdOf(ctx);
      await mustSeeFollows(viewerId, userId);
      const seen = seenBy(store, viewerId, mayMeet);
      return peoplePage({
        tokens,
        scope: `familiar:${viewerId}:${userId}`,
        request: req,
        read: store.following(viewerId),
        keep: async (ids) => seen([...(await store.followersAmong(userId, ids))]),
        readMax: familiarRead,
      });
    },

    async getFollow(req) {
      const ids = [idOf(req.followerId, "follower_id"), idOf(req.followeeId, "followee_id")] as const;
      const { followerState, followeeState, following, changeMs, setVersion } = await store.getFollow(...ids);
      return {
        followerState: (followerState ?? noAccount) as AccountState,
        followeeState: (followeeState ?? noAccount) as AccountState,
        following,
        ...(changeMs !== undefined && { changeTime: timestampFromMs(changeMs) }),
        followSetVersion: setVersion,
      };
    },

    async getFollowSet(req) {
      const { version, followeeIds } = await needs.readModel.loadFollows(idOf(req.userId, "user_id"));
      return { version, followeeIds };
    },

    async importFollows(req, ctx) {
      const lists = req.lists.map(({ followerId, followeeIds }) => ({
        followerId: idOf(followerId, "lists.follower_id"),
        followeeIds,
      }));
      const total = lists.reduce((sum, { followeeIds }) => sum + followeeIds.length, 0);
      if (total > importMax) throw invalid("lists", `must hold at most ${importMax} follows`);
      if (lists.length > importMax) throw invalid("lists", `must be at most ${importMax}`);
      if (lists.length === 0) return { createdCount: 0n, overLimitCount: 0n };
      const { changed: followerIds, created, overLimit } = await importFollows(needs.db, lists, originOf(ctx));
      needs.nudge();
      if (followerIds.length > 0) await needs.readModel.drop(followerIds, callOf(ctx));
      return { createdCount: BigInt(created), overLimitCount: BigInt(overLimit) };
    },
  } satisfies Partial<GraphHandlers>;
}
