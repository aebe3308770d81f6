import { timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { MediaService } from "#gen/skein/media/v1/media_pb.ts";
import type { Audience, PostService, ImportedPost as SentImport } from "#gen/skein/post/v1/post_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { anyViewerIdOf, callOf, mustBeWanted, viewerOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";

import { maySeePost } from "#lib/readmodel/audience.ts";
import { askedAbout, mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";

import { idOf, parseId } from "#lib/storage/id.ts";
import { keyOf } from "#lib/storage/idempotency.ts";
import type { Statements } from "#lib/storage/mysql.ts";
import { claimMedia, mediaIdsOf } from "./handlers/media.ts";
import { audienceOf, mentionsOf, postTextOf } from "./handlers/rules.ts";
import type { PostReadModel } from "./read-model.ts";
import { type ImportedPost, importPosts } from "./store/import.ts";
import type { PostRecord, PostStore, StoredPost } from "./store.ts";

/** Ids in one batch. */
const batchMax = 100;
/** Entries of one author in one answer: as many as a timeline keeps. */
const activitiesMax = 800;
/** Posts in one import call. */
const importMax = 500;

/** Batches of calls are the mesh's work. */
type Handlers = Omit<ServiceImpl<typeof PostService>, "batchCreatePost">;

type Needs = {
  db: Statements;
  store: PostStore;
  readModel: PostReadModel;
  standings: StandingReader;
  media: Pick<Client<typeof MediaService>, "attachMedia">;
  nudge: () => void;
};

export function postHandlers({ db, store, readModel, standings, media, nudge }: Needs): Handlers {
  return {
    async createPost(req, ctx) {
      const authorId = BigInt(viewerOf(ctx));
      const mediaIds = mediaIdsOf(req.mediaIds);
      const wanted = {
        authorId,
        text: mediaIds.length > 0 && req.text === "" ? "" : postTextOf(req.text),
        audience: audienceOf(req.audience),
        mentionedIds: mentionsOf(req.mentionedUserIds),
        key: keyOf(req.idempotencyKey),
      };
      const [authorVersion] = await Promise.all([
        readModel.authorVersion(authorId),
        mustBeOpen(standings, authorId, within(ctx)),
      ]);
      const claimed = await claimMedia(media, { ...wanted, mediaIds }, within(ctx));
      const { post, replayed } = await store.create({ ...wanted, media: claimed }, originOf(ctx), () =>
        mustBeWanted(ctx),
      );
      nudge();
      // A create that comes again may be of a writer that died before it got this far.
      if (!post.deleted) await readModel.show({ ...post, postId: post.id, activityId: post.id }, !replayed);
      return { post: shown(post), replayed, authorVersion: BigInt(authorVersion) };
    },

    async batchGetPosts(req, ctx) {
      const { ids, posts } = await load(req.postIds);
      const viewerId = anyViewerIdOf(ctx);
      const known = await standings(viewerId, askedAbout(viewerId, posts.values()), within(ctx));
      const maySee = (post: StoredPost) => maySeePost(viewerId, post, known.get(post.authorId));
      return { posts: ids.map((id) => slotOf(posts.get(id), maySee)) };
    },

    async batchGetCards(req) {
      const { ids, posts } = await load(req.postIds);
      return { cards: ids.map((id) => cardSlotOf(posts.get(id))) };
    },

    async getPostRecord(req) {
      const record = await store.record(idOf(req.postId, "post_id"));
      if (record === undefined) throw notFound("post");
      return recordShown(record);
    },

    async deletePost(req, ctx) {
      const postId = parseId(req.postId);
      if (postId === undefined) throw notFound("post");
      const viewerId = BigInt(viewerOf(ctx));
      await mustBeOpen(standings, viewerId, within(ctx));
      await readModel.mustReachReaders();
      const change = await store.delete(postId, viewerId, originOf(ctx));
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
      const changes = await importPosts(db, req.posts.map(importedOf), originOf(ctx));
      nudge();
      if (changes.length > 0) await readModel.applyLater(changes);
      return { createdCount: BigInt(changes.length) };
    },
  };

  async function load(postIds: readonly string[]) {
    if (postIds.length > batchMax) throw invalid("post_ids", `must be at most ${batchMax}`);
    const ids = postIds.map((id) => parseId(id) ?? 0n);
    return { ids, posts: await readModel.load(ids) };
  }
}

const importedOf = ({ authorId, text, createTime, idempotencyKey, audience }: SentImport): ImportedPost => ({
  authorId: idOf(authorId, "author_id"),
  text: postTextOf(text),
  audience: audienceOf(audience),
  mentionedIds: [],
  key: keyOf(idempotencyKey),
  timeMs: createTime === undefined ? Date.now() : timestampMs(createTime),
});

const recordShown = ({ authorId, version, createTime, deleted, deleteTime }: PostRecord) => ({
  authorId: String(authorId),
  version: BigInt(version),
  createTime: timestampFromDate(createTime),
  deleted,
  ...(deleteTime !== undefined && { deleteTime: timestampFromDate(deleteTime) }),
});

const slotOf = (post: StoredPost | undefined, maySee: (post: StoredPost) => boolean) =>
  post === undefined || !maySee(post) ? {} : { post: shown(post) };

const cardSlotOf = (post: StoredPost | undefined) =>
  post === undefined
    ? {}
    : {
        card: {
          version: BigInt(post.version),
          authorId: post.authorId,
          deleted: post.deleted,
          audience: post.audience as Audience,
          mentionedUserIds: [...post.mentionedIds],
        },
      };

const shown = ({ id, version, authorId, audience, text, createTime, media }: StoredPost) => ({
  id: String(id),
  version: BigInt(version),
  authorId: String(authorId),
  audience: audience as Audience,
  text,
  createTime: timestampFromDate(createTime),
  media: [...media],
});
