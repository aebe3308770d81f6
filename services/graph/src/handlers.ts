import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { AccountState, GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { lateShards } from "#lib/events/pending.ts";
import { callOf, mustBeWanted, viewerOf } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { idOf, parseId } from "#lib/storage/id.ts";
import type { Db } from "#lib/storage/mysql.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { FollowSets } from "./read-model.ts";
import { importFollows } from "./store/import.ts";
import type { Edge, GraphStore } from "./store.ts";

/** Ids in one batch. */
const batchMax = 100;
/** Followers in one packed page of a scan: 32 KiB. */
const scanPage = 4_096;
/** Follows in one import call, and lists, which may be empty. */
const importMax = 5_000;

/** ACCOUNT_STATE_UNSPECIFIED. */
const noAccount = 0;

type Needs = { db: Db; store: GraphStore; followSets: FollowSets; pageTokens: PageTokens; nudge: () => void };

export function graphHandlers(needs: Needs): ServiceImpl<typeof GraphService> {
  const { db, store, followSets, pageTokens, nudge } = needs;

  async function list(kind: "followers" | "following", req: { userId: string; pageSize: number; pageToken: string }) {
    const userId = idOf(req.userId, "user_id");
    const size = pageSizeOf(req.pageSize);
    const scope = `${kind}:${userId}`;
    const before = pageTokens.decode(req.pageToken, scope);
    if (!(await store.accounts([userId])).has(userId)) throw notFound("account");
    const read = kind === "followers" ? store.listFollowers : store.listFollowing;
    const edges = await read(userId, before, size + 1);
    return pageOf(edges, size, (last) => pageTokens.encode(last, scope));
  }

  return {
    async createAccount(req, ctx) {
      await store.createAccount(idOf(req.userId, "user_id"), originOf(ctx));
      nudge();
      return {};
    },
    followUser: (req, ctx) => setFollowing(needs, req.userId, true, ctx),
    unfollowUser: (req, ctx) => setFollowing(needs, req.userId, false, ctx),
    listFollowers: (req) => list("followers", req),
    listFollowing: (req) => list("following", req),

    async batchGetAccounts(req, ctx) {
      if (req.userIds.length > batchMax) throw invalid("user_ids", `must be at most ${batchMax}`);
      const ids = req.userIds.map((id) => parseId(id) ?? 0n);
      const { viewerId } = callOf(ctx);
      const [accounts, relations] = await Promise.all([
        store.accounts(ids, lateShards(ctx, "graph")),
        viewerId === undefined ? undefined : store.relations(BigInt(viewerId), ids),
      ]);
      const viewerOn = (id: bigint) =>
        relations && { viewer: { following: relations.following.has(id), followedBy: relations.followers.has(id) } };
      return {
        accounts: ids.map((id) => {
          const { userId, state, followerCount, followingCount } = accounts.get(id) ?? {};
          if (userId === undefined) return {};
          return {
            userId: String(userId),
            state: state as AccountState,
            followerCount: followerCount ?? 0n,
            followingCount: followingCount ?? 0n,
            ...viewerOn(id),
          };
        }),
      };
    },

    getFollowSet: (req) =>
      followSets.load(idOf(req.userId, "user_id")).then(({ version, followeeIds }) => ({ version, followeeIds })),

    getFollow: (req) => followOf(store, req),

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

    async importFollows(req, ctx) {
      const lists = req.lists.map(({ followerId, followeeIds }) => ({
        followerId: idOf(followerId, "lists.follower_id"),
        followeeIds,
      }));
      const total = lists.reduce((sum, { followeeIds }) => sum + followeeIds.length, 0);
      if (total > importMax) throw invalid("lists", `must hold at most ${importMax} follows`);
      if (lists.length > importMax) throw invalid("lists", `must be at most ${importMax}`);
      if (lists.length === 0) return { createdCount: 0n, overLimitCount: 0n };
      const { changed, created, overLimit } = await importFollows(db, lists, originOf(ctx));
      nudge();
      if (changed.length > 0) await followSets.drop(changed, callOf(ctx));
      return { createdCount: BigInt(created), overLimitCount: BigInt(overLimit) };
    },
  };
}

async function setFollowing(
  { store, followSets, nudge }: Needs,
  userId: string,
  following: boolean,
  ctx: HandlerContext,
) {
  const viewerId = BigInt(viewerOf(ctx));
  const followeeId = idOf(userId, "user_id");
  if (followeeId === viewerId) throw invalid("user_id", "must be somebody else");
  await followSets.mustReachReaders();
  const followed = await store.setFollowing(viewerId, followeeId, following, originOf(ctx), () => mustBeWanted(ctx));
  nudge();
  await followSets.apply({ followerId: viewerId, followeeId, following }, followed, callOf(ctx));
  const { followers } = await store.relations(viewerId, [followeeId]);
  return { relationship: { following, followedBy: followers.has(followeeId) } };
}

async function followOf(store: GraphStore, req: { followerId: string; followeeId: string }) {
  const ids = [idOf(req.followerId, "follower_id"), idOf(req.followeeId, "followee_id")] as const;
  const { followerState, followeeState, following, changeMs, setVersion } = await store.follow(...ids);
  return {
    followerState: (followerState ?? noAccount) as AccountState,
    followeeState: (followeeState ?? noAccount) as AccountState,
    following,
    ...(changeMs !== undefined && { changeTime: timestampFromMs(changeMs) }),
    followSetVersion: setVersion,
  };
}

function pageOf(edges: readonly Edge[], size: number, tokenOf: (last: bigint) => string) {
  const page = edges.slice(0, size);
  const last = page.at(-1);
  const more = edges.length > size && last !== undefined;
  return { userIds: page.map(({ userId }) => String(userId)), nextPageToken: more ? tokenOf(last.edgeId) : "" };
}
