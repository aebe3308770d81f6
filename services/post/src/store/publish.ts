import type { Media } from "#gen/skein/media/v1/media_pb.ts";
import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { type Keyed, keyRow } from "#lib/storage/idempotency.ts";
import type { Sql } from "#lib/storage/mysql.ts";
import { type PostChange, postCreated } from "../events.ts";
import { mediaColumn } from "./media.ts";

/** A post to be. */
export type NewPost = Keyed & {
  readonly audience: number;
  /** Whom it names, whoever it is for. */
  readonly mentionedIds: readonly bigint[];
  /** Claimed for it. */
  readonly media?: readonly Media[];
};

/** A post about to be public. */
export type Publication = NewPost & { readonly id: bigint; readonly createTime: Date; readonly origin: Origin };

/** Publishes posts in one transaction of a few statements. A key that was used before is a duplicate key, and undoes them all. */
export async function publishAll(tx: Sql, posts: readonly Publication[]): Promise<PostChange[]> {
  await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, post_id) VALUES ?", [
    posts.map((post) => keyRow(asked(post), post.id)),
  ]);
  await tx.exec("INSERT INTO post (id, author_id, version, audience, text, create_time, media) VALUES ?", [
    posts.map(({ id, authorId, audience, text, createTime, media = [] }) => [
      id,
      authorId,
      1,
      audience,
      text,
      createTime,
      mediaColumn(media),
    ]),
  ]);
  const mentions = posts.flatMap(({ id, mentionedIds }) => mentionedIds.map((userId) => [id, userId]));
  if (mentions.length > 0) await tx.exec("INSERT INTO post_mention (post_id, user_id) VALUES ?", [mentions]);
  await tx.exec("INSERT INTO activity (author_id, activity_id, post_id) VALUES ?", [
    posts.map(({ id, authorId }) => [authorId, id, id]),
  ]);
  const changes = posts.map(changeOf);
  await append(
    tx,
    changes.map((change, nth) => {
      const { origin, media = [] } = posts[nth] as Publication;
      return postCreated(
        change,
        origin,
        media.map(({ id }) => BigInt(id)),
      );
    }),
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
export function asked({ authorId, key, text, audience, mentionedIds, media = [] }: NewPost): Keyed {
  const isPlain = audience === Audience.PUBLIC && mentionedIds.length === 0 && media.length === 0;
  const shows = media.length === 0 ? "" : ` with ${media.map(({ id }) => id).join(" ")}`;
  return { authorId, key, text: isPlain ? text : `${audience} ${mentionedIds.join(" ")}${shows}\n${text}` };
}
