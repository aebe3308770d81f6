import { Code, type ServiceImpl } from "@connectrpc/connect";
import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import type { RepostService } from "#gen/skein/post/v1/repost_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { anyViewerIdOf, viewerOf, within } from "#lib/mesh/call.ts";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { metPage } from "#lib/readmodel/met-page.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import { parseId } from "#lib/storage/id.ts";
import type { Statements } from "#lib/storage/mysql.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { OwnReadModel } from "../read-model/own.ts";
import type { PostReadModel } from "../read-model.ts";
import { repost, repostedBy, repostersOf, repostOf } from "../store/repost.ts";
import type { PostStore } from "../store.ts";
import { deleting } from "./deleting.ts";
import { seeing } from "./seen.ts";
import { ownPage } from "./visible.ts";

type Needs = {
  readonly db: Statements;
  readonly store: PostStore;
  readonly readModel: PostReadModel;
  readonly own: OwnReadModel;
  readonly standings: StandingReader;
  readonly pageTokens: PageTokens;
  readonly nudge: () => void;
};

export function repostHandlers(needs: Needs): ServiceImpl<typeof RepostService> {
  const { db, readModel, own, standings, pageTokens, nudge } = needs;
  const seen = seeing(needs);
  const remove = deleting(needs);

  /** A repost that comes again may be of a writer that died before it got this far. */
  async function shownAgain(repostId: bigint): Promise<void> {
    const post = (await readModel.load([repostId])).get(repostId);
    if (post?.deleted === false) await readModel.show({ ...post, postId: post.id, activityId: post.id }, false);
  }

  return {
    async repost(req, ctx) {
      const userId = BigInt(viewerOf(ctx));
      await mustBeOpen(standings, userId, within(ctx));
      const postId = postIdOf(req.postId);
      const { audience, authorId } = await seen.require(postId, ctx);
      if (audience !== Audience.PUBLIC) {
        throw problem(Code.FailedPrecondition, "not-for-everybody", "only what is for everybody can be passed on");
      }
      const { repostId, ...made } = await repost(db, { userId, postId, authorId }, originOf(ctx));
      nudge();
      await (made.change === undefined ? shownAgain(repostId) : readModel.show(made.change, true));
      await (made.own === undefined ? own.applied(userId) : own.apply(made.own));
      return { activityId: String(repostId) };
    },

    async undoRepost(req, ctx) {
      const userId = BigInt(viewerOf(ctx));
      await mustBeOpen(standings, userId, within(ctx));
      const known = await repostOf(db, { userId, postId: parseId(req.postId) ?? 0n });
      if (known === undefined) return {};
      // Also where it was taken back: whoever did may have died before readers heard of it.
      await remove(known.repostId, userId, ctx);
      if (known.ended) await own.applied(userId);
      return {};
    },

    listRepostedPosts: (req, ctx) =>
      ownPage(
        needs,
        { ...req, scope: "reposted" },
        (viewerId, before, limit) => repostedBy(db, viewerId, before, limit),
        ctx,
      ),

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
