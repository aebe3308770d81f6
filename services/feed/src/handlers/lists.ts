import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { AuthorFilter, type FeedService, Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import { anyViewerIdOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { tagOf } from "#lib/mesh/facets.ts";
import { parseId } from "#lib/storage/id.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { Listing } from "../read-model/listed.ts";
import type { Truth } from "../read-model/truth.ts";
import type { Timelines } from "../read-model.ts";
import { answerOf } from "./answer.ts";

type Needs = {
  readonly truth: Pick<
    Truth,
    "sees" | "tagActivities" | "quoteActivities" | "publicActivities" | "mediaActivities" | "memberSet"
  >;
  readonly timelines: Pick<Timelines, "listed" | "listing">;
  readonly pageTokens: PageTokens;
};

type Asked = { readonly pageSize: number; readonly pageToken: string };

/** Feeds that truth's own indexes propose, or the timelines of some authors: no timeline is kept for them. */
export function listFeeds({ truth, timelines, pageTokens }: Needs) {
  async function listed(listing: Listing, reason: Reason, asked: Asked, ctx: HandlerContext) {
    const size = pageSizeOf(asked.pageSize);
    const before = pageTokens.decode(asked.pageToken, listing.name);
    const viewerId = anyViewerIdOf(ctx);
    const page = await timelines.listed(listing, viewerId, before, size, within(ctx));
    // Who is not signed in mutes no words.
    const mutedWordsVersion = viewerId === undefined ? 0n : page.mutedWordsVersion;
    const tokenOf = (next: bigint) => pageTokens.encode(next, listing.name);
    return { ...answerOf(page, () => reason, tokenOf), ...(mutedWordsVersion !== undefined && { mutedWordsVersion }) };
  }

  return {
    listed,

    /** An author's posts of one kind; undefined where all are asked for. */
    filtered(authorId: bigint, filter: AuthorFilter, ctx: HandlerContext): Listing | undefined {
      if (filter === AuthorFilter.UNSPECIFIED) return undefined;
      if (filter !== AuthorFilter.MEDIA) throw invalid("filter", "must be one of those named in the contract");
      const propose: Listing["propose"] = (before, count) =>
        truth.mediaActivities(authorId, before, count, within(ctx));
      return { name: `media:${authorId}`, propose, showsMuted: true };
    },

    async listTagFeed(req, ctx) {
      const tag = tagOf(req.tag.replace(/^[#＃]/u, ""));
      if (tag === undefined) throw invalid("tag", "must be a hashtag");
      const propose: Listing["propose"] = (before, count) => truth.tagActivities(tag, before, count, within(ctx));
      return listed({ name: `tag:${tag}`, propose }, Reason.TAG, req, ctx);
    },

    async listQuoteFeed(req, ctx) {
      const postId = parseId(req.postId);
      if (postId === undefined || !(await truth.sees(postId, within(ctx)))) throw notFound("post");
      const propose: Listing["propose"] = (before, count) => truth.quoteActivities(postId, before, count, within(ctx));
      return listed({ name: `quotes:${postId}`, propose }, Reason.QUOTE, req, ctx);
    },

    async listLocalFeed(req, ctx) {
      const propose: Listing["propose"] = (before, count) => truth.publicActivities(before, count, within(ctx));
      return listed({ name: "local", propose }, Reason.LOCAL, req, ctx);
    },

    async listListFeed(req, ctx) {
      const viewerId = anyViewerIdOf(ctx);
      const authorIds = await truth.memberSet(req.listId, within(ctx));
      const listing = timelines.listing(`list:${viewerId}:${req.listId}`, authorIds, within(ctx));
      return listed(listing, Reason.LIST, req, ctx);
    },
  } satisfies Partial<ServiceImpl<typeof FeedService>> & Record<string, unknown>;
}
