import type { PostContent } from "#gen/skein/post/v1/content_pb.ts";
import {
  DraftChangedSchema,
  type PostCreated,
  PostCreatedSchema,
  PostDeletedSchema,
  type PostEdited,
  PostEditedSchema,
} from "#gen/skein/post/v1/events_pb.ts";
import { type Event, type Fact, fact, type Origin } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";
import type { Quoted, Reposted, ShareCounts } from "#lib/readmodel/card.ts";
import { mediaIdsIn } from "./store/content.ts";

/** What happened to a post, as its read models take it. */
export type PostChange = {
  readonly postId: bigint;
  readonly authorId: bigint;
  readonly version: number;
  /** Where it became public just now. */
  readonly activityId: bigint | undefined;
  readonly deleted: boolean;
  readonly audience: number;
  /** Whom it names, whoever it is for. */
  readonly mentionedIds: readonly bigint[];
  readonly replySetting: number;
  /** Of a repost. */
  readonly reposted?: Reposted | undefined;
  /** Of a quote. */
  readonly quoted?: Quoted | undefined;
  /** How often it is passed on; absent where that is not known to be ever. */
  readonly shares?: ShareCounts | undefined;
};

export const postName = (postId: bigint): string => `post:${postId}`;

/** An author's posts travel in the author's partition, in order. */
export function postCreated(change: PostChange, origin: Origin, content: PostContent | undefined): Fact {
  const { postId, authorId, version, activityId = 0n, audience, mentionedIds, replySetting } = change;
  return fact({
    ...origin,
    desc: PostCreatedSchema,
    aggregate: postName(postId),
    version: BigInt(version),
    partition: authorId,
    value: {
      postId: String(postId),
      authorId: String(authorId),
      version: BigInt(version),
      activityId: String(activityId),
      audience,
      mentionedUserIds: [...mentionedIds],
      replySetting,
      repostedPostId: content?.repostedPostId ?? 0n,
      mediaIds: mediaIdsIn(content),
    },
  });
}

/** New content of a post: of its author, or of a preview that has come. */
export const postEdited = (
  change: PostChange,
  origin: Origin,
  { content, byPreview = false }: { readonly content?: PostContent | undefined; readonly byPreview?: boolean },
): Fact =>
  fact({
    ...origin,
    desc: PostEditedSchema,
    aggregate: postName(change.postId),
    version: BigInt(change.version),
    partition: change.authorId,
    value: {
      postId: String(change.postId),
      authorId: String(change.authorId),
      version: BigInt(change.version),
      audience: change.audience,
      mentionedUserIds: [...change.mentionedIds],
      replySetting: change.replySetting,
      linkPreviewId: content?.linkPreview?.id ?? 0n,
      byPreview,
    },
  });

/** Which media a draft has; a draft without any, or that is gone, has none. */
export const draftChanged = (
  { id, authorId, version }: { readonly id: bigint; readonly authorId: bigint; readonly version: number },
  mediaIds: readonly bigint[],
  origin: Origin,
): Fact =>
  fact({
    ...origin,
    desc: DraftChangedSchema,
    aggregate: `draft:${id}`,
    version: BigInt(version),
    partition: authorId,
    value: { draftId: String(id), authorId: String(authorId), version: BigInt(version), mediaIds: [...mediaIds] },
  });

export const postDeleted = ({ postId, authorId, version }: PostChange, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: PostDeletedSchema,
    aggregate: postName(postId),
    version: BigInt(version),
    partition: authorId,
    value: { postId: String(postId), authorId: String(authorId), version: BigInt(version) },
  });

/** A tombstone is for nobody, whoever it was for. */
export const toNobody = { audience: 0, mentionedIds: [], replySetting: 0 } as const;

/** The change a fact tells of; undefined for a fact of another kind. */
export function changeOf({ type, payload }: Pick<Event, "type" | "payload">): PostChange | undefined {
  if (type === PostCreatedSchema.name) {
    const created = decode(PostCreatedSchema, { payload });
    return { ...standing(created), activityId: BigInt(created.activityId) };
  }
  if (type === PostEditedSchema.name) {
    return { ...standing(decode(PostEditedSchema, { payload })), activityId: undefined };
  }
  if (type === PostDeletedSchema.name) {
    const { postId, authorId, version } = decode(PostDeletedSchema, { payload });
    return {
      postId: BigInt(postId),
      authorId: BigInt(authorId),
      version: Number(version),
      activityId: undefined,
      deleted: true,
      ...toNobody,
    };
  }
  return undefined;
}

const standing = ({
  postId,
  authorId,
  version,
  audience,
  mentionedUserIds,
  replySetting,
}: PostCreated | PostEdited) => ({
  postId: BigInt(postId),
  authorId: BigInt(authorId),
  version: Number(version),
  deleted: false,
  audience,
  mentionedIds: mentionedUserIds,
  replySetting,
});
