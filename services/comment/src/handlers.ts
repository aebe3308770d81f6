import type { Client, ServiceImpl } from "@connectrpc/connect";
import { type CommentService, ReplyRefusal } from "#gen/skein/comment/v1/comment_pb.ts";
import { Repliers } from "#gen/skein/comment/v1/thread_pb.ts";
import { Kind, type MediaService } from "#gen/skein/media/v1/media_pb.ts";
import type { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { lateShards } from "#lib/events/pending.ts";
import { anyViewerIdOf, callOf, mustBeWanted, viewerOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { facetsOf } from "#lib/mesh/found-facets.ts";
import { textOf } from "#lib/mesh/text.ts";
import { replyRefusal } from "#lib/readmodel/audience.ts";
import { totalOf } from "#lib/readmodel/count.ts";
import { openThread, type ThreadRule, threadBeside } from "#lib/readmodel/thread.ts";
import type { VisiblePosts } from "#lib/readmodel/visible-post.ts";
import { claimMedia, claimOf, mediaIdsOf } from "#lib/service/claims.ts";
import { parseId } from "#lib/storage/id.ts";
import { keyOf } from "#lib/storage/idempotency.ts";
import type { PageTokens } from "#lib/storage/page.ts";
import { commentsBy } from "./handlers/by.ts";
import { commentLists } from "./handlers/lists.ts";
import { find, postIdOf, seenBy, seenOne, shown } from "./handlers/seen.ts";
import type { CommentReadModel } from "./read-model.ts";
import { onTop, type Standing } from "./store/say.ts";
import type { CommentStore, StoredComment } from "./store.ts";

/** Posts, or comments, in one batch. */
const batchMax = 100;
/** A text: a page of a hundred of the longest stays below a megabyte. */
const bounds = { graphemesMax: 2_200, bytesMax: 9_000 };
/** Pictures of one comment. */
const mediaMax = 4;
/** How deep replies stand: a page of a screen shows no more levels. A reply to what is there stands beside it. */
const depthMax = 10;

/** Batches of calls are the mesh's work. */
type Handlers = Omit<ServiceImpl<typeof CommentService>, "batchCreateComment">;

type Needs = {
  store: CommentStore;
  readModel: CommentReadModel;
  posts: VisiblePosts;
  users: Pick<Client<typeof UserService>, "batchFindUsers">;
  media: Pick<Client<typeof MediaService>, "attachMedia">;
  pageTokens: PageTokens;
  nudge: () => void;
};

export const commentHandlers = (needs: Needs): Handlers => ({
  ...creates(needs),
  ...changes(needs),
  ...threads(needs),
  ...reads(needs),
  ...commentLists(needs),
  ...commentsBy(needs),
});

function creates({ store, readModel, posts, users, media, nudge }: Needs): Pick<Handlers, "createComment"> {
  return {
    async createComment(req, ctx) {
      const authorId = BigInt(viewerOf(ctx));
      const mediaIds = mediaIdsOf(req.mediaIds, mediaMax);
      const text = mediaIds.length > 0 && req.text === "" ? "" : textOf(req.text, bounds);
      const said = { authorId, text, mediaIds, key: keyOf(req.idempotencyKey) };
      const postId = postIdOf(req.postId);
      const [authorVersion, { card, following }, facets] = await Promise.all([
        readModel.authorVersion(authorId),
        posts.requireToReply(postId, ctx),
        facetsOf(said.text, users, within(ctx)),
      ]);
      const parent = req.parentId === "" ? undefined : await seenOne(posts, await find(store, req.parentId), ctx);
      if (parent !== undefined && parent.postId !== postId) throw notFound("comment");
      const asked = { ...said, postId, askedParentId: parent?.id ?? 0n };
      const made = mediaIds.length === 0 ? undefined : await store.made(asked, originOf(ctx));
      if (made !== undefined) return { comment: shown(made), replayed: true, authorVersion: BigInt(authorVersion) };
      const claim = { mediaIds, attachment: claimOf("comment", authorId, said.key), kind: Kind.PHOTO };
      const wanted = {
        ...asked,
        facets,
        media: await claimMedia(media, claim, within(ctx)),
        standing: parent === undefined ? onTop : standingUnder(parent),
        replier: { isOwner: card.authorId === authorId, isFollower: following },
      };
      const { comment, replayed } = await store.create(wanted, originOf(ctx), () => mustBeWanted(ctx));
      nudge();
      return { comment: shown(comment), replayed, authorVersion: BigInt(authorVersion) };
    },
  };
}

function standingUnder({ id, parentId, rootId, depth }: StoredComment): Standing {
  const top = rootId === 0n ? id : rootId;
  return depth < depthMax ? { parentId: id, rootId: top, depth: depth + 1 } : { parentId, rootId: top, depth };
}

function changes({
  users,
  store,
  posts,
  nudge,
}: Needs): Pick<Handlers, "updateComment" | "setCommentHidden" | "deleteComment"> {
  return {
    async updateComment(req, ctx) {
      const viewerId = BigInt(viewerOf(ctx));
      await posts.mayWrite(ctx);
      const comment = await find(store, req.commentId);
      if (comment.authorId !== viewerId) throw notFound("comment");
      // Of a comment with pictures the text may be taken away.
      const text = req.text === "" && comment.media.length > 0 ? "" : textOf(req.text, bounds);
      await seenOne(posts, comment, ctx);
      const facets = await facetsOf(text, users, within(ctx));
      const edited = await store.edit(comment.id, { text, facets }, originOf(ctx));
      nudge();
      const late = lateShards(ctx, "comment");
      return { comment: shown(edited, (await store.replyCounts([edited.id], late)).get(edited.id)) };
    },

    async setCommentHidden(req, ctx) {
      const viewerId = BigInt(viewerOf(ctx));
      await posts.mayWrite(ctx);
      const comment = await find(store, req.commentId);
      const post = await posts.find(comment.postId, ctx);
      if (post?.authorId !== viewerId) throw notFound("comment");
      await store.hide(comment.id, req.hidden, originOf(ctx));
      nudge();
      return {};
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

function threads({ store, readModel, posts, nudge }: Needs): Pick<Handlers, "getThread" | "updateThread"> {
  return {
    async getThread(req, ctx) {
      const postId = postIdOf(req.postId);
      const viewerId = anyViewerIdOf(ctx);
      const card = await posts.require(postId, ctx);
      const { authorId } = card;
      const [thread, standings] = await Promise.all([store.thread(postId), posts.standings([authorId], ctx)]);
      const standing = standings.get(authorId);
      const refusal = replyRefusal(viewerId, card, standing, thread);
      return {
        thread: threadShown(thread),
        mayReply: viewerId !== undefined && refusal === ReplyRefusal.UNSPECIFIED,
      };
    },

    async updateThread(req, ctx) {
      const viewerId = BigInt(viewerOf(ctx));
      const postId = postIdOf(req.postId);
      const { locked, repliers } = req;
      if (repliers !== undefined && !allRepliers.has(repliers)) {
        throw invalid("repliers", "must be one of those named in the contract");
      }
      const { authorId } = await posts.requireToWrite(postId, ctx);
      if (authorId !== viewerId) throw notFound("post");
      const change = {
        ...(locked !== undefined && { locked }),
        ...(repliers !== undefined && { repliers: repliers || Repliers.EVERYONE }),
      };
      const { thread, count } = await store.changeThread(postId, change, originOf(ctx));
      nudge();
      if (count !== undefined) await readModel.apply(postId, count);
      return { thread: threadShown(thread) };
    },
  };
}

const allRepliers = new Set<number>(Object.values(Repliers));
const threadShown = ({ locked, repliers }: ThreadRule) => ({ locked, repliers });

function reads({
  store,
  readModel,
  posts,
}: Needs): Pick<Handlers, "getComment" | "batchGetComments" | "batchGetCommentCounts"> {
  return {
    async getComment(req, ctx) {
      const comment = await seenOne(posts, await find(store, req.commentId), ctx);
      const late = lateShards(ctx, "comment");
      return { comment: shown(comment, (await store.replyCounts([comment.id], late)).get(comment.id)) };
    },

    async batchGetComments(req, ctx) {
      if (req.commentIds.length > batchMax) throw invalid("comment_ids", `must be at most ${batchMax}`);
      const ids = req.commentIds.map((id) => parseId(id) ?? 0n);
      const [found, replies] = await Promise.all([
        store.byIds(ids),
        store.replyCounts(ids, lateShards(ctx, "comment")),
      ]);
      const seen = await seenBy(posts, [...found.values()], ctx);
      const slotOf = (comment: StoredComment | undefined) =>
        comment === undefined ? {} : { comment: shown(comment, replies.get(comment.id)) };
      return { comments: ids.map((id) => slotOf(seen.get(id))) };
    },

    async batchGetCommentCounts(req, ctx) {
      if (req.postIds.length > batchMax) throw invalid("post_ids", `must be at most ${batchMax}`);
      const ids = req.postIds.map(parseId);
      const asked = ids.filter((id) => id !== undefined);
      // A feed has decided already, in the read that asks.
      const there = callOf(ctx).caller === "feed" ? undefined : await posts.standingAmong(asked, ctx);
      const known = asked.filter((id) => there?.has(id) ?? true);
      const kept = await readModel.loadCounts(known, lateShards(ctx, "comment"));
      const counts = ids.map((id = 0n) => kept.get(id) ?? { version: 0, value: 0 });
      const rules = counts.map(threadBeside);
      const viewerId = anyViewerIdOf(ctx);
      const refusalOf = (id: bigint, rule: ThreadRule) => {
        const { card, standing } = there?.get(id) ?? {};
        return replyRefusal(viewerId, card, standing, rule);
      };
      return {
        counts: counts.map((count) => BigInt(totalOf(count))),
        threads: rules.map(threadShown),
        refusals: there === undefined ? [] : ids.map((id = 0n, nth) => refusalOf(id, rules[nth] ?? openThread)),
      };
    },
  };
}
