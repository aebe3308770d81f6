import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type FeedService, Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import type { Reaction } from "#gen/skein/like/v1/like_pb.ts";
import { anyViewerIdOf, callOf, viewerOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { tagOf } from "#lib/mesh/facets.ts";
import { idOf, parseId } from "#lib/storage/id.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { Auditor } from "./consumer/audit.ts";
import type { examiner } from "./read-model/explain.ts";
import { factsOf, reasonsOf } from "./read-model/reasons.ts";
import type { Truth } from "./read-model/truth.ts";
import type { Page, Timelines } from "./read-model.ts";
import type { FeedStore } from "./store.ts";

type Needs = {
  store: Pick<FeedStore, "pullAbove" | "setPullAbove">;
  truth: Pick<Truth, "sees" | "tagActivities" | "quoteActivities">;
  timelines: Timelines;
  auditor: Pick<Auditor, "saw">;
  examine: ReturnType<typeof examiner>;
  pageTokens: PageTokens;
};

type Handlers = Omit<ServiceImpl<typeof FeedService>, "batchListHomeFeed">;

export function feedHandlers({ store, truth, timelines, auditor, examine, pageTokens }: Needs): Handlers {
  return {
    async listHomeFeed(req, ctx) {
      const viewer = viewerOf(ctx);
      const viewerId = BigInt(viewer);
      const size = pageSizeOf(req.pageSize);
      const before = pageTokens.decode(req.pageToken, "home", viewer);
      const page = await timelines.home(viewerId, before, size, within(ctx));
      auditor.saw(viewerId);
      const reasonOf = (authorId: bigint) => (authorId === viewerId ? Reason.OWN : Reason.FOLLOWING);
      const { mutedWordsVersion } = page;
      return {
        ...answerOf(page, reasonOf, (next) => pageTokens.encode(next, "home", viewer)),
        ...(mutedWordsVersion !== undefined && { mutedWordsVersion }),
      };
    },

    async listAuthorFeed(req, ctx) {
      const authorId = idOf(req.authorId, "author_id");
      const size = pageSizeOf(req.pageSize);
      const viewer = callOf(ctx).viewerId;
      const viewerId = viewer === undefined ? undefined : BigInt(viewer);
      const scope = `author:${authorId}`;
      const before = pageTokens.decode(req.pageToken, scope);
      const [page, pinned] = await Promise.all([
        timelines.author(authorId, viewerId, before, size, within(ctx)),
        before === undefined ? timelines.pinned(authorId, viewerId, within(ctx)) : undefined,
      ]);
      const reasonOf = () => Reason.AUTHOR;
      const top = pinned && answerOf(pinned, reasonOf, () => "").items[0];
      return { ...answerOf(page, reasonOf, (next) => pageTokens.encode(next, scope)), ...(top && { pinned: top }) };
    },

    async listTagFeed(req, ctx) {
      const tag = tagOf(req.tag.replace(/^[#＃]/u, ""));
      if (tag === undefined) throw invalid("tag", "must be a hashtag");
      const activities: Activities = (before, count) => truth.tagActivities(tag, before, count, within(ctx));
      return listed(`tag:${tag}`, activities, Reason.TAG, req, ctx);
    },

    async listQuoteFeed(req, ctx) {
      const postId = parseId(req.postId);
      if (postId === undefined || !(await truth.sees(postId, within(ctx)))) throw notFound("post");
      const activities: Activities = (before, count) => truth.quoteActivities(postId, before, count, within(ctx));
      return listed(`quotes:${postId}`, activities, Reason.QUOTE, req, ctx);
    },

    async explainPost(req, ctx) {
      const evidence = await examine(idOf(req.viewerId, "viewer_id"), idOf(req.postId, "post_id"), within(ctx));
      return { shown: evidence.shown, reasons: reasonsOf(evidence), facts: factsOf(evidence) };
    },

    async configureFanout({ pullAbove }) {
      if (pullAbove === 0) throw invalid("pull_above", "must be at least 1");
      if (pullAbove !== undefined) await store.setPullAbove(pullAbove);
      return { pullAbove: pullAbove ?? (await store.pullAbove()) };
    },
  };

  /** A page of a list that truth keeps. */
  async function listed(name: string, activities: Activities, reason: Reason, asked: Asked, ctx: HandlerContext) {
    const size = pageSizeOf(asked.pageSize);
    const before = pageTokens.decode(asked.pageToken, name);
    const viewerId = anyViewerIdOf(ctx);
    const page = await timelines.listed(name, activities, viewerId, before, size, within(ctx));
    // Who is not signed in mutes no words.
    const mutedWordsVersion = viewerId === undefined ? 0n : page.mutedWordsVersion;
    const tokenOf = (next: bigint) => pageTokens.encode(next, name);
    return { ...answerOf(page, () => reason, tokenOf), ...(mutedWordsVersion !== undefined && { mutedWordsVersion }) };
  }
}

type Activities = Parameters<Timelines["listed"]>[1];
type Asked = { readonly pageSize: number; readonly pageToken: string };

function answerOf(
  { items, next, fromTruth }: Page,
  reasonOf: (authorId: bigint) => Reason,
  tokenOf: (next: bigint) => string,
) {
  return {
    items: items.map((item) => ({
      activityId: String(item.activityId),
      postId: String(item.activityId),
      postVersion: BigInt(item.postVersion),
      authorId: String(item.authorId),
      authorVersion: BigInt(item.authorVersion),
      reason: reasonOf(item.authorId),
      likeCount: BigInt(item.likeCount),
      commentCount: BigInt(item.commentCount),
      liked: item.liked,
      otherReactions: item.otherReactions.map(([reaction, n]) => ({
        reaction: reaction as Reaction,
        count: BigInt(n),
      })),
      viewerReaction: item.viewerReaction,
      saved: item.saved,
    })),
    nextPageToken: next === undefined ? "" : tokenOf(next),
    fromTruth,
  };
}
