import { append } from "#lib/events/outbox.ts";
import { idAt } from "#lib/storage/id.ts";
import type { Db } from "#lib/storage/mysql.ts";
import { type Origin, type PostChange, postCreated } from "../events.ts";
import { hashOf, keyRow, type NewPost } from "../store.ts";

/** A post to import, with the moment it became public. */
export type ImportedPost = NewPost & { readonly timeMs: number };

/** Publishes many posts in one transaction, each at its own time; those whose key was used before are left as they are. */
export const importPosts = (db: Db, posts: readonly ImportedPost[], origin: Origin): Promise<PostChange[]> =>
  db.tx(async (tx) => {
    const known = await tx.query("SELECT key_hash FROM idempotency WHERE (user_id, key_hash) IN (?)", [
      posts.map(({ authorId, key }) => [authorId, hashOf(key)]),
    ]);
    const used = new Set(known.map((row) => (row.key_hash as Buffer).toString("hex")));
    const rows = posts
      .filter(({ key }) => !used.has(hashOf(key).toString("hex")))
      .map((post) => ({ ...post, id: idAt(post.timeMs) }));
    if (rows.length === 0) return [];
    await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, post_id) VALUES ?", [
      rows.map((post) => keyRow(post, post.id)),
    ]);
    await tx.exec("INSERT INTO post (id, author_id, version, text, create_time) VALUES ?", [
      rows.map(({ id, authorId, text, timeMs }) => [id, authorId, 1, text, new Date(timeMs)]),
    ]);
    await tx.exec("INSERT INTO activity (author_id, activity_id, post_id) VALUES ?", [
      rows.map(({ id, authorId }) => [authorId, id, id]),
    ]);
    const changes = rows.map(({ id, authorId }) => ({
      postId: id,
      authorId,
      version: 1,
      activityId: id,
      deleted: false,
    }));
    await append(
      tx,
      changes.map((change) => postCreated(change, origin)),
    );
    return changes;
  });
