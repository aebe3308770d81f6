import { timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { callOf, viewerOf } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { textOf } from "#lib/mesh/text.ts";
import { idOf, parseId } from "#lib/storage/id.ts";
import { keyOf } from "#lib/storage/idempotency.ts";
import type { Db } from "#lib/storage/mysql.ts";
import type { PostReadModel } from "./read-model.ts";
import { importPosts } from "./store/import.ts";
import type { PostStore, StoredPost } from "./store.ts";

/** Ids in one batch. */
const batchMax = 100;
/** A text: what a long read needs, in a row that stays small. */
const bounds = { graphemesMax: 5_000, bytesMax: 20_000 };
/** Entries of one author in one answer: as many as a timeline keeps. */
const activitiesMax = 800;
/** Posts in one import call. */
const importMax = 500;

type Needs = { db: Db; store: PostStore; readModel: PostReadModel; nudge: () => void };

export function postHandlers({ db, store, readModel, nudge }: Needs): ServiceImpl<typeof PostService> {
  return {
    async createPost(req, ctx) {
      const authorId = BigInt(viewerOf(ctx));
      const wanted = { authorId, text: textOf(req.text, bounds), key: keyOf(req.idempotencyKey) };
      const { post, replayed } = await store.create(wanted, originOf(ctx));
      nudge();
      const { id, version, deleted } = post;
      // A create that comes again may be of a writer that died before it got this far.
      if (!deleted) await readModel.show({ postId: id, authorId, version, activityId: id, deleted }, !replayed);
      return { post: shown(post), replayed };
    },

    async batchGetPosts(req) {
      if (req.postIds.length > batchMax) throw invalid("post_ids", `must be at most ${batchMax}`);
      const ids = req.postIds.map((id) => parseId(id) ?? 0n);
      const posts = await readModel.load(ids);
      return { posts: ids.map((id) => slotOf(posts.get(id))) };
    },

    async getPostRecord(req) {
      const record = await store.record(idOf(req.postId, "post_id"));
      if (record === undefined) throw notFound("post");
      const { authorId, version, createTime, deleted, deleteTime } = record;
      return {
        authorId: String(authorId),
        version: BigInt(version),
        createTime: timestampFromDate(createTime),
        deleted,
        ...(deleteTime !== undefined && { deleteTime: timestampFromDate(deleteTime) }),
      };
    },

    async deletePost(req, ctx) {
      const postId = parseId(req.postId);
      if (postId === undefined) throw notFound("post");
      await readModel.mustReachReaders();
      const change = await store.delete(postId, BigInt(viewerOf(ctx)), originOf(ctx));
      nudge();
      await readModel.remove(change, callOf(ctx));
      return {};
    },

    async batchListActivities(req) {
      if (req.authorIds.length > batchMax) throw invalid("author_ids", `must be at most ${batchMax}`);
      if (req.limit < 1 || req.limit > activitiesMax) throw invalid("limit", `must be between 1 and ${activitiesMax}`);
      const { authorIds, beforeActivityId: before, limit } = req;
      const lists =
        before === 0n
          ? await readModel.loadTimelines(authorIds, limit)
          : await store.activities(authorIds, before, limit);
      return {
        lists: lists.map((ids) => ({ activityIds: ids.slice(0, limit), complete: ids.length < limit })),
      };
    },

    async importPosts(req, ctx) {
      if (req.posts.length > importMax) throw invalid("posts", `must be at most ${importMax}`);
      const posts = req.posts.map(({ authorId, text, createTime, idempotencyKey }) => ({
        authorId: idOf(authorId, "author_id"),
        text: textOf(text, bounds),
        key: keyOf(idempotencyKey),
        timeMs: createTime === undefined ? Date.now() : timestampMs(createTime),
      }));
      const changes = await importPosts(db, posts, originOf(ctx));
      nudge();
      if (changes.length > 0) await readModel.applyLater(changes);
      return { createdCount: BigInt(changes.length) };
    },
  };
}

const slotOf = (post: StoredPost | undefined) => (post === undefined || post.deleted ? {} : { post: shown(post) });

const shown = ({ id, version, authorId, text, createTime }: StoredPost) => ({
  id: String(id),
  version: BigInt(version),
  authorId: String(authorId),
  text,
  createTime: timestampFromDate(createTime),
});
