import { append, type Origin } from "#lib/events/outbox.ts";
import { notFound } from "#lib/mesh/errors.ts";
import { isForNamed, type Quoted, type Reposted } from "#lib/readmodel/card.ts";
import { batched, type Wanted } from "#lib/storage/batch.ts";
import { newId, timeOf } from "#lib/storage/id.ts";
import { keptUnder, madeUnder } from "#lib/storage/idempotency.ts";
import { bigintOf, isDuplicate, type Statements } from "#lib/storage/mysql.ts";
import { shareChanged, shareOf } from "./events/share.ts";
import { type PostChange, postDeleted, toNobody } from "./events.ts";
import { mentionedBy, repostedIn } from "./store/content.ts";
import { type Edit, type Edited, editPost, formerVersions } from "./store/edit.ts";
import { removeFromMedia } from "./store/media.ts";
import type { OwnChange } from "./store/own.ts";
import { unpinPost } from "./store/pin.ts";
import { removePreviewTask } from "./store/preview.ts";
import { asked, type NewPost, type Publication, publishAll, withoutPreviews } from "./store/publish.ts";
import { quotedIn, removeQuote } from "./store/quote.ts";
import { endRepost } from "./store/repost.ts";
import { headOf, type PostHead, type PostRow, postColumns, postOf } from "./store/row.ts";
import { shareCounts, sharesInRow } from "./store/share.ts";
import { removeTags } from "./store/tag.ts";

export type StoredPost = PostRow & {
  /** Of posts that those they name alone may see, or reply to; empty for others. */
  readonly mentionedIds: readonly bigint[];
  /** Of a repost. */
  readonly reposted?: Reposted | undefined;
  /** Of a quote. */
  readonly quoted?: Quoted | undefined;
};

/** What is known of a post beside its text. `deleteTime` is missing where an older release deleted it. */
export type PostRecord = PostHead & { readonly deleteTime: Date | undefined };

/** A delete; where it ends a repost, what the post that was passed on is to its reposter from now on. */
export type Deleted = { readonly change: PostChange; readonly own: OwnChange | undefined };

/** The truth about posts. */
export type PostStore = ReturnType<typeof postStore>;

export function postStore(db: Statements, publishing = withoutPreviews) {
  const publish = batched<Publication & Wanted, PostChange>({
    what: "posts",
    db,
    work: (tx, posts) => publishAll(tx, posts, publishing),
  });

  return {
    byIds: (ids: readonly bigint[]) => postsById(db, ids),

    /** How often some posts are passed on, with what the shards `late` have not folded. */
    shares: (ids: readonly bigint[], late: readonly number[]) => shareCounts(db, ids, late),

    /**
     * Publishes a post once for its key. Answers what stands, and whether it stood before. A run that was given up
     * (`mustBeWanted`) leaves the key to the one that came after it.
     */
    async create(
      post: NewPost,
      origin: Origin,
      mustBeWanted = () => {},
    ): Promise<{ post: StoredPost; replayed: boolean }> {
      const { authorId, audience, mentionedIds: namedIds, replySetting, text, content } = post;
      const id = newId();
      const createTime = new Date(timeOf(id));
      const change = await publish({ ...post, id, createTime, origin, mustBeWanted }).catch(orDuplicate);
      if (change === undefined) return { post: await madeBefore(db, post), replayed: true };
      const { quoted } = change;
      const mentionedIds = mentionedBy(namedIds, content);
      const made = { id, authorId, version: 1, deleted: false, audience, mentionedIds, replySetting, text, content };
      return { post: { ...made, quoted, createTime, editTime: undefined }, replayed: false };
    },

    /** What a key made before, also where what it was made of is gone; undefined where it made nothing. */
    async made(post: NewPost): Promise<StoredPost | undefined> {
      const id = await keptUnder(db, asked(post), "post_id");
      return id === undefined ? undefined : (await postsById(db, [id])).get(id);
    },

    edit: (edit: Edit, origin: Origin): Promise<Edited> => editPost(db, edit, origin, publishing),

    /** Versions of a post that are no more, below one, newest first. */
    versions: (postId: bigint, below: number, limit: number) => formerVersions(db, postId, below, limit),

    /** A post without its text, also a deleted one. */
    async record(postId: bigint): Promise<PostRecord | undefined> {
      const [row] = await db.query(
        "SELECT id, author_id, version, deleted, create_time, delete_time FROM post WHERE id = ?", // PRIMARY
        [postId],
      );
      return row && { ...headOf(row), deleteTime: (row.delete_time as Date | null) ?? undefined };
    },

    /** Deletes an author's post; again is the same as once. NOT_FOUND where it is nobody's or somebody else's. */
    delete: (postId: bigint, authorId: bigint, origin: Origin): Promise<Deleted> =>
      db.tx(async (tx) => {
        const [row] = await tx.query(`SELECT ${postColumns} FROM post WHERE id = ? FOR UPDATE`, [postId]);
        if (row === undefined || bigintOf(row.author_id) !== authorId) throw notFound("post");
        const { version, deleted } = headOf(row);
        const change = {
          ...toNobody,
          postId,
          authorId,
          version: deleted ? version : version + 1,
          activityId: undefined,
          deleted: true,
          shares: sharesInRow(row),
        };
        if (deleted) return { change, own: undefined };
        await tx.exec("UPDATE post SET deleted = 1, version = version + 1, delete_time = NOW(3) WHERE id = ?", [
          postId,
        ]);
        await tx.exec("UPDATE activity SET deleted = 1 WHERE author_id = ? AND activity_id = ?", [authorId, postId]);
        const standing = postOf(row);
        await removeTags(tx, standing);
        const quoted = await removeQuote(tx, standing);
        const own = await endRepost(tx, standing);
        await removePreviewTask(tx, standing);
        await removeFromMedia(tx, standing);
        await unpinPost(tx, { postId, authorId });
        const shares = quoted || own !== undefined ? shareOf(standing, false) : [];
        await append(tx, [postDeleted(change, origin), ...shares.map((share) => shareChanged(share, origin))]);
        return { change, own };
      }),

    /** The newest activities of each author below one, in the order of the authors: one index range an author. */
    activities: (authorIds: readonly bigint[], before: bigint, limit: number): Promise<bigint[][]> =>
      activitiesIn(
        db,
        authorIds,
        `${before === 0n ? "" : `AND activity_id < ${before}`} ORDER BY activity_id DESC`,
        limit,
      ),

    /** Those of each author just above one; newest first, too. */
    activitiesAbove: (authorIds: readonly bigint[], after: bigint, limit: number): Promise<bigint[][]> =>
      activitiesIn(db, authorIds, `AND activity_id > ${after} ORDER BY activity_id`, limit),
  };
}

/** Activities of each author from one index range, newest first. */
async function activitiesIn(
  db: Statements,
  authorIds: readonly bigint[],
  range: string,
  limit: number,
): Promise<bigint[][]> {
  if (authorIds.length === 0) return [];
  const one = `(SELECT author_id, activity_id FROM activity WHERE author_id = ? AND deleted = 0 ${range} LIMIT ${limit})`; // PRIMARY
  const lists = new Map<bigint, bigint[]>(authorIds.map((id) => [id, []]));
  const rows = await db.query(Array.from(lists, () => one).join(" UNION ALL "), [...lists.keys()]);
  for (const row of rows) lists.get(bigintOf(row.author_id))?.push(bigintOf(row.activity_id));
  return authorIds.map((id) => (lists.get(id) ?? []).sort((a, b) => (a > b ? -1 : 1)));
}

async function postsById(db: Statements, ids: readonly bigint[]): Promise<Map<bigint, StoredPost>> {
  const rows = await db.query(`SELECT ${postColumns} FROM post WHERE id IN (?)`, [[0n, ...ids]]);
  const posts = rows.map(postOf);
  const [named, passedOn, quotes] = await Promise.all([
    mentionsOf(db, posts.filter(isForNamed)),
    originalsOf(db, posts),
    quotedIn(db, posts),
  ]);
  return new Map(
    posts.map((post) => {
      const [reposted, quoted] = [passedOn.get(post.id), quotes.get(post.id)];
      const mentionedIds = named.get(post.id) ?? [];
      return [post.id, { ...post, mentionedIds, ...(reposted && { reposted }), ...(quoted && { quoted }) }];
    }),
  );
}

/** What reposts pass on. Who wrote it is asked for where a repost of an older release does not say. */
async function originalsOf(db: Statements, posts: readonly PostRow[]): Promise<ReadonlyMap<bigint, Reposted>> {
  const all = posts.flatMap(({ id, content }) => {
    const reposted = repostedIn(content);
    return reposted === undefined ? [] : [[id, reposted] as const];
  });
  const unsaid = all.flatMap(([, { postId, authorId }]) => (authorId === 0n ? [postId] : []));
  if (unsaid.length === 0) return new Map(all);
  const rows = await db.query("SELECT id, author_id FROM post WHERE id IN (?)", [unsaid]); // PRIMARY
  const authors = new Map(rows.map((row) => [bigintOf(row.id), bigintOf(row.author_id)]));
  return new Map(
    all.map(([id, { postId, authorId }]) => [id, { postId, authorId: authorId || (authors.get(postId) ?? 0n) }]),
  );
}

function orDuplicate(reason: unknown): undefined {
  if (!isDuplicate(reason)) throw reason;
}

/** What stands under a key that was used before. Another request under it is refused. */
async function madeBefore(db: Statements, keyed: NewPost): Promise<StoredPost> {
  const id = await madeUnder(db, asked(keyed), "post_id");
  const post = (await postsById(db, [id])).get(id);
  if (post === undefined) throw notFound("post");
  return post;
}

/** Whom posts name; asked only where that decides something. */
async function mentionsOf(db: Statements, posts: readonly { readonly id: bigint }[]): Promise<Map<bigint, bigint[]>> {
  const named = new Map<bigint, bigint[]>(posts.map(({ id }) => [id, []]));
  if (named.size === 0) return named;
  const rows = await db.query("SELECT post_id, user_id FROM post_mention WHERE post_id IN (?)", [[...named.keys()]]); // PRIMARY
  for (const row of rows) named.get(bigintOf(row.post_id))?.push(bigintOf(row.user_id));
  return named;
}
