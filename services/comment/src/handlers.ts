import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { lateShards } from "#lib/events/pending.ts";
import { anyViewerIdOf, callOf, mustBeWanted, viewerOf } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { textOf } from "#lib/mesh/text.ts";
import { mayMeet } from "#lib/readmodel/audience.ts";
import { totalOf } from "#lib/readmodel/count.ts";
import { metPage } from "#lib/readmodel/met-page.ts";
import type { VisiblePosts } from "#lib/readmodel/visible-post.ts";
import { parseId } from "#lib/storage/id.ts";
import { keyOf } from "#lib/storage/idempotency.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { CommentReadModel } from "./read-model.ts";
import type { CommentStore, StoredComment } from "./store.ts";

/** Posts in one batch. */
const batchMax = 100;
/** A text: a page of a hundred of the longest stays below a megabyte. */
const bounds = { graphemesMax: 2_200, bytesMax: 9_000 };

/** Batches of calls are the mesh's work. */
type Handlers = Omit<ServiceImpl<typeof CommentService>, "batchCreateComment">;

type Needs = {
  store: CommentStore;
  readModel: CommentReadModel;
  posts: VisiblePosts;
  pageTokens: PageTokens;
  nudge: () => void;
};

export const commentHandlers = (needs: Needs): Handlers => ({ ...writes(needs), ...reads(needs), ...counts(needs) });

/** A comment or its tombstone; NOT_FOUND where there never was one. */
async function find(store: CommentStore, sent: string): Promise<StoredComment> {
  const id = parseId(sent);
  const comment = id === undefined ? undefined : await store.byId(id);
  if (comment === undefined) throw notFound("comment");
  return comment;
}

function writes(needs: Needs): Pick<Handlers, "createComment" | "deleteComment"> {
  const { store, readModel, posts, nudge } = needs;
  return {
    async createComment(req, ctx) {
      const authorId = BigInt(viewerOf(ctx));
      const said = { authorId, text: textOf(req.text, bounds), key: keyOf(req.idempotencyKey) };
      const postId = postIdOf(req.postId);
      const [authorVersion] = await Promise.all([readModel.authorVersion(authorId), posts.requireToWrite(postId, ctx)]);
      const { comment, replayed } = await store.create({ ...said, postId }, originOf(ctx), () => mustBeWanted(ctx));
      nudge();
      return { comment: shown(comment), replayed, authorVersion: BigInt(authorVersion) };
    },

    async deleteComment(req, ctx) {
      const viewerId = BigInt(viewerOf(ctx));
      await posts.mayWrite(ctx);
      const comment = await find(store, req.commentId);
      if (comment.authorId !== viewerId) {
        const post = await posts.find(comment.postId, ctx);
        if (post?.authorId !== viewerId) throw notFound("comment");
      }
      await store.delete(comment, originOf(ctx));
      nudge();
      return {};
    },
  };
}

function reads({
  store,
  posts,
  pageTokens,
}: Needs): Pick<Handlers, "listComments" | "getComment" | "batchGetComments"> {
  /** Those comments that are there for the viewer of a call, by id. */
  async function visible(comments: readonly StoredComment[], ctx: HandlerContext): Promise<Map<bigint, StoredComment>> {
    const standing = comments.filter(({ deleted }) => !deleted);
    const [there, standings] = await Promise.all([
      posts.among([...new Set(standing.map(({ postId }) => postId))], ctx),
      posts.standings(
        standing.map(({ authorId }) => authorId),
        ctx,
      ),
    ]);
    const viewerId = anyViewerIdOf(ctx);
    const maySee = ({ postId, authorId }: StoredComment) =>
      there.has(postId) && mayMeet(viewerId, authorId, standings.get(authorId));
    return new Map(standing.filter(maySee).map((comment) => [comment.id, comment]));
  }

  return {
    async listComments(req, ctx) {
      const postId = postIdOf(req.postId);
      const size = pageSizeOf(req.pageSize);
      const scope = `comments:${postId}`;
      const before = pageTokens.decode(req.pageToken, scope);
      await posts.require(postId, ctx);
      const { page, next } = await metPage({
        viewerId: anyViewerIdOf(ctx),
        before,
        size,
        read: async (from, limit) => (await store.list(postId, from, limit)).map(said),
        standings: (userIds) => posts.standings(userIds, ctx),
      });
      return {
        comments: page.map(({ comment }) => shown(comment)),
        nextPageToken: next === undefined ? "" : pageTokens.encode(next, scope),
      };
    },

    async getComment(req, ctx) {
      const comment = await find(store, req.commentId);
      if (comment.deleted || (await posts.find(comment.postId, ctx)) === undefined) throw notFound("comment");
      const { authorId } = comment;
      const standing = (await posts.standings([authorId], ctx)).get(authorId);
      if (!mayMeet(anyViewerIdOf(ctx), authorId, standing)) throw notFound("comment");
      return { comment: shown(comment) };
    },

    async batchGetComments(req, ctx) {
      if (req.commentIds.length > batchMax) throw invalid("comment_ids", `must be at most ${batchMax}`);
      const ids = req.commentIds.map((id) => parseId(id) ?? 0n);
      const found = await store.byIds(ids);
      const seen = await visible([...found.values()], ctx);
      return { comments: ids.map((id) => slotOf(seen.get(id))) };
    },
  };
}

function counts({ readModel, posts }: Needs): Pick<Handlers, "batchGetCommentCounts"> {
  return {
    async batchGetCommentCounts(req, ctx) {
      if (req.postIds.length > batchMax) throw invalid("post_ids", `must be at most ${batchMax}`);
      const ids = req.postIds.map(parseId);
      const asked = ids.filter((id) => id !== undefined);
      // A feed has decided already, in the read that asks.
      const there = callOf(ctx).caller === "feed" ? undefined : await posts.among(asked, ctx);
      const known = asked.filter((id) => there?.has(id) ?? true);
      const kept = await readModel.loadCounts(known, lateShards(ctx, "comment"));
      const countOf = (id: bigint) => kept.get(id) ?? { version: 0, value: 0 };
      return { counts: ids.map((id = 0n) => BigInt(totalOf(countOf(id)))) };
    },
  };
}

function postIdOf(sent: string): bigint {
  const id = parseId(sent);
  if (id === undefined) throw notFound("post");
  return id;
}

/** Who said it, and where in the list. */
const said = (comment: StoredComment) => ({ comment, userId: comment.authorId, place: comment.id });

const slotOf = (comment: StoredComment | undefined) => (comment === undefined ? {} : { comment: shown(comment) });

const shown = ({ id, version, postId, authorId, text, createTime }: StoredComment) => ({
  id: String(id),
  version,
  postId: String(postId),
  authorId: String(authorId),
  text,
  createTime: timestampFromDate(createTime),
});
