import type { ServiceImpl } from "@connectrpc/connect";
import type { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { viewerOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { tagOf } from "#lib/mesh/facets.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import { parseId } from "#lib/storage/id.ts";
import type { Statements } from "#lib/storage/mysql.ts";
import { everybodysPosts } from "../store/everybody.ts";
import { mediaPosts } from "../store/media.ts";
import { pinnedPost, pinPost, unpinPost } from "../store/pin.ts";
import { taggedPosts } from "../store/tag.ts";

/** Entries in one answer: as many as a timeline keeps. */
const activitiesMax = 800;

type Needs = { readonly db: Statements; readonly standings: StandingReader };
type Context = Parameters<typeof viewerOf>[0];

/** Where posts are shown beside their author's list: on top of it, under tags, and among everybody's. */
export function showing({ db, standings }: Needs) {
  /** A post as its author names it; a text that is no id is nobody's. */
  async function ownRef(postId: string, ctx: Context) {
    const authorId = BigInt(viewerOf(ctx));
    await mustBeOpen(standings, authorId, within(ctx));
    return { postId: parseId(postId), authorId };
  }

  return {
    async pinPost(req, ctx) {
      const { postId, authorId } = await ownRef(req.postId, ctx);
      if (postId === undefined) throw notFound("post");
      await pinPost(db, { postId, authorId });
      return {};
    },

    async unpinPost(req, ctx) {
      const { postId, authorId } = await ownRef(req.postId, ctx);
      if (postId !== undefined) await unpinPost(db, { postId, authorId });
      return {};
    },

    async getPinnedPost(req) {
      return { postId: (await pinnedPost(db, req.authorId)) ?? 0n };
    },

    async listTagActivities(req) {
      const tag = tagOf(req.tag.replace(/^[#＃]/u, ""));
      if (tag === undefined) throw invalid("tag", "must be a hashtag");
      const limit = limitOf(req);
      return listed(await taggedPosts(db, tag, req.beforeActivityId, limit), limit);
    },

    async listPublicActivities(req) {
      const limit = limitOf(req);
      return listed(await everybodysPosts(db, req.beforeActivityId, limit), limit);
    },

    async listMediaActivities(req) {
      const limit = limitOf(req);
      const activityIds = await mediaPosts(db, req.authorId, req.beforeActivityId, limit);
      return { activityIds, complete: activityIds.length < limit };
    },
  } satisfies Partial<ServiceImpl<typeof PostService>>;
}

function limitOf({ limit }: { readonly limit: number }): number {
  if (limit < 1 || limit > activitiesMax) throw invalid("limit", `must be between 1 and ${activitiesMax}`);
  return limit;
}

const listed = (entries: readonly TimelineEntry[], limit: number) => ({
  activityIds: entries.map(({ activityId }) => activityId),
  authorIds: entries.map(({ authorId }) => authorId),
  complete: entries.length < limit,
});
