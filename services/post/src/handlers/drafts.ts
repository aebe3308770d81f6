import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { DraftService } from "#gen/skein/post/v1/draft_pb.ts";
import type { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { viewerOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import { mustBeOpen } from "#lib/readmodel/standing.ts";
import { claimOf, mediaIdsOf } from "#lib/service/claims.ts";
import { parseId } from "#lib/storage/id.ts";
import { keyOf } from "#lib/storage/idempotency.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { PostReadModel } from "../read-model.ts";
import type { DraftStore, StoredDraft } from "../store/draft.ts";
import { type Asked, type DraftingNeeds, drafting } from "./drafted.ts";
import { mediaMax, mentionsOf, postTextOf } from "./rules.ts";
import { seeing } from "./seen.ts";
import { sharesShown, shown } from "./shown.ts";

type Needs = DraftingNeeds & {
  readonly drafts: DraftStore;
  readonly readModel: PostReadModel;
  readonly pageTokens: PageTokens;
  readonly nudge: () => void;
};

export function draftHandlers(needs: Needs): ServiceImpl<typeof DraftService> {
  const { drafts, readModel, standings, pageTokens, nudge } = needs;
  const seen = seeing(needs);
  const { draftedOf, redraftedOf } = drafting(needs);

  return {
    async createDraft(req, ctx) {
      const authorId = BigInt(viewerOf(ctx));
      const mediaIds = mediaIdsOf(req.mediaIds, mediaMax);
      const keyed = { authorId, key: keyOf(req.idempotencyKey), text: requestOf(req) };
      const claim = { mediaIds, attachment: claimOf("draft", authorId, keyed.key) };
      const parts = { namedIds: mentionsOf(req.mentionedUserIds), claim };
      await mustBeOpen(standings, authorId, within(ctx));
      const made = mediaIds.length > 0 || req.quotedPostId !== 0n ? await drafts.made(keyed) : undefined;
      if (made !== undefined) return { draft: draftShown(made), replayed: true };
      const drafted = await draftedOf(req, parts, ctx);
      const { draft, replayed } = await drafts.create(drafted, keyed, originOf(ctx));
      nudge();
      return { draft: draftShown(draft), replayed };
    },

    async updateDraft(req, ctx) {
      const ref = refOf(req.draftId, ctx);
      await mustBeOpen(standings, ref.authorId, within(ctx));
      const current = await drafts.find(ref);
      if (current === undefined) throw notFound("draft");
      const draft = await drafts.update(ref, await redraftedOf(req, current, ctx), originOf(ctx));
      nudge();
      return { draft: draftShown(draft) };
    },

    async deleteDraft(req, ctx) {
      const ref = refOf(req.draftId, ctx);
      await mustBeOpen(standings, ref.authorId, within(ctx));
      await drafts.delete(ref, originOf(ctx));
      nudge();
      return {};
    },

    async listDrafts(req, ctx) {
      const viewer = viewerOf(ctx);
      const size = pageSizeOf(req.pageSize);
      const before = pageTokens.decode(req.pageToken, "drafts", viewer);
      const found = await drafts.list(BigInt(viewer), before, size + 1);
      const last = found.length > size ? found[size - 1] : undefined;
      return {
        drafts: found.slice(0, size).map(draftShown),
        nextPageToken: last === undefined ? "" : pageTokens.encode(last.id, "drafts", viewer),
      };
    },

    async publishDraft(req, ctx) {
      const ref = refOf(req.draftId, ctx);
      await mustBeOpen(standings, ref.authorId, within(ctx));
      const draft = await drafts.find(ref);
      const { media: has = [], quotedPostId = 0n } = draft?.content ?? {};
      if (draft !== undefined && has.length === 0) postTextOf(draft.text);
      if (quotedPostId !== 0n) await seen.require(quotedPostId, ctx);
      const change = await drafts.publish(ref, originOf(ctx));
      nudge();
      if (change !== undefined) await readModel.show(change, true);
      const postId = change?.postId ?? (await drafts.published(ref));
      const post = postId === undefined ? undefined : (await readModel.load([postId])).get(postId);
      if (post === undefined || post.deleted) throw notFound("draft");
      return { post: shown(post), ...sharesShown(post.shares) };
    },
  };
}

/** Who asks, and for which of their drafts. */
function refOf(draftId: string, ctx: HandlerContext) {
  const authorId = BigInt(viewerOf(ctx));
  const id = parseId(draftId);
  if (id === undefined) throw notFound("draft");
  return { id, authorId };
}

/** Everything that was asked under a key. */
const requestOf = ({
  text,
  mentionedUserIds,
  audience,
  contentWarning,
  language,
  replySetting,
  publishTime,
  quotedPostId,
  mediaIds,
  poll,
}: Asked & Readonly<Record<"mentionedUserIds" | "mediaIds", readonly string[]>>): string => {
  const dueMs = publishTime === undefined ? "" : timestampDate(publishTime).getTime();
  const said = ["draft", text, audience, mentionedUserIds, contentWarning, language, replySetting, dueMs];
  // As it was when there was nothing more to a draft.
  const parts = quotedPostId === 0n && mediaIds.length === 0 ? [] : [String(quotedPostId), mediaIds];
  const asks = poll === undefined ? [] : ["poll", poll.durationSeconds, poll.multiple, poll.options];
  return JSON.stringify([...said, ...parts, ...asks]);
};

const draftShown = ({ id, text, content, audience, replySetting, namedIds, ...times }: StoredDraft) => ({
  id: String(id),
  text,
  audience: audience as Audience,
  mentionedUserIds: namedIds.map(String),
  contentWarning: content?.contentWarning ?? "",
  language: content?.language ?? "",
  replySetting: replySetting as ReplySetting,
  createTime: timestampFromDate(times.createTime),
  editTime: timestampFromDate(times.editTime),
  quotedPostId: content?.quotedPostId ?? 0n,
  media: content?.media ?? [],
  ...(content?.poll && { poll: content.poll }),
  ...(times.publishTime && { publishTime: timestampFromDate(times.publishTime) }),
});
