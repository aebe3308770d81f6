import type { ServiceImpl } from "@connectrpc/connect";
import type { QuoteService } from "#gen/skein/post/v1/quote_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { callOf, viewerOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { perTurn } from "#lib/mesh/turn.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import { idOf, parseId } from "#lib/storage/id.ts";
import type { Statements } from "#lib/storage/mysql.ts";
import type { PostReadModel } from "../read-model.ts";
import { detachQuote, quotedBy, quotesOf } from "../store/quote.ts";
import type { PostStore, StoredPost } from "../store.ts";
import { seenOf } from "./seen.ts";

/** Ids in one batch. */
const batchMax = 100;
/** Entries in one answer: as many as a timeline keeps. */
const activitiesMax = 800;
/** Pages that look at what their posts quote together: as many as a batch of the mesh brings. */
const pagesMax = 32;

type Needs = {
  readonly db: Statements;
  readonly store: Pick<PostStore, "byIds">;
  readonly readModel: Pick<PostReadModel, "authorVersions" | "mustReachReaders" | "renew">;
  readonly standings: StandingReader;
  readonly nudge: () => void;
};

/** The batch is answered by the mesh, call by call. */
type Handlers = Omit<ServiceImpl<typeof QuoteService>, "batchQuoted">;

/** By the post that quotes, by the one that is quoted, by whose that is. */
type Quoted = {
  readonly quoted: ReadonlyMap<bigint, { readonly postId: bigint }>;
  readonly posts: ReadonlyMap<bigint, StoredPost>;
  readonly versions: ReadonlyMap<bigint, number>;
};

export function quoteHandlers({ db, store, readModel, standings, nudge }: Needs): Handlers {
  /** What each of some posts quotes, whoever may see it. */
  const look = perTurn(pagesMax, async (asks: readonly (readonly bigint[])[]): Promise<Quoted[]> => {
    const quoted = await quotedBy(db, [...new Set(asks.flat())]);
    const posts = await store.byIds([...new Set([...quoted.values()].map(({ postId }) => postId))]);
    const found = { quoted, posts, versions: await versionsOf(posts.values()) };
    return asks.map(() => found);
  });

  /** Of profiles, by author. */
  async function versionsOf(posts: Iterable<StoredPost>): Promise<Map<bigint, number>> {
    const authorIds = [...new Set([...posts].map(({ authorId }) => authorId))];
    const versions = await readModel.authorVersions(authorIds);
    return new Map(authorIds.map((id, nth) => [id, versions[nth] ?? 0]));
  }

  return {
    async batchGetQuoted(req, ctx) {
      if (req.postIds.length > batchMax) throw invalid("post_ids", `must be at most ${batchMax}`);
      const ids = req.postIds.map((id) => parseId(id) ?? 0n);
      const { quoted, posts, versions } = await look(ids);
      const slots = ids.map((id) => posts.get(quoted.get(id)?.postId ?? 0n));
      const seen = await seenOf(standings, [...new Set(slots.flatMap((post) => post ?? []))], ctx);
      return {
        quoted: slots.map((post) =>
          post === undefined || !seen.has(post.id) ? {} : refOf(post, versions.get(post.authorId) ?? 0),
        ),
      };
    },

    async detachQuote(req, ctx) {
      const authorId = BigInt(viewerOf(ctx));
      const [postId, quoteId] = [parseId(req.postId), parseId(req.quoteId)];
      await mustBeOpen(standings, authorId, within(ctx));
      if (postId === undefined || quoteId === undefined) throw notFound("quote");
      await readModel.mustReachReaders();
      await detachQuote(db, { postId, quoteId, authorId }, originOf(ctx));
      nudge();
      await readModel.renew([quoteId], callOf(ctx));
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
