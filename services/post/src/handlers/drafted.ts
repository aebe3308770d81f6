import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { type CallOptions, type Client, Code, type HandlerContext } from "@connectrpc/connect";
import { Kind, type Media, type MediaService } from "#gen/skein/media/v1/media_pb.ts";
import type { PostPoll } from "#gen/skein/post/v1/content_pb.ts";
import type { Draft, UpdateDraftRequest } from "#gen/skein/post/v1/draft_pb.ts";
import type { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { invalid, problem } from "#lib/mesh/errors.ts";
import { facetsOf } from "#lib/mesh/found-facets.ts";
import type { StandingReader } from "#lib/readmodel/standing.ts";
import { type Claim, claimMedia, claimOfDraft, mediaIdsOf } from "#lib/service/claims.ts";
import type { PostReadModel } from "../read-model.ts";
import type { Drafted, StoredDraft } from "../store/draft.ts";
import { contentOf } from "./content.ts";
import { audienceOf, mediaMax, postTextOf, replySettingOf } from "./rules.ts";
import { seeing } from "./seen.ts";

/** How far ahead a post may be scheduled: a year, also a leap year. */
const aheadMs = 366 * 86_400_000;

export type DraftingNeeds = {
  readonly readModel: Pick<PostReadModel, "load">;
  readonly standings: StandingReader;
  readonly users: Pick<Client<typeof UserService>, "batchFindUsers">;
  readonly media: Pick<Client<typeof MediaService>, "attachMedia">;
};

/** What a new draft is made of beside what it says: whom it names, and the media that are claimed for it. */
type Parts = { readonly namedIds: readonly bigint[]; readonly claim: Claim };

export type Asked = Pick<
  Draft,
  "text" | "audience" | "contentWarning" | "language" | "replySetting" | "quotedPostId"
> & {
  readonly publishTime?: Timestamp | undefined;
  readonly poll?: PostPoll | undefined;
};

/** What drafts say of the posts they are to be: by the rules of posts, but that they may be empty while nothing is scheduled. */
export function drafting(needs: DraftingNeeds) {
  const seen = seeing(needs);
  return {
    async draftedOf(req: Asked, { namedIds, claim }: Parts, ctx: HandlerContext): Promise<Drafted> {
      const publishTime = req.publishTime && dueOf(req.publishTime);
      const mayBeEmpty = publishTime === undefined || claim.mediaIds.length > 0;
      const text = req.text === "" && mayBeEmpty ? "" : postTextOf(req.text);
      const [audience, replySetting] = [audienceOf(req.audience), replySettingOf(req.replySetting)];
      contentOf(undefined, req);
      const [facets] = await Promise.all([
        facetsOf(text, needs.users, within(ctx)),
        req.quotedPostId === 0n ? undefined : seen.require(req.quotedPostId, ctx),
      ]);
      const content = contentOf(facets, req, await claimMedia(needs.media, claim, within(ctx)));
      return { text, content, audience, replySetting, namedIds, publishTime };
    },

    /** How what is named changes a draft: made from what stands, in the transaction that locks it. What is looked up is so before. */
    async redraftedOf(req: UpdateDraftRequest, current: StoredDraft, ctx: HandlerContext) {
      const publishTime = req.publishTime && dueOf(req.publishTime);
      const text = req.text === undefined || req.text === "" ? req.text : postTextOf(req.text);
      const audience = req.audience && audienceOf(req.audience);
      const replySetting = req.replySetting === undefined ? undefined : replySettingOf(req.replySetting);
      contentOf(undefined, { contentWarning: req.contentWarning ?? "", language: req.language ?? "", poll: req.poll });
      const [facets] = await Promise.all([
        text === undefined ? undefined : facetsOf(text, needs.users, within(ctx)),
        req.quotedPostId === undefined || req.quotedPostId === 0n ? undefined : seen.require(req.quotedPostId, ctx),
      ]);
      const mediaOf = await mediaFor(req, current, needs.media, within(ctx));
      return (locked: StoredDraft): Drafted => {
        const said = locked.content;
        const content = contentOf(
          text === undefined ? said?.facets : facets,
          {
            contentWarning: req.contentWarning ?? said?.contentWarning ?? "",
            language: req.language ?? said?.language ?? "",
            quotedPostId: req.quotedPostId ?? said?.quotedPostId ?? 0n,
            poll: req.removePoll ? undefined : (req.poll ?? said?.poll),
          },
          mediaOf(locked),
        );
        const drafted = {
          text: text ?? locked.text,
          content,
          audience: audience ?? locked.audience,
          replySetting: replySetting ?? locked.replySetting,
          namedIds: locked.namedIds,
          // A time that stands needs no check that it is ahead: it may be due at this moment.
          publishTime: publishTime ?? (req.unschedule ? undefined : locked.publishTime),
        };
        if (drafted.publishTime !== undefined && !content?.media.length) postTextOf(drafted.text);
        return drafted;
      };
    },
  };
}

/**
 * The media that a draft is to have: those that are named, in their order, where any are. What it has is claimed already; ABORTED
 * where somebody took one of these out meanwhile.
 */
async function mediaFor(
  { mediaIds }: UpdateDraftRequest,
  current: StoredDraft,
  media: DraftingNeeds["media"],
  options: CallOptions,
): Promise<(locked: StoredDraft) => readonly Media[]> {
  const has = (draft: StoredDraft): readonly Media[] => draft.content?.media ?? [];
  if (mediaIds === undefined) return has;
  const ids = mediaIdsOf(mediaIds.ids, mediaMax);
  const known = new Map(has(current).map((one) => [one.id, one]));
  const [kept, added] = [ids.filter((id) => known.has(String(id))), ids.filter((id) => !known.has(String(id)))];
  const claim = { mediaIds: added, attachment: claimOfDraft(current.id) };
  for (const one of await claimMedia(media, claim, options)) known.set(one.id, one);
  const found = ids.flatMap((id) => known.get(String(id)) ?? []);
  if (found.length > 1 && found.some(({ kind }) => kind !== Kind.PHOTO)) {
    throw invalid("media_ids", "must be photos where they are several");
  }
  return (locked) => {
    const there = new Set(has(locked).map(({ id }) => id));
    if (kept.every((id) => there.has(String(id)))) return found;
    throw problem(Code.Aborted, "conflict", "two changes met; send it again");
  };
}

function dueOf(sent: Timestamp): Date {
  const time = timestampDate(sent);
  const inMs = time.getTime() - Date.now();
  if (!(inMs >= 0 && inMs <= aheadMs)) throw invalid("publish_time", "must be from now on, within 366 days");
  return time;
}
