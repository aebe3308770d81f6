import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { MediaSchema, type MediaService } from "#gen/skein/media/v1/media_pb.ts";
import type { EditPostRequest, PostService, ImportedPost as SentImport } from "#gen/skein/post/v1/post_pb.ts";
import type { UserService } from "#gen/skein/user/v1/user_pb.ts";
import type { Brought } from "#lib/events/brought.ts";
import { originOf } from "#lib/events/outbox.ts";
import { callOf, mustBeWanted, viewerOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { facetsOf } from "#lib/mesh/found-facets.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import { claimMedia, claimOf, mediaIdsOf } from "#lib/service/claims.ts";
import { clocksMs, idOf, parseId } from "#lib/storage/id.ts";
import { keyOf } from "#lib/storage/idempotency.ts";
import type { Statements } from "#lib/storage/mysql.ts";
import { postName } from "../events.ts";
import type { OwnReadModel } from "../read-model/own.ts";
import type { PostReadModel } from "../read-model.ts";
import type { Written } from "../store/content.ts";
import { type ImportedPost, importPosts } from "../store/import.ts";
import type { PostStore, StoredPost } from "../store.ts";
import { contentOf } from "./content.ts";
import { deleting } from "./deleting.ts";
import { audienceOf, mediaMax, mentionsOf, postTextOf, replySettingOf } from "./rules.ts";
import { seeing } from "./seen.ts";
import { sharesShown, shown } from "./shown.ts";

/** Posts in one import call. */
const importMax = 500;

export type WritingNeeds = {
  readonly db: Statements;
  readonly store: PostStore;
  readonly readModel: PostReadModel;
  readonly own: OwnReadModel;
  readonly standings: StandingReader;
  readonly users: Pick<Client<typeof UserService>, "batchFindUsers">;
  readonly media: Pick<Client<typeof MediaService>, "attachMedia">;
  readonly brought: Brought;
  readonly nudge: () => void;
};

/** What makes and changes posts. */
export function writing({ db, store, readModel, own, standings, users, media, brought, nudge }: WritingNeeds) {
  const seen = seeing({ readModel, standings });
  const remove = deleting({ store, readModel, own, nudge });

  async function answered(post: StoredPost, replayed: boolean, authorVersion: number, ctx: HandlerContext) {
    nudge();
    // A create that comes again may be of a writer that died before it got this far.
    const show = () => readModel.show({ ...post, postId: post.id, activityId: post.id }, !replayed);
    if (!post.deleted) await brought.bring(callOf(ctx).told, postName(post.id), show);
    return { post: shown(post), replayed, authorVersion: BigInt(authorVersion), ...sharesShown(post.shares) };
  }

  return {
    async createPost(req, ctx) {
      const authorId = BigInt(viewerOf(ctx));
      const mediaIds = mediaIdsOf(req.mediaIds, mediaMax);
      const wanted = {
        authorId,
        text: mediaIds.length > 0 && req.text === "" ? "" : postTextOf(req.text),
        audience: audienceOf(req.audience),
        mentionedIds: mentionsOf(req.mentionedUserIds),
        replySetting: replySettingOf(req.replySetting),
        key: keyOf(req.idempotencyKey),
      };
      // As it is asked for: what it is made of may be gone where its key has made it before.
      const parts = mediaIds.map((id) => create(MediaSchema, { id: String(id) }));
      const asked = { ...wanted, content: contentOf(undefined, req, parts) };
      if (mediaIds.length > 0 || req.quotedPostId !== 0n) {
        await mustBeOpen(standings, authorId, within(ctx));
        const post = await store.made(asked);
        if (post !== undefined) return await answered(post, true, await readModel.authorVersion(authorId), ctx);
      }
      const [authorVersion, facets] = await Promise.all([
        readModel.authorVersion(authorId),
        facetsOf(wanted.text, users, within(ctx)),
        req.quotedPostId === 0n ? undefined : seen.require(req.quotedPostId, ctx),
        mustBeOpen(standings, authorId, within(ctx)),
      ]);
      const claim = { mediaIds, attachment: claimOf("post", authorId, wanted.key) };
      const claimed = await claimMedia(media, claim, within(ctx));
      const written = { ...wanted, content: contentOf(facets, req, claimed) };
      const { post, replayed } = await store.create(written, originOf(ctx), () => mustBeWanted(ctx));
      return await answered(post, replayed, authorVersion, ctx);
    },

    async editPost(req, ctx) {
      const postId = parseId(req.postId);
      if (postId === undefined) throw notFound("post");
      const authorId = BigInt(viewerOf(ctx));
      const write = await editOf(req, users, ctx);
      await mustBeOpen(standings, authorId, within(ctx));
      await readModel.mustReachReaders();
      const ifVersion = req.ifVersion === undefined ? undefined : Number(req.ifVersion);
      const { post, change } = await store.edit({ postId, authorId, ifVersion, write }, originOf(ctx));
      nudge();
      await readModel.replace(change, callOf(ctx));
      return { post: shown(post), ...sharesShown(change.shares) };
    },

    async deletePost(req, ctx) {
      const postId = parseId(req.postId);
      if (postId === undefined) throw notFound("post");
      const viewerId = BigInt(viewerOf(ctx));
      await mustBeOpen(standings, viewerId, within(ctx));
      await remove(postId, viewerId, ctx);
      return {};
    },

    async importPosts(req, ctx) {
      if (req.posts.length > importMax) throw invalid("posts", `must be at most ${importMax}`);
      const changes = await importPosts(db, await Promise.all(req.posts.map(importedOf)), originOf(ctx));
      nudge();
      if (changes.length > 0) await readModel.applyLater(changes);
      return { createdCount: BigInt(changes.length) };
    },
  } satisfies Partial<ServiceImpl<typeof PostService>>;
}

/** How an edit makes new content of what stands. What does not depend on that is checked, and looked up, before. */
async function editOf(
  { text, contentWarning, language }: EditPostRequest,
  users: WritingNeeds["users"],
  ctx: HandlerContext,
) {
  contentOf(undefined, { contentWarning: contentWarning ?? "", language: language ?? "" });
  // Of a post with media the text may be taken away.
  const sent = text === undefined || text === "" ? text : postTextOf(text);
  const facets = sent === undefined ? undefined : await facetsOf(sent, users, within(ctx));
  return (current: Written): Written => {
    const said = current.content;
    if (sent === "" && !said?.media.length) postTextOf(sent);
    const isNew = text !== undefined && text !== current.text;
    return {
      text: text ?? current.text,
      content: contentOf(
        isNew ? facets : said?.facets,
        {
          contentWarning: contentWarning ?? said?.contentWarning ?? "",
          language: language ?? said?.language ?? "",
          quotedPostId: said?.quotedPostId ?? 0n,
          poll: said?.poll,
        },
        said?.media,
        said?.linkPreview,
      ),
    };
  };
}

const importedOf = async ({
  authorId,
  text,
  createTime,
  idempotencyKey,
  audience,
}: SentImport): Promise<ImportedPost> => ({
  authorId: idOf(authorId, "author_id"),
  text: postTextOf(text),
  audience: audienceOf(audience),
  mentionedIds: [],
  replySetting: 0,
  // An import looks up no names.
  content: contentOf(await facetsOf(text), { contentWarning: "", language: "" }),
  key: keyOf(idempotencyKey),
  timeMs: createTime === undefined ? Date.now() : pastMs(createTime),
});

/** When something was made elsewhere: ids tell that what has a later one did not exist yet. */
function pastMs(createTime: Timestamp): number {
  const timeMs = timestampMs(createTime);
  if (timeMs > Date.now() + clocksMs) throw invalid("create_time", "must not be in the future");
  return timeMs;
}
