import type { PostContent } from "#gen/skein/post/v1/content_pb.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";

/** A post and what stands beside its text. */
type Tagged = { readonly id: bigint; readonly authorId: bigint; readonly content?: PostContent | undefined };

/** Lists posts under their tags, in the transaction that makes them public. */
export async function addTags(tx: Sql, posts: readonly Tagged[]): Promise<void> {
  const rows = posts.flatMap(({ id, authorId, content }) => tagsOf(content).map((tag) => [tag, id, authorId]));
  if (rows.length > 0) await tx.exec("INSERT INTO post_tag (tag, post_id, author_id) VALUES ?", [rows]);
}

/** Takes a post from under the tags it had. */
export async function removeTags(tx: Sql, { id, content }: Tagged): Promise<void> {
  const tags = tagsOf(content);
  if (tags.length > 0) await tx.exec("DELETE FROM post_tag WHERE tag IN (?) AND post_id = ?", [tags, id]); // PRIMARY
}

const tagsOf = (content: PostContent | undefined): string[] => [
  ...new Set((content?.facets?.hashtags ?? []).map(({ tag }) => tag)),
];

/** What was made public under a tag below one post, newest first. */
export async function taggedPosts(
  db: Statements,
  tag: string,
  before: bigint,
  limit: number,
): Promise<TimelineEntry[]> {
  const below = before === 0n ? "" : `AND post_id < ${before}`;
  const rows = await db.query(
    `SELECT post_id, author_id FROM post_tag WHERE tag = ? ${below} ORDER BY post_id DESC LIMIT ${limit}`, // PRIMARY
    [tag],
  );
  return rows.map((row) => ({ activityId: bigintOf(row.post_id), authorId: bigintOf(row.author_id) }));
}
