import type { DraftService } from "#gen/skein/api/v1/draft_pb.ts";
import type { Audience as ShownAudience, ReplySetting as ShownReplySetting } from "#gen/skein/api/v1/resources_pb.ts";
import type { Draft } from "#gen/skein/post/v1/draft_pb.ts";
import type { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { Pieces } from "../compose/pieces.ts";
import { reactionsTo, withKnownAuthor } from "../compose/posts.ts";
import { idempotencyKeyOf } from "../door/idempotency.ts";
import type { Routes } from "../door/rpc.ts";
import { onePost } from "../view/post.ts";
import { isId } from "./ids.ts";
import { pageOf } from "./page.ts";

export function draftRoutes(clients: Clients, pieces: Pieces): Routes<typeof DraftService> {
  const { post: posts } = clients;
  return {
    async createDraft({ text, audience, mentionedUserIds, contentWarning, language, replySetting, publishTime }, ctx) {
      const { draft, replayed } = await posts.createDraft(
        {
          text,
          audience: audience as number as Audience,
          mentionedUserIds,
          contentWarning,
          language,
          replySetting: replySetting as number as ReplySetting,
          ...(publishTime && { publishTime }),
          idempotencyKey: idempotencyKeyOf(ctx),
        },
        within(ctx),
      );
      if (replayed) ctx.responseHeader.set("Idempotency-Replayed", "true");
      return { draft: draftView(draft) };
    },

    async updateDraft({ draft: id, text, audience, contentWarning, language, replySetting, ...times }, ctx) {
      const { publishTime, unschedule } = times;
      const { draft } = await posts.updateDraft(
        {
          draftId: draftIdOf(id),
          ...(text !== undefined && { text }),
          ...(audience !== undefined && { audience: audience as number as Audience }),
          ...(contentWarning !== undefined && { contentWarning }),
          ...(language !== undefined && { language }),
          ...(replySetting !== undefined && { replySetting: replySetting as number as ReplySetting }),
          ...(publishTime && { publishTime }),
          unschedule,
        },
        within(ctx),
      );
      return { draft: draftView(draft) };
    },

    async deleteDraft({ draft }, ctx) {
      await posts.deleteDraft({ draftId: draftIdOf(draft) }, within(ctx));
      return {};
    },

    async listDrafts(request, ctx) {
      const { drafts, nextPageToken } = await posts.listDrafts(pageOf(request), within(ctx));
      return { drafts: drafts.map(draftView), nextPageToken };
    },

    async publishDraft({ draft }, ctx) {
      const { post } = await posts.publishDraft({ draftId: draftIdOf(draft) }, within(ctx));
      if (post === undefined) throw notFound("draft");
      const reactions = await reactionsTo(post.id, clients, ctx);
      const shown = await withKnownAuthor(post, 0n, reactions, { clients, pieces }, ctx);
      return onePost(shown, callOf(ctx).viewerId);
    },
  };
}

function draftIdOf(draft: string): string {
  if (!isId(draft)) throw notFound("draft");
  return draft;
}

function draftView(draft: Draft | undefined) {
  if (draft === undefined) throw notFound("draft");
  const { id, text, mentionedUserIds, contentWarning, language, publishTime, createTime, editTime } = draft;
  return {
    id,
    text,
    audience: draft.audience as number as ShownAudience,
    mentionedUserIds,
    contentWarning,
    language,
    replySetting: draft.replySetting as number as ShownReplySetting,
    ...(publishTime && { publishTime }),
    ...(createTime && { createTime }),
    ...(editTime && { editTime }),
  };
}
