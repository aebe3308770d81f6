import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Facets, FacetsSchema } from "#gen/skein/text/v1/text_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { notFound } from "#lib/mesh/errors.ts";
import { type Keyed, keyRow } from "#lib/storage/idempotency.ts";
import { bigintOf, type Sql } from "#lib/storage/mysql.ts";
import { commentCreated } from "../events.ts";
import { mustBeLetReply, type Replier, threadsOf } from "./thread.ts";

/** Where a comment stands: under which other one (0: none), at the top of which branch (0: itself), how deep. */
export type Standing = { readonly parentId: bigint; readonly rootId: bigint; readonly depth: number };

/** What is no reply. */
export const onTop: Standing = { parentId: 0n, rootId: 0n, depth: 0 };

/** A comment to be. `askedParentId` is what was replied to: a comment too deep for replies has them beside it. */
export type NewComment = Keyed & {
  readonly postId: bigint;
  readonly askedParentId: bigint;
  readonly standing: Standing;
  readonly facets: Facets | undefined;
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
    "INSERT INTO comment (post_id, id, author_id, version, parent_id, root_id, depth, text, facets, create_time) VALUES ?",
    [
      all.map(({ postId, id, authorId, standing: { parentId, rootId, depth }, text, facets, createTime }) => [
        postId,
        id,
        authorId,
        1,
        parentId,
        rootId,
        depth,
        text,
        facetBytes(facets),
        createTime,
      ]),
    ],
  );
  const created = ({ id: commentId, postId, authorId, standing: { parentId }, facets, origin }: Saying) =>
    commentCreated({ commentId, postId, authorId, parentId, version: 1n, facets }, origin);
  await append(tx, all.map(created));
  return all.map(() => undefined);
}

/** What stands in a text, as a column holds it. */
export const facetBytes = (facets: Facets | undefined): Buffer | null =>
  facets === undefined ? null : Buffer.from(toBinary(FacetsSchema, facets));

export const facetsIn = (bytes: unknown): Facets | undefined =>
  bytes === null || bytes === undefined ? undefined : fromBinary(FacetsSchema, bytes as Buffer);

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
export function asked({ authorId, key, postId, askedParentId, text }: NewComment): Keyed {
  const where = askedParentId === 0n ? `${postId}` : `${postId}>${askedParentId}`;
  return { authorId, key, text: `${where}\n${text}` };
}
