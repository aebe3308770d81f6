import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type Audience, AuthorSchema, MediaListSchema, PostSchema } from "#gen/skein/api/v1/resources_pb.ts";
import type { Post } from "#gen/skein/post/v1/post_pb.ts";
import type { User } from "#gen/skein/user/v1/user_pb.ts";
import { ownBytes, tagOf, varintBytes } from "./bytes.ts";
import { mediaView } from "./media.ts";
import { authorView } from "./user.ts";

/** Content that never changes for one (id, version), with the bytes it was shown as: each form is made when first needed. */
type Kept<Content> = {
  readonly id: string;
  readonly version: bigint;
  readonly content: Content;
  /** What it takes of memory at most, with every form. */
  readonly sizeBytes: number;
  json: Buffer | undefined;
  binary: Buffer | undefined;
};
/** A post's JSON is in two: its counts and its viewer's state stand between what never changes. */
export type PostPiece = Kept<Post> & { jsonEnd?: Buffer };
export type AuthorPiece = Kept<User>;

/** Objects, keys, times and the heads of Buffers, beside the texts: measured with Node 24 (docs/decisions/0026). */
const overheadBytes = 2_500;

/** One media as an object, as JSON and as protobuf, with three variants: measured. */
const mediaBytes = 4_000;

export const postPiece = (post: Post): PostPiece =>
  pieceOf(post, `${post.text}${post.media.map(({ alt }) => alt).join("")}`, post.media.length * mediaBytes);
export const authorPiece = (user: User): AuthorPiece => pieceOf(user, `${user.username}${user.displayName}${user.bio}`);

const pieceOf = <C extends Post | User>(content: C, text: string, moreBytes = 0): Kept<C> => ({
  id: content.id,
  version: content.version,
  content,
  // As it came, as JSON and as protobuf; escapes make JSON longer.
  sizeBytes:
    overheadBytes + moreBytes + 2 * text.length + Buffer.byteLength(JSON.stringify(text)) + Buffer.byteLength(text),
  json: undefined,
  binary: undefined,
});

/** Of a post's JSON what stands between its author and its like count. */
export function jsonOfPost(piece: PostPiece): Buffer {
  const { text, createTime } = piece.content;
  piece.json ??= ownBytes(
    `,"text":${JSON.stringify(text)},${
      createTime === undefined ? "" : `"createTime":${JSON.stringify(toJson(TimestampSchema, createTime))},`
    }"likeCount":`,
  );
  return piece.json;
}

/** Of a post's JSON what stands after its audience: nothing, where it is plain. */
export function jsonEndOfPost(piece: PostPiece): Buffer {
  piece.jsonEnd ??= piece.content.media.length === 0 ? nothing : ownBytes(`,"media":${mediaJson(piece.content)}`);
  return piece.jsonEnd;
}

const nothing = Buffer.alloc(0);
const mediaJson = (post: Post): string =>
  JSON.stringify(toJson(MediaListSchema, mediaOf(post), { alwaysEmitImplicit: true }));
const mediaOf = ({ media }: Post) => create(MediaListSchema, { items: media.map(mediaView) });

/** A post's message without its author, its counts and its viewer's state. */
export function binaryOfPost(piece: PostPiece): Buffer {
  if (piece.binary !== undefined) return piece.binary;
  const { id, version, text, audience, createTime } = piece.content;
  const content = create(PostSchema, {
    id,
    version: Number(version),
    text,
    audience: audience as number as Audience,
    ...(createTime && { createTime }),
    ...(piece.content.media.length > 0 && { media: mediaOf(piece.content) }),
  });
  piece.binary = Buffer.from(toBinary(PostSchema, content));
  return piece.binary;
}

/** An author as JSON. */
export function jsonOfAuthor(piece: AuthorPiece): Buffer {
  piece.json ??= ownBytes(
    JSON.stringify(toJson(AuthorSchema, authorView(piece.content), { alwaysEmitImplicit: true })),
  );
  return piece.json;
}

/** An author as a field of a post's message. */
export function binaryOfAuthor(piece: AuthorPiece): Buffer {
  if (piece.binary !== undefined) return piece.binary;
  const author = toBinary(AuthorSchema, authorView(piece.content));
  if (varintBytes(author.length) > 2) throw new RangeError("an author of more than 16 KiB");
  const length = author.length > 0x7f ? [(author.length & 0x7f) | 0x80, author.length >> 7] : [author.length];
  piece.binary = Buffer.concat([Buffer.of(tagOf(PostSchema.field.author, 2), ...length), author]);
  return piece.binary;
}
