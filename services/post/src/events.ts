import { PostCreatedSchema, PostDeletedSchema } from "#gen/skein/post/v1/events_pb.ts";
import { type Event, type Fact, fact, type Origin } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";

/** What happened to a post, as its read models take it. */
export type PostChange = {
  readonly postId: bigint;
  readonly authorId: bigint;
  readonly version: number;
  /** Where it became public just now. */
  readonly activityId: bigint | undefined;
  readonly deleted: boolean;
  readonly audience: number;
  readonly mentionedIds: readonly bigint[];
};

/** An author's posts travel in the author's partition, in order. */
export function postCreated(change: PostChange, origin: Origin, mediaIds: readonly bigint[] = []): Fact {
  const { postId, authorId, version, activityId = 0n, audience, mentionedIds } = change;
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
      mediaIds: [...mediaIds],
    },
  });
}

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
export const toNobody = { audience: 0, mentionedIds: [] } as const;

/** The change a fact tells of; undefined for a fact of another kind. */
export function changeOf({ type, payload }: Pick<Event, "type" | "payload">): PostChange | undefined {
  if (type === PostCreatedSchema.name) {
    const { postId, authorId, version, activityId, audience, mentionedUserIds } = decode(PostCreatedSchema, {
      payload,
    });
    return {
      postId: BigInt(postId),
      authorId: BigInt(authorId),
      version: Number(version),
      activityId: BigInt(activityId),
      deleted: false,
      audience,
      mentionedIds: mentionedUserIds,
    };
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
