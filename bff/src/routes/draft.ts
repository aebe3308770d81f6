import type { DraftService } from "#gen/skein/api/v1/draft_pb.ts";
import type { Audience as ShownAudience, ReplySetting as ShownReplySetting } from "#gen/skein/api/v1/resources_pb.ts";
import type { Draft } from "#gen/skein/post/v1/draft_pb.ts";
import type { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { Pieces } from "../compose/pieces.ts";
import { reactionsBeside, withKnownAuthor } from "../compose/posts.ts";
import { shownAlone } from "../compose/slots.ts";
import { idempotencyKeyOf } from "../door/idempotency.ts";
import type { Routes } from "../door/rpc.ts";
import { mediaListView } from "../view/beside.ts";
import { pollSent } from "../view/poll.ts";
import { isId, postIdOf } from "./ids.ts";
import { pageOf } from "./page.ts";

export function draftRoutes(clients: Clients, pieces: Pieces): Routes<typeof DraftService> {
  const { post: posts } = clients;
  return {
    async createDraft({ text, audience, mentionedUserIds, contentWarning, language, replySetting, ...more }, ctx) {
      const { publishTime, quotedPostId, mediaIds, poll } = more;
      const { draft, replayed } = await posts.createDraft(
        {
          text,
          audience: audience as number as Audience,
          mentionedUserIds,
          contentWarning,
          language,
          replySetting: replySetting as number as ReplySetting,
          ...(publishTime && { publishTime }),
          ...(quotedPostId !== undefined && { quotedPostId: BigInt(postIdOf(quotedPostId)) }),
          mediaIds,
          ...(poll && { poll: pollSent(poll) }),
          idempotencyKey: idempotencyKeyOf(ctx),
        },
        within(ctx),
      );
      if (replayed) ctx.responseHeader.set("Idempotency-Replayed", "true");
      return { draft: draftView(draft) };
    },

    async updateDraft({ draft: id, text, audience, contentWarning, language, replySetting, ...more }, ctx) {
      const { publishTime, unschedule, quotedPostId, mediaIds, poll, removePoll } = more;
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
          ...(quotedPostId !== undefined && {
            quotedPostId: quotedPostId === "" ? 0n : BigInt(postIdOf(quotedPostId)),
          }),
          ...(mediaIds && { mediaIds: { ids: mediaIds.ids } }),
          ...(poll && { poll: pollSent(poll) }),
          removePoll,
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
      const published = await posts.publishDraft({ draftId: draftIdOf(draft) }, within(ctx));
      const { post } = published;
      if (post === undefined) throw notFound("draft");
      const reactions = await reactionsBeside(published, post.id, clients, ctx);
      const shown = await withKnownAuthor(post, 0n, reactions, { clients, pieces }, ctx);
      return await shownAlone(shown, callOf(ctx).viewerId, { clients, pieces }, ctx);
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
    ...(draft.quotedPostId !== 0n && { quotedPostId: String(draft.quotedPostId) }),
    ...(draft.poll && { poll: pollSent(draft.poll) }),
    ...(draft.media.length > 0 && { media: mediaListView(draft.media) }),
    ...(publishTime && { publishTime }),
    ...(createTime && { createTime }),
    ...(editTime && { editTime }),
  };
}
