import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { CommentMediaSchema } from "#gen/skein/comment/v1/comment_pb.ts";
import type { Media } from "#gen/skein/media/v1/media_pb.ts";
import { type Facets, FacetsSchema } from "#gen/skein/text/v1/text_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Replier } from "#lib/readmodel/thread.ts";
import { type Keyed, keyRow } from "#lib/storage/idempotency.ts";
import { bigintOf, type Sql } from "#lib/storage/mysql.ts";
import { commentCreated } from "../events.ts";
import { keepMentions } from "./mention.ts";
import { mustBeLetReply, threadsOf } from "./thread.ts";

/** Where a comment stands: under which other one (0: none), at the top of which branch (0: itself), how deep. */
export type Standing = { readonly parentId: bigint; readonly rootId: bigint; readonly depth: number };

/** What is no reply. */
export const onTop: Standing = { parentId: 0n, rootId: 0n, depth: 0 };

/** What is asked under a key. */
export type Asked = Keyed & {
  readonly postId: bigint;
  readonly askedParentId: bigint;
  readonly mediaIds: readonly bigint[];
};

/** A comment to be. `askedParentId` is what was replied to: a comment too deep for replies has them beside it. */
export type NewComment = Asked & {
  readonly standing: Standing;
  readonly facets: Facets | undefined;
  readonly media: readonly Media[];
  readonly replier: Replier;
};

/** A comment about to be there. */
export type Saying = NewComment & { readonly id: bigint; readonly createTime: Date; readonly origin: Origin };

/** Says some things in one transaction of a few statements. A key that was used before is a duplicate key, and undoes them all. */
export async function sayAll(tx: Sql, all: readonly Saying[]): Promise<undefined[]> {
  await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, comment_id) VALUES ?", [
    all.map((one) => keyRow(asked(one), one.id)),
  ]);
  const threadOf = await threadsOf(
    tx,
    all.map(({ postId }) => postId),
  );
  for (const { postId, replier } of all) mustBeLetReply(threadOf(postId), replier);
  await lockParents(tx, all);
  await tx.exec(
    "INSERT INTO comment (post_id, id, author_id, version, parent_id, root_id, depth, text, facets, media, create_time) VALUES ?",
    [
      all.map(({ postId, id, authorId, standing: { parentId, rootId, depth }, text, facets, media, createTime }) => [
        postId,
        id,
        authorId,
        1,
        parentId,
        rootId,
        depth,
        text,
        facetBytes(facets),
        mediaBytes(media),
        createTime,
      ]),
    ],
  );
  await keepMentions(tx, all);
  const created = ({ id: commentId, postId, authorId, standing: { parentId }, facets, media, origin }: Saying) =>
    commentCreated({ commentId, postId, authorId, parentId, version: 1n, facets, media }, origin);
  await append(tx, all.map(created));
  return all.map(() => undefined);
}

/** What stands in a text, as a column holds it. */
export const facetBytes = (facets: Facets | undefined): Buffer | null =>
  facets === undefined ? null : Buffer.from(toBinary(FacetsSchema, facets));

export const facetsIn = (bytes: unknown): Facets | undefined =>
  bytes === null || bytes === undefined ? undefined : fromBinary(FacetsSchema, bytes as Buffer);

/** Pictures, as a column holds them. */
const mediaBytes = (items: readonly Media[]): Buffer | null =>
  items.length === 0
    ? null
    : Buffer.from(toBinary(CommentMediaSchema, create(CommentMediaSchema, { items: [...items] })));

export const mediaIn = (bytes: unknown): readonly Media[] =>
  bytes === null || bytes === undefined ? [] : fromBinary(CommentMediaSchema, bytes as Buffer).items;

/** What is replied to must still be there: whoever removes it locks it too, and then looks for replies. */
async function lockParents(tx: Sql, all: readonly Saying[]): Promise<void> {
  const parents = all.flatMap(({ postId, standing: { parentId } }) => (parentId === 0n ? [] : [[postId, parentId]]));
  if (parents.length === 0) return;
  const rows = await tx.query(
    "SELECT id, deleted, stub FROM comment WHERE (post_id, id) IN (?) ORDER BY id FOR UPDATE", // PRIMARY
    [parents],
  );
  const there = new Set(rows.filter((row) => Number(row.deleted) === 0).map((row) => bigintOf(row.id)));
  const isThere = ({ standing: { parentId } }: Saying) => parentId === 0n || there.has(parentId);
  if (!all.every(isThere)) throw notFound("comment");
}

/** The whole request as its key remembers it: the same words elsewhere are another request. */
export function asked({ authorId, key, postId, askedParentId, text, mediaIds }: Asked): Keyed {
  const where = askedParentId === 0n ? `${postId}` : `${postId}>${askedParentId}`;
  const shows = mediaIds.length === 0 ? "" : ` ${mediaIds.join(" ")}`;
  return { authorId, key, text: `${where}${shows}\n${text}` };
}
