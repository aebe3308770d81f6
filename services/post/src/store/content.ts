import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type PostContent, PostContentSchema } from "#gen/skein/post/v1/content_pb.ts";
import type { Reposted } from "#lib/readmodel/card.ts";

/** People one post names, in its text and beside it; those that come after them in the text are not told. */
export const mentionsMax = 50;

/** What people read in one version of a post. */
export type Written = {
  readonly text: string;
  /** Absent where there is nothing beside the text. */
  readonly content?: PostContent | undefined;
};

/** Content as a column holds it. */
export const contentBytes = (content: PostContent | undefined): Buffer | null =>
  content === undefined ? null : Buffer.from(toBinary(PostContentSchema, content));

export const contentIn = (bytes: unknown): PostContent | undefined =>
  bytes === null || bytes === undefined ? undefined : fromBinary(PostContentSchema, bytes as Buffer);

/** Whom a post names: those whom its author named, then those in its text, nobody twice. */
export function mentionedBy(namedIds: readonly bigint[], content: PostContent | undefined): readonly bigint[] {
  const found = content?.facets?.mentions ?? [];
  if (found.length === 0) return namedIds;
  return [...new Set([...namedIds, ...found.map(({ userId }) => userId)])].slice(0, mentionsMax);
}

export const mediaIdsIn = (content: PostContent | undefined): bigint[] =>
  content?.media.map(({ id }) => BigInt(id)) ?? [];

/** What a repost passes on; undefined for a post of its own. */
export const repostedIn = (content: PostContent | undefined): Reposted | undefined =>
  content === undefined || content.repostedPostId === 0n
    ? undefined
    : { postId: content.repostedPostId, authorId: content.repostedAuthorId };

export const isSame = (one: Written, other: Written): boolean =>
  one.text === other.text && equals(PostContentSchema, one.content ?? nothing, other.content ?? nothing);

const nothing = create(PostContentSchema);
