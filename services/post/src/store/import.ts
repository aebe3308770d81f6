import type { Origin } from "#lib/events/outbox.ts";
import { idAt } from "#lib/storage/id.ts";
import { hashOf } from "#lib/storage/idempotency.ts";
import { isDuplicate, type Sql, type Statements } from "#lib/storage/mysql.ts";
import type { PostChange } from "../events.ts";
import { type NewPost, publishAll } from "./publish.ts";

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
  const fresh = await freshOf(tx, posts);
  if (fresh.length === 0) return [];
  return publishAll(
    tx,
    fresh.map((post) => ({ ...post, id: idAt(post.timeMs), createTime: new Date(post.timeMs), origin })),
  );
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
