import type { PostContent } from "#gen/skein/post/v1/content_pb.ts";
import {
  type PostCreated,
  PostCreatedSchema,
  PostDeletedSchema,
  type PostEdited,
  PostEditedSchema,
} from "#gen/skein/post/v1/events_pb.ts";
import { type Event, type Fact, fact, type Origin } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";
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
};

/** An author's posts travel in the author's partition, in order. */
export function postCreated(change: PostChange, origin: Origin, content: PostContent | undefined): Fact {
  const { postId, authorId, version, activityId = 0n, audience, mentionedIds, replySetting } = change;
  return fact({
    ...origin,
    desc: PostCreatedSchema,
    aggregate: `post:${postId}`,
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

export const postEdited = (change: PostChange, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: PostEditedSchema,
    aggregate: `post:${change.postId}`,
    version: BigInt(change.version),
    partition: change.authorId,
    value: {
      postId: String(change.postId),
      authorId: String(change.authorId),
      version: BigInt(change.version),
      audience: change.audience,
      mentionedUserIds: [...change.mentionedIds],
      replySetting: change.replySetting,
    },
  });

export const postDeleted = ({ postId, authorId, version }: PostChange, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: PostDeletedSchema,
    aggregate: `post:${postId}`,
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
