import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type LikeService, Reaction, type Subject as SentSubject, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { lateShards } from "#lib/events/pending.ts";
import { anyViewerIdOf, callOf, mustBeWanted, viewerOf } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { totalOf } from "#lib/readmodel/count.ts";
import { metPage } from "#lib/readmodel/met-page.ts";
import type { VisiblePosts } from "#lib/readmodel/visible-post.ts";
import { idOf, parseId } from "#lib/storage/id.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { Subject } from "./events.ts";
import type { LikeReadModel } from "./read-model.ts";
import type { LikeStore } from "./store.ts";

/** Subjects in one batch. */
const batchMax = 100;

/** Batches of calls are the mesh's work. */
type Handlers = Omit<ServiceImpl<typeof LikeService>, "batchLike">;

type Needs = {
  store: LikeStore;
  readModel: LikeReadModel;
  posts: VisiblePosts;
  pageTokens: PageTokens;
  nudge: () => void;
};

export function likeHandlers({ store, readModel, posts, pageTokens, nudge }: Needs): Handlers {
  async function react(subject: Subject, reaction: Reaction, ctx: HandlerContext): Promise<void> {
    const userId = BigInt(viewerOf(ctx));
    const liked = await store.react(userId, subject, reaction, originOf(ctx), () => mustBeWanted(ctx));
    nudge();
    await readModel.apply(userId, subject, reaction, liked);
  }

  return {
    async like(req, ctx) {
      const subject = subjectOf(req.subject);
      if (req.reaction !== Reaction.LIKE) throw invalid("reaction", "must be REACTION_LIKE");
      await posts.requireToWrite(subject.id, ctx);
      await react(subject, req.reaction, ctx);
      return {};
    },

    async unlike(req, ctx) {
      const subject = subjectOf(req.subject);
      await posts.mayWrite(ctx);
      // What one reacted to may be taken back, and again, also when one may no longer see it; of the rest there is none.
      if (await store.hasReacted(BigInt(viewerOf(ctx)), subject)) await react(subject, Reaction.UNSPECIFIED, ctx);
      else await posts.require(subject.id, ctx);
      return {};
    },

    async listLikes(req, ctx) {
      const subject = subjectOf(req.subject);
      const size = pageSizeOf(req.pageSize);
      const scope = `likes:${subject.kind}:${subject.id}`;
      const before = pageTokens.decode(req.pageToken, scope);
      await posts.require(subject.id, ctx);
      const { page, next } = await metPage({
        viewerId: anyViewerIdOf(ctx),
        before,
        size,
        read: (from, limit) => store.list(subject, from, limit),
        standings: (userIds) => posts.standings(userIds, ctx),
      });
      return {
        userIds: page.map(({ userId }) => String(userId)),
        nextPageToken: next === undefined ? "" : pageTokens.encode(next, scope),
      };
    },

    async batchGetLikes(req, ctx) {
      if (req.subjects.length > batchMax) throw invalid("subjects", `must be at most ${batchMax}`);
      const ids = req.subjects.map(({ kind, id }) => {
        if (kind !== SubjectKind.POST) throw invalid("subjects.kind", "must be SUBJECT_KIND_POST");
        return parseId(id);
      });
      const asked = ids.filter((id) => id !== undefined);
      const { viewerId, caller } = callOf(ctx);
      // A feed has decided already, in the read that asks.
      const there = caller === "feed" ? undefined : await posts.among(asked, ctx);
      const known = asked.filter((id) => there?.has(id) ?? true);
      const [counts, own] = await Promise.all([
        readModel.loadCounts(known, lateShards(ctx, "like")),
        viewerId === undefined ? undefined : store.own(BigInt(viewerId), SubjectKind.POST, known),
      ]);
      return {
        likes: ids.map((id = 0n) => {
          const count = counts.get(id);
          return { count: BigInt(count ? totalOf(count) : 0), own: own?.get(id) ?? Reaction.UNSPECIFIED };
        }),
      };
    },

    async getLikedSet(req) {
      const { version, lowWatermark, ids } = await readModel.loadSet(idOf(req.userId, "user_id"));
      return { version, lowWatermark, postIds: ids };
    },
  };
}

function subjectOf(sent: SentSubject | undefined): Subject {
  if (sent?.kind !== SubjectKind.POST) throw invalid("subject.kind", "must be SUBJECT_KIND_POST");
  const id = parseId(sent.id);
  if (id === undefined) throw notFound("post");
  return { kind: sent.kind, id };
}
