import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Client, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Draft, DraftService } from "#gen/skein/post/v1/draft_pb.ts";
import type { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import type { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { viewerOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { facetsOf } from "#lib/mesh/found-facets.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import { parseId } from "#lib/storage/id.ts";
import { keyOf } from "#lib/storage/idempotency.ts";
import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { PostReadModel } from "../read-model.ts";
import type { Drafted, DraftStore, StoredDraft } from "../store/draft.ts";
import { contentOf } from "./content.ts";
import { audienceOf, mentionsOf, postTextOf, replySettingOf } from "./rules.ts";
import { shown } from "./shown.ts";

/** How far ahead a post may be scheduled: a year, also a leap year. */
const aheadMs = 366 * 86_400_000;

type Needs = {
  readonly drafts: DraftStore;
  readonly readModel: PostReadModel;
  readonly standings: StandingReader;
  readonly users: Pick<Client<typeof UserService>, "batchFindUsers">;
  readonly pageTokens: PageTokens;
  readonly nudge: () => void;
};

export function draftHandlers(needs: Needs): ServiceImpl<typeof DraftService> {
  const { drafts, readModel, standings, users, pageTokens, nudge } = needs;

  /** What a draft says of the post it is to be: by the rules of posts, but that it may be empty while nothing is scheduled. */
  async function draftedOf(req: Asked, namedIds: readonly bigint[], ctx: HandlerContext): Promise<Drafted> {
    const publishTime = req.publishTime && dueOf(req.publishTime);
    const text = req.text === "" && publishTime === undefined ? "" : postTextOf(req.text);
    const [audience, replySetting] = [audienceOf(req.audience), replySettingOf(req.replySetting)];
    contentOf(undefined, req);
    const content = contentOf(await facetsOf(text, users, within(ctx)), req);
    return { text, content, audience, replySetting, namedIds, publishTime };
  }

  return {
    async createDraft(req, ctx) {
      const authorId = BigInt(viewerOf(ctx));
      const keyed = { authorId, key: keyOf(req.idempotencyKey), text: requestOf(req) };
      const [drafted] = await Promise.all([
        draftedOf(req, mentionsOf(req.mentionedUserIds), ctx),
        mustBeOpen(standings, authorId, within(ctx)),
      ]);
      const { draft, replayed } = await drafts.create(drafted, keyed);
      return { draft: draftShown(draft), replayed };
    },

    async updateDraft(req, ctx) {
      const ref = refOf(req.draftId, ctx);
      await mustBeOpen(standings, ref.authorId, within(ctx));
      const current = await drafts.find(ref);
      if (current === undefined) throw notFound("draft");
      const drafted = await draftedOf(changed(current, req), current.namedIds, ctx);
      const isKept = req.publishTime === undefined && !req.unschedule;
      const draft = await drafts.update(ref, (locked) => ({
        ...drafted,
        // A time that stands needs no check that it is ahead: it may be due at this moment.
        publishTime: isKept ? locked.publishTime : drafted.publishTime,
      }));
      return { draft: draftShown(draft) };
    },

    async deleteDraft(req, ctx) {
      const ref = refOf(req.draftId, ctx);
      await mustBeOpen(standings, ref.authorId, within(ctx));
      await drafts.delete(ref);
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
      if (draft !== undefined) postTextOf(draft.text);
      const change = await drafts.publish(ref, originOf(ctx));
      nudge();
      if (change !== undefined) await readModel.show(change, true);
      const postId = change?.postId ?? (await drafts.published(ref));
      const post = postId === undefined ? undefined : (await readModel.load([postId])).get(postId);
      if (post === undefined || post.deleted) throw notFound("draft");
      return { post: shown(post) };
    },
  };
}

type Asked = Pick<Draft, "text" | "audience" | "contentWarning" | "language" | "replySetting"> & {
  readonly publishTime?: Timestamp | undefined;
};

type Change = { readonly [K in Exclude<keyof Asked, "publishTime">]?: Asked[K] | undefined } & {
  readonly publishTime?: Timestamp | undefined;
};

const changed = (
  current: StoredDraft,
  { text, audience, contentWarning, language, replySetting, publishTime }: Change,
) => ({
  text: text ?? current.text,
  audience: audience ?? (current.audience as Audience),
  contentWarning: contentWarning ?? current.content?.contentWarning ?? "",
  language: language ?? current.content?.language ?? "",
  replySetting: replySetting ?? (current.replySetting as ReplySetting),
  publishTime,
});

/** Who asks, and for which of their drafts. */
function refOf(draftId: string, ctx: HandlerContext) {
  const authorId = BigInt(viewerOf(ctx));
  const id = parseId(draftId);
  if (id === undefined) throw notFound("draft");
  return { id, authorId };
}

function dueOf(sent: Timestamp): Date {
  const time = timestampDate(sent);
  const inMs = time.getTime() - Date.now();
  if (!(inMs >= 0 && inMs <= aheadMs)) throw invalid("publish_time", "must be from now on, within 366 days");
  return time;
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
}: Asked & { readonly mentionedUserIds: readonly string[] }): string => {
  const dueMs = publishTime === undefined ? "" : timestampDate(publishTime).getTime();
  return JSON.stringify(["draft", text, audience, mentionedUserIds, contentWarning, language, replySetting, dueMs]);
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
  ...(times.publishTime && { publishTime: timestampFromDate(times.publishTime) }),
});
