import { append } from "#lib/events/outbox.ts";
import { idAt } from "#lib/storage/id.ts";
import { bigintOf, type Db } from "#lib/storage/mysql.ts";
import { type Origin, type PostChange, postCreated } from "../events.ts";
import { hashOf, keyRow, type NewPost } from "../store.ts";

/** A post to import, with the moment it became public. */
export type ImportedPost = NewPost & { readonly timeMs: number };

/** Publishes many posts in one transaction, each at its own time; those whose key was used before are left as they are. */
export const importPosts = (db: Db, posts: readonly ImportedPost[], origin: Origin): Promise<PostChange[]> =>
  db.tx(async (tx) => {
    const known = await tx.query("SELECT user_id, key_hash FROM idempotency WHERE (user_id, key_hash) IN (?)", [
      posts.map(({ authorId, key }) => [authorId, hashOf(key)]),
    ]);
    const used = new Set(known.map((row) => nameOf(bigintOf(row.user_id), row.key_hash as Buffer)));
    const rows = posts
      .filter(({ authorId, key }) => {
        const name = nameOf(authorId, hashOf(key));
        return !used.has(name) && used.add(name);
      })
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

/** A key is its author's: two authors may use the same. */
const nameOf = (authorId: bigint, keyHash: Buffer): string => `${authorId}:${keyHash.toString("hex")}`;
