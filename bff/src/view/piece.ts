import { create, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type Audience, AuthorSchema, PostSchema } from "#gen/skein/api/v1/resources_pb.ts";
import type { Post } from "#gen/skein/post/v1/post_pb.ts";
import type { User } from "#gen/skein/user/v1/user_pb.ts";
import { besideBytes, besideLastNames, besideNames, besideOf } from "./beside.ts";
import { ownBytes, tagOf, varintBytes } from "./bytes.ts";
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
export type PostPiece = Kept<Post> & {
  tail: Buffer | undefined;
  last: Buffer | undefined;
  /** Whole items of home feeds, as they were written for others. */
  readonly items: KeptItem[];
};
export type AuthorPiece = Kept<User>;
/** An item's JSON, for all to whom feed says the same of its post. */
type KeptItem = { readonly said: object; readonly author: AuthorPiece; readonly json: Buffer };

/** Of a post what is said to most, and to who reacted to it; a third takes the place of the first. */
export const itemsMax = 2;
/** What an item has beside its post's text. */
const itemOverheadBytes = 800;

/** Objects, keys, times and the heads of Buffers, beside the texts: measured with Node 24 (docs/decisions/0026). */
const overheadBytes = 2_500;

export const postPiece = (post: Post): PostPiece => {
  const piece = pieceOf(post, post.text);
  const besides = besideBytes(post);
  const itemBytes = itemOverheadBytes + besides + Buffer.byteLength(JSON.stringify(post.text));
  const sizeBytes = piece.sizeBytes + besides + itemsMax * itemBytes;
  return { ...piece, sizeBytes, tail: undefined, last: undefined, items: [] };
};
export const authorPiece = (user: User): AuthorPiece => pieceOf(user, `${user.username}${user.displayName}${user.bio}`);

const pieceOf = <C extends Post | User>(content: C, text: string): Kept<C> => ({
  id: content.id,
  version: content.version,
  content,
  // As it came, as JSON and as protobuf; escapes make JSON longer.
  sizeBytes: overheadBytes + 2 * text.length + Buffer.byteLength(JSON.stringify(text)) + Buffer.byteLength(text),
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

/** Of a post's JSON what stands after its audience: nothing of a plain one. */
export function jsonTailOfPost(piece: PostPiece): Buffer {
  piece.tail ??= jsonBeside(piece, besideNames);
  return piece.tail;
}

/** What ends a post's JSON: nothing of most. */
export function jsonLastOfPost(piece: PostPiece): Buffer {
  piece.last ??= jsonBeside(piece, besideLastNames);
  return piece.last;
}

function jsonBeside({ content }: PostPiece, names: readonly string[]): Buffer {
  const beside = besideOf(content);
  if (Object.keys(beside).length === 0) return nothing;
  const json = toJson(PostSchema, create(PostSchema, beside), { alwaysEmitImplicit: true }) as JsonObject;
  const fields = names.flatMap((name) => {
    const value = json[name];
    return value === undefined ? [] : [`,"${name}":${JSON.stringify(value)}`];
  });
  return fields.length === 0 ? nothing : ownBytes(fields.join(""));
}

const nothing = Buffer.alloc(0);

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
    ...besideOf(piece.content),
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
