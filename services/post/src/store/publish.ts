import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { type Keyed, keyRow } from "#lib/storage/idempotency.ts";
import type { Sql } from "#lib/storage/mysql.ts";
import { type PostChange, postCreated } from "../events.ts";

/** A post to be. */
export type NewPost = Keyed & {
  readonly audience: number;
  /** Whom it names, whoever it is for. */
  readonly mentionedIds: readonly bigint[];
};

/** A post about to be public. */
export type Publication = NewPost & { readonly id: bigint; readonly createTime: Date; readonly origin: Origin };

/** Publishes posts in one transaction of a few statements. A key that was used before is a duplicate key, and undoes them all. */
export async function publishAll(tx: Sql, posts: readonly Publication[]): Promise<PostChange[]> {
  await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, post_id) VALUES ?", [
    posts.map((post) => keyRow(asked(post), post.id)),
  ]);
  await tx.exec("INSERT INTO post (id, author_id, version, audience, text, create_time) VALUES ?", [
    posts.map(({ id, authorId, audience, text, createTime }) => [id, authorId, 1, audience, text, createTime]),
  ]);
  const mentions = posts.flatMap(({ id, mentionedIds }) => mentionedIds.map((userId) => [id, userId]));
  if (mentions.length > 0) await tx.exec("INSERT INTO post_mention (post_id, user_id) VALUES ?", [mentions]);
  await tx.exec("INSERT INTO activity (author_id, activity_id, post_id) VALUES ?", [
    posts.map(({ id, authorId }) => [authorId, id, id]),
  ]);
  const changes = posts.map(changeOf);
  await append(
    tx,
    changes.map((change, nth) => postCreated(change, (posts[nth] as Publication).origin)),
  );
  return changes;
}

const changeOf = ({ id, authorId, audience, mentionedIds }: Publication): PostChange => ({
  postId: id,
  authorId,
  version: 1,
  activityId: id,
  deleted: false,
  audience,
  mentionedIds,
});

/** What a key stands for: a plain public post is its text, as it was before there were audiences. */
export function asked({ authorId, key, text, audience, mentionedIds }: NewPost): Keyed {
  const isPlain = audience === Audience.PUBLIC && mentionedIds.length === 0;
  return { authorId, key, text: isPlain ? text : `${audience} ${mentionedIds.join(" ")}\n${text}` };
}
