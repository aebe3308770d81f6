import { Code, type ServiceImpl } from "@connectrpc/connect";
import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import type { RepostService } from "#gen/skein/post/v1/repost_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { anyViewerIdOf, callOf, viewerOf, within } from "#lib/mesh/call.ts";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { metPage } from "#lib/readmodel/met-page.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import { parseId } from "#lib/storage/id.ts";
import type { Statements } from "#lib/storage/mysql.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { PostReadModel } from "../read-model.ts";
import { repost, repostersOf, repostOf } from "../store/repost.ts";
import type { PostStore } from "../store.ts";
import { seeing } from "./seen.ts";

type Needs = {
  readonly db: Statements;
  readonly store: PostStore;
  readonly readModel: PostReadModel;
  readonly standings: StandingReader;
  readonly pageTokens: PageTokens;
  readonly nudge: () => void;
};

export function repostHandlers(needs: Needs): ServiceImpl<typeof RepostService> {
  const { db, store, readModel, standings, pageTokens, nudge } = needs;
  const seen = seeing(needs);

  return {
    async repost(req, ctx) {
      const userId = BigInt(viewerOf(ctx));
      await mustBeOpen(standings, userId, within(ctx));
      const postId = postIdOf(req.postId);
      const { audience } = await seen.require(postId, ctx);
      if (audience !== Audience.PUBLIC) {
        throw problem(Code.FailedPrecondition, "not-for-everybody", "only what is for everybody can be passed on");
      }
      const { repostId, change } = await repost(db, { userId, postId }, originOf(ctx));
      nudge();
      if (change !== undefined) await readModel.show(change, true);
      return { activityId: String(repostId) };
    },

    async undoRepost(req, ctx) {
      const userId = BigInt(viewerOf(ctx));
      await mustBeOpen(standings, userId, within(ctx));
      const repostId = await repostOf(db, { userId, postId: parseId(req.postId) ?? 0n });
      if (repostId === undefined) return {};
      await readModel.mustReachReaders();
      const gone = await store.delete(repostId, userId, originOf(ctx));
      nudge();
      await readModel.replace(gone, callOf(ctx));
      return {};
    },

    async listReposters(req, ctx) {
      const postId = postIdOf(req.postId);
      const size = pageSizeOf(req.pageSize);
      const scope = `reposters:${postId}`;
      const before = pageTokens.decode(req.pageToken, scope);
      await seen.require(postId, ctx);
      const { page, next } = await metPage({
        viewerId: anyViewerIdOf(ctx),
        before,
        size,
        read: (from: bigint | undefined, limit) => repostersOf(db, postId, from, limit),
        standings: (userIds) => standings(anyViewerIdOf(ctx), userIds, within(ctx)),
      });
      return {
        userIds: page.map(({ userId }) => String(userId)),
        nextPageToken: next === undefined ? "" : pageTokens.encode(next, scope),
      };
    },
  };
}

function postIdOf(sent: string): bigint {
  const id = parseId(sent);
  if (id === undefined) throw notFound("post");
  return id;
}
