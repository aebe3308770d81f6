import type { ServiceImpl } from "@connectrpc/connect";
import type { QuoteService } from "#gen/skein/post/v1/quote_pb.ts";
import { viewerOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import { idOf, parseId } from "#lib/storage/id.ts";
import type { Statements } from "#lib/storage/mysql.ts";
import type { PostReadModel } from "../read-model.ts";
import { detachQuote, quotedBy, quotesOf } from "../store/quote.ts";
import type { StoredPost } from "../store.ts";
import { seeing } from "./seen.ts";

/** Ids in one batch. */
const batchMax = 100;
/** Entries in one answer: as many as a timeline keeps. */
const activitiesMax = 800;

type Needs = { readonly db: Statements; readonly readModel: PostReadModel; readonly standings: StandingReader };

export function quoteHandlers({ db, readModel, standings }: Needs): ServiceImpl<typeof QuoteService> {
  const seen = seeing({ readModel, standings });

  /** Of profiles, by author. */
  async function versionsOf(posts: Iterable<StoredPost>): Promise<Map<bigint, number>> {
    const authorIds = [...new Set([...posts].map(({ authorId }) => authorId))];
    const versions = await Promise.all(authorIds.map((id) => readModel.authorVersion(id)));
    return new Map(authorIds.map((id, nth) => [id, versions[nth] ?? 0]));
  }

  return {
    async batchGetQuoted(req, ctx) {
      if (req.postIds.length > batchMax) throw invalid("post_ids", `must be at most ${batchMax}`);
      const ids = req.postIds.map((id) => parseId(id) ?? 0n);
      const quoted = await quotedBy(db, ids);
      const posts = await seen.among([...new Set(quoted.values())], ctx);
      const versions = await versionsOf(posts.values());
      return {
        quoted: ids.map((id) => {
          const post = posts.get(quoted.get(id) ?? 0n);
          return post === undefined ? {} : refOf(post, versions.get(post.authorId) ?? 0);
        }),
      };
    },

    async detachQuote(req, ctx) {
      const authorId = BigInt(viewerOf(ctx));
      const [postId, quoteId] = [parseId(req.postId), parseId(req.quoteId)];
      await mustBeOpen(standings, authorId, within(ctx));
      if (postId === undefined || quoteId === undefined) throw notFound("quote");
      await detachQuote(db, { postId, quoteId, authorId });
      return {};
    },

    async listQuoteActivities(req) {
      if (req.limit < 1 || req.limit > activitiesMax) throw invalid("limit", `must be between 1 and ${activitiesMax}`);
      const entries = await quotesOf(db, idOf(req.postId, "post_id"), req.beforeActivityId, req.limit);
      return {
        activityIds: entries.map(({ activityId }) => activityId),
        authorIds: entries.map(({ authorId }) => authorId),
        complete: entries.length < req.limit,
      };
    },
  };
}

const refOf = ({ id, version, authorId }: StoredPost, authorVersion: number) => ({
  postId: String(id),
  postVersion: BigInt(version),
  authorId: String(authorId),
  authorVersion: BigInt(authorVersion),
});
