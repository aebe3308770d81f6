import type { ServiceImpl } from "@connectrpc/connect";
import { type FeedService, Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import { anyViewerIdOf, viewerOf, within } from "#lib/mesh/call.ts";
import { invalid } from "#lib/mesh/errors.ts";
import { idOf } from "#lib/storage/id.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { Auditor } from "./consumer/audit.ts";
import { answerOf } from "./handlers/answer.ts";
import { listFeeds } from "./handlers/lists.ts";
import { positions } from "./handlers/positions.ts";
import { upward } from "./handlers/upward.ts";
import type { examiner } from "./read-model/explain.ts";
import { factsOf, reasonsOf } from "./read-model/reasons.ts";
import type { Timelines } from "./read-model.ts";
import type { FeedStore } from "./store.ts";

type Needs = {
  store: Pick<FeedStore, "pullAbove" | "setPullAbove" | "readPosition" | "advanceReadPosition">;
  truth: Parameters<typeof listFeeds>[0]["truth"];
  timelines: Timelines;
  auditor: Pick<Auditor, "saw">;
  examine: ReturnType<typeof examiner>;
  pageTokens: PageTokens;
};

type Handlers = Omit<ServiceImpl<typeof FeedService>, "batchListHomeFeed">;

export function feedHandlers({ store, truth, timelines, auditor, examine, pageTokens }: Needs): Handlers {
  const upwards = upward(pageTokens);
  const lists = listFeeds({ truth, timelines, pageTokens });
  return {
    async listHomeFeed(req, ctx) {
      const viewer = viewerOf(ctx);
      const viewerId = BigInt(viewer);
      const size = pageSizeOf(req.pageSize);
      const list = { scope: "home", viewer };
      const after = upwards.place(req, list);
      const page =
        after === undefined
          ? await timelines.home(viewerId, pageTokens.decode(req.pageToken, "home", viewer), size, within(ctx))
          : await timelines.newer(viewerId, after, size, within(ctx));
      auditor.saw(viewerId);
      const reasonOf = (authorId: bigint) => (authorId === viewerId ? Reason.OWN : Reason.FOLLOWING);
      const { mutedWordsVersion } = page;
      return {
        ...answerOf(page, reasonOf, (next) => pageTokens.encode(next, "home", viewer)),
        ...(after !== undefined && upwards.tokens(after, page.next, list)),
        ...(mutedWordsVersion !== undefined && { mutedWordsVersion }),
      };
    },

    listTagFeed: lists.listTagFeed,
    listQuoteFeed: lists.listQuoteFeed,
    listListFeed: lists.listListFeed,
    listLocalFeed: lists.listLocalFeed,

    async listAuthorFeed(req, ctx) {
      const authorId = idOf(req.authorId, "author_id");
      const list = { scope: `author:${authorId}` };
      const after = upwards.place(req, list);
      const filtered = lists.filtered(authorId, req.filter, ctx);
      if (filtered !== undefined) {
        if (after !== undefined) throw invalid("after", "must not be beside a filter");
        return lists.listed(filtered, Reason.AUTHOR, req, ctx);
      }
      const size = pageSizeOf(req.pageSize);
      const viewerId = anyViewerIdOf(ctx);
      const reasonOf = () => Reason.AUTHOR;
      if (after !== undefined) {
        const page = await timelines.authorNewer(authorId, viewerId, after, size, within(ctx));
        return { ...answerOf(page, reasonOf, () => ""), ...upwards.tokens(after, page.next, list) };
      }
      const before = pageTokens.decode(req.pageToken, list.scope);
      const [page, pinned] = await Promise.all([
        timelines.author(authorId, viewerId, before, size, within(ctx)),
        before === undefined ? timelines.pinned(authorId, viewerId, within(ctx)) : undefined,
      ]);
      const top = pinned && answerOf(pinned, reasonOf, () => "").items[0];
      return {
        ...answerOf(page, reasonOf, (next) => pageTokens.encode(next, list.scope)),
        ...(top && { pinned: top }),
      };
    },

    ...positions(store),

    async explainPost(req, ctx) {
      const evidence = await examine(idOf(req.viewerId, "viewer_id"), idOf(req.postId, "post_id"), within(ctx));
      const shown = evidence.shown || evidence.passedOn !== undefined;
      return { shown, reasons: reasonsOf(evidence), facts: factsOf(evidence) };
    },

    async configureFanout({ pullAbove }) {
      if (pullAbove === 0) throw invalid("pull_above", "must be at least 1");
      if (pullAbove !== undefined) await store.setPullAbove(pullAbove);
      return { pullAbove: pullAbove ?? (await store.pullAbove()) };
    },
  };
}
