import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { type Keyed, keyRow } from "#lib/storage/idempotency.ts";
import type { Param, Sql } from "#lib/storage/mysql.ts";
import { type PostChange, postCreated } from "../events.ts";
import { contentBytes, mediaIdsIn, mentionedBy, type Written } from "./content.ts";
import { addQuotes } from "./quote.ts";
import { addTags } from "./tag.ts";

/** A post to be. */
export type NewPost = Keyed &
  Written & {
    readonly audience: number;
    /** Whom it names beside its text, whoever it is for. */
    readonly mentionedIds: readonly bigint[];
    readonly replySetting: number;
  };

/** A post about to be public. */
export type Publication = NewPost & { readonly id: bigint; readonly createTime: Date; readonly origin: Origin };

/** Publishes posts in one transaction of a few statements. A key that was used before is a duplicate key, and undoes them all. */
export async function publishAll(tx: Sql, posts: readonly Publication[]): Promise<PostChange[]> {
  await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, post_id) VALUES ?", [
    posts.map((post) => keyRow(asked(post), post.id)),
  ]);
  await tx.exec(
    "INSERT INTO post (id, author_id, version, audience, text, content, reply_setting, create_time) VALUES ?",
    [posts.map(rowOf)],
  );
  const mentions = posts.flatMap(mentionRowsOf);
  if (mentions.length > 0) await tx.exec("INSERT INTO post_mention (post_id, user_id, named) VALUES ?", [mentions]);
  await tx.exec("INSERT INTO activity (author_id, activity_id, post_id) VALUES ?", [
    posts.map(({ id, authorId }) => [authorId, id, id]),
  ]);
  await addTags(tx, posts);
  await addQuotes(tx, posts);
  const changes = posts.map(changeOf);
  await append(
    tx,
    changes.map((change, nth) => {
      const { origin, content } = posts[nth] as Publication;
      return postCreated(change, origin, content);
    }),
  );
  return changes;
}

const rowOf = ({ id, authorId, audience, text, content, replySetting, createTime }: Publication): Param[] => [
  id,
  authorId,
  1,
  audience,
  text,
  contentBytes(content),
  replySetting,
  createTime,
];

function mentionRowsOf({ id, mentionedIds: namedIds, content }: Publication): Param[][] {
  return mentionedBy(namedIds, content).map((userId) => [id, userId, namedIds.includes(userId) ? 1 : 0]);
}

const changeOf = ({ id, authorId, audience, mentionedIds, content, replySetting }: Publication): PostChange => ({
  postId: id,
  authorId,
  version: 1,
  activityId: id,
  deleted: false,
  audience,
  mentionedIds: mentionedBy(mentionedIds, content),
  replySetting,
});

/** What a key stands for: each kind of post as it was written when there was nothing more to it. */
export function asked({ authorId, key, text, audience, mentionedIds, replySetting, content }: NewPost): Keyed {
  const { contentWarning = "", language = "", quotedPostId = 0n } = content ?? {};
  const mediaIds = mediaIdsIn(content).join(" ");
  const later = [...(mediaIds === "" ? [] : [mediaIds]), ...(quotedPostId === 0n ? [] : [`quote ${quotedPostId}`])];
  const parts = [replySetting, contentWarning, language, ...later];
  const beside = parts.some((one) => one !== 0 && one !== "");
  const isPlain = !beside && audience === Audience.PUBLIC && mentionedIds.length === 0;
  const to = `${audience} ${mentionedIds.join(" ")}${beside ? JSON.stringify(parts) : ""}`;
  return { authorId, key, text: isPlain ? text : `${to}\n${text}` };
}
