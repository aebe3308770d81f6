import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type LikeService, Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import type { Brought } from "#lib/events/brought.ts";
import { originOf } from "#lib/events/outbox.ts";
import { lateShards } from "#lib/events/pending.ts";
import { anyViewerIdOf, callOf, mustBeWanted, viewerOf } from "#lib/mesh/call.ts";
import { invalid } from "#lib/mesh/errors.ts";
import { type Count, othersOf, totalOf } from "#lib/readmodel/count.ts";
import { metPage } from "#lib/readmodel/met-page.ts";
import { refilled } from "#lib/readmodel/refilled.ts";
import { idOf, parseId } from "#lib/storage/id.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import { likeName, type Subject } from "./events.ts";
import { kindOf, subjectOf, type VisibleSubjects } from "./handlers/subjects.ts";
import type { LikeReadModel } from "./read-model.ts";
import { reactionKinds } from "./store/counts.ts";
import type { Wish } from "./store/react.ts";
import type { LikeStore } from "./store.ts";

/** Subjects in one batch. */
const batchMax = 100;

/** Batches of calls are the mesh's work. */
type Handlers = Omit<ServiceImpl<typeof LikeService>, "batchLike">;

type Needs = {
  store: LikeStore;
  readModel: LikeReadModel;
  brought: Brought;
  subjects: VisibleSubjects;
  pageTokens: PageTokens;
  nudge: () => void;
};

export const likeHandlers = (needs: Needs): Handlers => ({ ...writes(needs), ...lists(needs), ...batches(needs) });

function writes({ store, readModel, brought, subjects, nudge }: Needs): Pick<Handlers, "like" | "unlike"> {
  async function react(wish: Pick<Wish, "subject" | "reaction" | "only">, ctx: HandlerContext): Promise<void> {
    const userId = BigInt(viewerOf(ctx));
    const liked = await store.react({ ...wish, userId, origin: originOf(ctx) }, () => mustBeWanted(ctx));
    nudge();
    const { told } = callOf(ctx);
    await brought.bring(told, likeName(wish.subject, userId), () =>
      readModel.apply(userId, wish.subject, wish.reaction, liked),
    );
  }

  return {
    async like(req, ctx) {
      const subject = subjectOf(req.subject);
      const reaction = someReactionOf(req.reaction);
      if (reaction === undefined) throw invalid("reaction", "must be one of those named in the contract");
      await subjects.requireToWrite(subject, ctx);
      await react({ subject, reaction }, ctx);
      return {};
    },

    async unlike(req, ctx) {
      const subject = subjectOf(req.subject);
      const only = someReactionOf(req.only);
      await subjects.mayWrite(ctx);
      const wish = { subject, reaction: Reaction.UNSPECIFIED, ...(only !== undefined && { only }) };
      // What one reacted to may be taken back, and again, also when one may no longer see it; of the rest there is none.
      if (await store.hasReacted(BigInt(viewerOf(ctx)), subject)) await react(wish, ctx);
      else await subjects.require(subject, ctx);
      return {};
    },
  };
}

type AskedPage = { readonly pageSize: number; readonly pageToken: string };

function lists({
  store,
  subjects,
  pageTokens,
}: Needs): Pick<Handlers, "listLikes" | "listReactions" | "listReactedPosts"> {
  /** A page of who reacts to a subject, for who may see it, without those whom they may not meet. */
  async function reactors(
    subject: Subject,
    reaction: Reaction,
    { pageSize, pageToken }: AskedPage,
    ctx: HandlerContext,
  ) {
    const size = pageSizeOf(pageSize);
    const scope = `likes:${subject.kind}:${subject.id}${reaction === Reaction.LIKE ? "" : `:${reaction}`}`;
    const before = pageTokens.decode(pageToken, scope);
    await subjects.require(subject, ctx);
    const { page, next } = await metPage({
      viewerId: anyViewerIdOf(ctx),
      before,
      size,
      read: (from, limit) => store.list(subject, reaction, from, limit),
      standings: (userIds) => subjects.standings(userIds, ctx),
    });
    return { page, nextPageToken: next === undefined ? "" : pageTokens.encode(next, scope) };
  }

  return {
    async listLikes(req, ctx) {
      const { page, nextPageToken } = await reactors(subjectOf(req.subject), Reaction.LIKE, req, ctx);
      return { userIds: page.map(({ userId }) => String(userId)), nextPageToken };
    },

    async listReactedPosts(req, ctx) {
      const viewer = viewerOf(ctx);
      const reaction = someReactionOf(req.reaction) ?? Reaction.UNSPECIFIED;
      const scope = `reacted:${reaction}`;
      const { page, next } = await refilled({
        before: pageTokens.decode(req.pageToken, scope, viewer),
        size: pageSizeOf(req.pageSize),
        read: (from: bigint | undefined, limit) =>
          store.listOwn(BigInt(viewer), SubjectKind.POST, reaction, from, limit),
        async keep(found) {
          const ids = found.map(({ id }) => id);
          const there = await subjects.among(SubjectKind.POST, ids, ctx);
          return found.filter(({ id }) => there.has(id));
        },
      });
      return {
        postIds: page.map(({ id }) => String(id)),
        nextPageToken: next === undefined ? "" : pageTokens.encode(next, scope, viewer),
      };
    },

    async listReactions(req, ctx) {
      const subject = subjectOf(req.subject);
      const wanted = someReactionOf(req.reaction) ?? Reaction.UNSPECIFIED;
      const { page, nextPageToken } = await reactors(subject, wanted, req, ctx);
      return { reactors: page.map(({ userId, reaction }) => ({ userId: String(userId), reaction })), nextPageToken };
    },
  };
}

function batches({ store, readModel, subjects }: Needs): Pick<Handlers, "batchGetLikes" | "getLikedSet"> {
  /** Counts and the viewer's own of subjects of one kind, those that are there for them. */
  async function likesOf(kind: SubjectKind, asked: readonly bigint[], ctx: HandlerContext) {
    const { viewerId, caller } = callOf(ctx);
    // A feed has decided already, in the read that asks.
    const there = caller === "feed" ? undefined : await subjects.among(kind, asked, ctx);
    const known = asked.filter((id) => there?.has(id) ?? true);
    const [counts, own] = await Promise.all([
      readModel.loadCounts(kind, known, lateShards(ctx, "like")),
      viewerId === undefined ? undefined : store.own(BigInt(viewerId), kind, known),
    ]);
    return (id: bigint) => ({ ...shown(counts.get(id)), own: own?.get(id) ?? Reaction.UNSPECIFIED });
  }

  return {
    async batchGetLikes(req, ctx) {
      if (req.subjects.length > batchMax) throw invalid("subjects", `must be at most ${batchMax}`);
      const asked = req.subjects.map(({ kind, id }) => ({ kind: kindOf(kind, "subjects.kind"), id: parseId(id) }));
      const kinds = [...new Set(asked.map(({ kind }) => kind))];
      const found = await Promise.all(
        kinds.map(async (kind) => {
          const ids = asked.flatMap((one) => (one.kind === kind && one.id !== undefined ? [one.id] : []));
          return [kind, await likesOf(kind, ids, ctx)] as const;
        }),
      );
      const of = new Map(found);
      return { likes: asked.map(({ kind, id = 0n }) => of.get(kind)?.(id) ?? {}) };
    },

    async getLikedSet(req) {
      const { version, lowWatermark, own } = await readModel.loadSet(idOf(req.userId, "user_id"));
      const others = own.filter(([, reaction]) => reaction !== Reaction.LIKE);
      return {
        version,
        lowWatermark,
        postIds: own.flatMap(([id, reaction]) => (reaction === Reaction.LIKE ? [id] : [])),
        others: others.map(([postId, reaction]) => ({ postId, reaction })),
      };
    },
  };
}

const shown = (count: Count = { version: 0, value: 0 }) => ({
  count: BigInt(totalOf(count)),
  others: othersOf(count).map(([reaction, n]) => ({ reaction: reaction as Reaction, count: BigInt(n) })),
});

/** A way to react, where one is named. */
function someReactionOf(sent: Reaction): Reaction | undefined {
  if (sent === Reaction.UNSPECIFIED) return undefined;
  if (!reactionKinds.includes(sent)) throw invalid("reaction", "must be one of those named in the contract");
  return sent;
}
