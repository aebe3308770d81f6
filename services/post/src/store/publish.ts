import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { type Keyed, keyRow } from "#lib/storage/idempotency.ts";
import type { Param, Sql } from "#lib/storage/mysql.ts";
import { shareChanged, shareOf } from "../events/share.ts";
import { type PostChange, postCreated } from "../events.ts";
import { contentBytes, mediaIdsIn, mentionedBy, repostedIn, type Written } from "./content.ts";
import { addToMedia } from "./media.ts";
import { openPolls } from "./poll.ts";
import { addPreviewTasks } from "./preview.ts";
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
export type Publication = NewPost & {
  readonly id: bigint;
  readonly createTime: Date;
  readonly origin: Origin;
  /** It quotes what its author may not see any more: the slot is empty. */
  readonly isQuoteDetached?: boolean;
};

/** Whether links get previews; no, where nothing is said. */
export type Publishing = { readonly previews: boolean };
export const withoutPreviews: Publishing = { previews: false };

/** Publishes posts in one transaction of a few statements. A key that was used before is a duplicate key, and undoes them all. */
export async function publishAll(
  tx: Sql,
  posts: readonly Publication[],
  { previews } = withoutPreviews,
): Promise<PostChange[]> {
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
  const quoted = await addQuotes(tx, posts);
  await addToMedia(tx, posts);
  await openPolls(tx, posts);
  if (previews) await addPreviewTasks(tx, posts);
  const changes = posts.map((post) => ({ ...changeOf(post), quoted: quoted.get(post.id) }));
  const created = changes.map((change, nth) => {
    const { origin, content } = posts[nth] as Publication;
    return postCreated(change, origin, content);
  });
  // A quote that is detached from the start is none.
  const shared = posts
    .filter(({ isQuoteDetached = false }) => !isQuoteDetached)
    .flatMap((post) => shareOf(post, true).map((change) => shareChanged(change, post.origin)));
  await append(tx, [...created, ...shared]);
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
  reposted: repostedIn(content),
});

/** What a key stands for: each kind of post as it was written when there was nothing more to it. */
export function asked({ authorId, key, text, audience, mentionedIds, replySetting, content }: NewPost): Keyed {
  const { contentWarning = "", language = "", quotedPostId = 0n, poll } = content ?? {};
  const mediaIds = mediaIdsIn(content).join(" ");
  const later = [
    ...(mediaIds === "" ? [] : [mediaIds]),
    ...(quotedPostId === 0n ? [] : [`quote ${quotedPostId}`]),
    ...(poll === undefined ? [] : [`poll ${poll.durationSeconds} ${poll.multiple} ${JSON.stringify(poll.options)}`]),
  ];
  const parts = [replySetting, contentWarning, language, ...later];
  const beside = parts.some((one) => one !== 0 && one !== "");
  const isPlain = !beside && audience === Audience.PUBLIC && mentionedIds.length === 0;
  const to = `${audience} ${mentionedIds.join(" ")}${beside ? JSON.stringify(parts) : ""}`;
  return { authorId, key, text: isPlain ? text : `${to}\n${text}` };
}
