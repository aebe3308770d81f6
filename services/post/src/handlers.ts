import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { lateShards } from "#lib/events/pending.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { idOf, parseId } from "#lib/storage/id.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import { seeing } from "./handlers/seen.ts";
import { showing } from "./handlers/showing.ts";
import { cardSlotOf, recordShown, shown, slotOf, versionOf } from "./handlers/shown.ts";
import { type WritingNeeds, writing } from "./handlers/writing.ts";

/** Ids in one batch. */
const batchMax = 100;
/** Entries of one author in one answer: as many as a timeline keeps. */
const activitiesMax = 800;

/** Batches of calls are the mesh's work. */
type Handlers = Omit<ServiceImpl<typeof PostService>, "batchCreatePost">;

type Needs = WritingNeeds & { readonly pageTokens: PageTokens };

export const postHandlers = (needs: Needs): Handlers => ({ ...reading(needs), ...writing(needs), ...showing(needs) });

function reading({ store, readModel, standings, pageTokens }: Needs) {
  const seen = seeing({ readModel, standings });

  /** Counts with what is not folded of what the caller has seen; undefined where they have seen nothing of late. */
  async function lateShares(ids: readonly bigint[], ctx: HandlerContext) {
    const late = lateShards(ctx, "post");
    return late.length === 0 ? undefined : await store.shares(ids, late);
  }

  return {
    async batchGetPosts(req, ctx) {
      const ids = idsOf(req.postIds);
      const [posts, late] = await Promise.all([seen.among(ids, ctx), lateShares(ids, ctx)]);
      return { posts: ids.map((id) => slotOf(posts.get(id), late?.get(id))) };
    },

    async batchGetCards(req, ctx) {
      const ids = idsOf(req.postIds);
      const [posts, late] = await Promise.all([readModel.load(ids), lateShares(ids, ctx)]);
      return { cards: ids.map((id) => cardSlotOf(posts.get(id), late?.get(id))) };
    },

    async getPostRecord(req) {
      const record = await store.record(idOf(req.postId, "post_id"));
      if (record === undefined) throw notFound("post");
      return recordShown(record);
    },

    async listPostVersions(req, ctx) {
      const postId = parseId(req.postId) ?? 0n;
      const size = pageSizeOf(req.pageSize);
      const scope = `versions:${postId}`;
      const before = pageTokens.decode(req.pageToken, scope);
      const post = await seen.require(postId, ctx);
      const former = await store.versions(postId, before === undefined ? post.version : Number(before), size + 1);
      const versions = former.map((one) => versionOf(post, one));
      if (before === undefined) versions.unshift(post);
      const last = versions.length > size ? versions[size - 1] : undefined;
      return {
        posts: versions.slice(0, size).map(shown),
        nextPageToken: last === undefined ? "" : pageTokens.encode(BigInt(last.version), scope),
      };
    },

    async batchListActivities(req) {
      if (req.authorIds.length > batchMax) throw invalid("author_ids", `must be at most ${batchMax}`);
      if (req.limit < 1 || req.limit > activitiesMax) throw invalid("limit", `must be between 1 and ${activitiesMax}`);
      const { authorIds, beforeActivityId: before, afterActivityId: after, limit } = req;
      if (before > 0n && after > 0n) throw invalid("after_activity_id", "must not be beside before_activity_id");
      const lists =
        after > 0n
          ? await store.activitiesAbove(authorIds, after, limit)
          : before === 0n
            ? await readModel.loadTimelines(authorIds, limit)
            : await store.activities(authorIds, before, limit);
      return {
        lists: lists.map((ids) => ({ activityIds: ids.slice(0, limit), complete: ids.length < limit })),
      };
    },
  } satisfies Partial<Handlers>;
}

function idsOf(postIds: readonly string[]): bigint[] {
  if (postIds.length > batchMax) throw invalid("post_ids", `must be at most ${batchMax}`);
  return postIds.map((id) => parseId(id) ?? 0n);
}
