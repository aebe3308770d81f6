import { append, type Origin } from "#lib/events/outbox.ts";
import { idAt } from "#lib/storage/id.ts";
import { hashOf, keyRow } from "#lib/storage/idempotency.ts";
import { isDuplicate, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { type PostChange, postCreated } from "../events.ts";
import { asked, type NewPost } from "../store.ts";

/** A post to import, with the moment it became public. */
export type ImportedPost = NewPost & { readonly timeMs: number };

/** 500 posts of one millisecond draw an id twice in one of 17 calls; four times in a row, never. */
const triesMax = 4;

/** Publishes many posts in one transaction, each at its own time; those whose key was used before are left as they are. */
export async function importPosts(
  db: Statements,
  posts: readonly ImportedPost[],
  origin: Origin,
): Promise<PostChange[]> {
  for (let tried = 1; ; tried++) {
    try {
      return await db.tx((tx) => importOnce(tx, posts, origin));
    } catch (reason) {
      // Another call used a key meanwhile, which is seen now, or an id was drawn twice.
      if (!isDuplicate(reason) || tried === triesMax) throw reason;
    }
  }
}

async function importOnce(tx: Sql, posts: readonly ImportedPost[], origin: Origin): Promise<PostChange[]> {
  const rows = (await freshOf(tx, posts)).map((post) => ({ ...post, id: idAt(post.timeMs) }));
  if (rows.length === 0) return [];
  await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, post_id) VALUES ?", [
    rows.map((post) => keyRow(asked(post), post.id)),
  ]);
  await tx.exec("INSERT INTO post (id, author_id, version, audience, text, create_time) VALUES ?", [
    rows.map(({ id, authorId, audience, text, timeMs }) => [id, authorId, 1, audience, text, new Date(timeMs)]),
  ]);
  await tx.exec("INSERT INTO activity (author_id, activity_id, post_id) VALUES ?", [
    rows.map(({ id, authorId }) => [authorId, id, id]),
  ]);
  const changes = rows.map(({ id, authorId, audience, mentionedIds }) => ({
    postId: id,
    authorId,
    version: 1,
    activityId: id,
    deleted: false,
    audience,
    mentionedIds,
  }));
  await append(
    tx,
    changes.map((change) => postCreated(change, origin)),
  );
  return changes;
}

/** Those whose author did not use their key before, the first of each key. */
async function freshOf(tx: Sql, posts: readonly ImportedPost[]): Promise<ImportedPost[]> {
  if (posts.length === 0) return [];
  const known = await tx.query("SELECT user_id, key_hash FROM idempotency WHERE (user_id, key_hash) IN (?)", [
    posts.map(({ authorId, key }) => [authorId, hashOf(key)]),
  ]);
  const used = new Set(known.map((row) => `${row.user_id} ${(row.key_hash as Buffer).toString("hex")}`));
  return posts.filter(({ authorId, key }) => {
    const name = `${authorId} ${hashOf(key).toString("hex")}`;
    const fresh = !used.has(name);
    used.add(name);
    return fresh;
  });
}
