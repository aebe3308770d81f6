import { fromBinary } from "@bufbuild/protobuf";
import { PostContentSchema } from "#gen/skein/post/v1/content_pb.ts";
import { bigintOf, type Db, openMysql, type Row } from "#lib/storage/mysql.ts";

/**
 * What a viewer must see now, from MySQL alone, by brute force: the measure of every feed. It reads the services' own
 * tables, so it knows nothing of caches, events or fan-out.
 */
export type Oracle = ReturnType<typeof openOracle>;

export function openOracle({ url, deployment }: { url: string; deployment: string }) {
  const open = (noun: string): Db => openMysql({ url, database: `${deployment}_${noun}` });
  const graph = open("graph");
  const post = open("post");
  const like = open("like");
  const comment = open("comment");

  /**
   * What some authors made public and did not delete, newest first, as far as a viewer may see it. A post is there once, where it is
   * newest: by itself, or by somebody who passed it on.
   */
  async function seen(viewerId: bigint | undefined, authorIds: readonly bigint[], atHome: boolean): Promise<string[]> {
    const rows = await post.query(
      "SELECT a.activity_id, a.author_id, p.id, p.audience, r.post_id AS original_id, o.author_id AS original_author_id, o.audience AS original_audience, o.deleted AS original_deleted FROM activity a JOIN post p ON p.id = a.post_id LEFT JOIN repost r ON r.user_id = a.author_id AND r.repost_id = a.activity_id LEFT JOIN post o ON o.id = r.post_id WHERE a.author_id IN (?) AND p.deleted = 0 ORDER BY a.activity_id DESC",
      [[0n, ...authorIds]],
    );
    const originalAuthorIds = rows.map((row) => bigintOf(row.original_author_id));
    const people = await peopleFor(graph, viewerId, [...authorIds, ...originalAuthorIds]);
    const named = await namedIn(post, viewerId);
    const maySee = (id: unknown, authorId: bigint, audience: unknown): boolean => {
      const author = people.get(authorId);
      if (author === undefined || authorId === viewerId) return author !== undefined;
      return author.isOpen && !author.isBarred && isFor(Number(audience), author, named.has(String(id)));
    };
    const isHome = (authorId: bigint): boolean =>
      authorId === viewerId || (people.get(authorId)?.isFollowed === true && !people.get(authorId)?.isMuted);
    const met = new Set<string>();
    return rows.flatMap((row) => {
      const authorId = bigintOf(row.author_id);
      if (!maySee(row.id, authorId, row.audience) || (atHome && !isHome(authorId))) return [];
      if (row.original_id !== null) {
        const original = bigintOf(row.original_author_id);
        const isMuted = original !== viewerId && people.get(original)?.isMuted;
        if (Number(row.original_deleted) === 1 || isMuted) return [];
        if (!maySee(row.original_id, original, row.original_audience)) return [];
      }
      const shown = String(row.original_id ?? row.id);
      if (met.has(shown)) return [];
      met.add(shown);
      return [String(row.activity_id)];
    });
  }

  return {
    /** Activity ids of a home feed, newest first, all of it. */
    async home(viewerId: bigint): Promise<string[]> {
      const rows = await graph.query("SELECT followee_id FROM follow WHERE follower_id = ? AND following = 1", [
        viewerId,
      ]);
      return seen(viewerId, [viewerId, ...rows.map((row) => bigintOf(row.followee_id))], true);
    },

    /** Activity ids of an author's page as somebody sees it, newest first, all of it: as the author does, unless said. */
    author: (authorId: bigint, viewerId: bigint | undefined = authorId): Promise<string[]> =>
      seen(viewerId, [authorId], false),

    /** The same as nobody who is signed in sees it. */
    authorToStrangers: (authorId: bigint): Promise<string[]> => seen(undefined, [authorId], false),

    /**
     * How far somebody gets with an account: whether they find it, meet what it says and does, and may see whom it follows and
     * who follows it.
     */
    async account(
      userId: bigint,
      viewerId: bigint | undefined,
    ): Promise<{ isFound: boolean; isMet: boolean; showsFollows: boolean }> {
      const person = (await peopleFor(graph, viewerId, [userId])).get(userId);
      const isOwn = userId === viewerId && person?.isGone === false;
      const isFound = isOwn || (person?.isOpen === true && !person.hasBarred);
      const isMet = isOwn || (isFound && person?.isBarred === false);
      return { isFound, isMet, showsFollows: isOwn || (isMet && (person?.isFollowed || !person?.isPrivate)) };
    },

    /** How many follow an account, by counting. */
    async followers(userId: bigint): Promise<number> {
      const [row] = await graph.query("SELECT COUNT(*) AS n FROM follow WHERE followee_id = ? AND following = 1", [
        userId,
      ]);
      return Number(row?.n);
    },

    /** How many an account follows, by counting. */
    async following(userId: bigint): Promise<number> {
      const [row] = await graph.query("SELECT COUNT(*) AS n FROM follow WHERE follower_id = ? AND following = 1", [
        userId,
      ]);
      return Number(row?.n);
    },

    /** The posts a viewer likes. */
    async liked(viewerId: bigint): Promise<ReadonlySet<string>> {
      const rows = await like.query(
        "SELECT subject_id FROM reaction WHERE user_id = ? AND subject_kind = 1 AND reaction = 1",
        [viewerId],
      );
      return new Set(rows.map((row) => String(row.subject_id)));
    },

    /** Posts with how many like them and how many comments they have, by counting. */
    async counts(postIds: readonly bigint[]): Promise<[id: string, likes: number, comments: number][]> {
      const counted = async (db: Db, sql: string) =>
        new Map((await db.query(sql, [[0n, ...postIds]])).map((row) => [String(row.id), Number(row.n)]));
      const [likes, comments] = await Promise.all([
        counted(
          like,
          "SELECT subject_id AS id, COUNT(*) AS n FROM reaction WHERE subject_id IN (?) AND subject_kind = 1 AND reaction = 1 GROUP BY subject_id",
        ),
        counted(
          comment,
          "SELECT post_id AS id, COUNT(*) AS n FROM comment WHERE post_id IN (?) AND deleted = 0 AND hidden = 0 GROUP BY post_id",
        ),
      ]);
      return postIds.map(String).map((id) => [id, likes.get(id) ?? 0, comments.get(id) ?? 0]);
    },

    /** Posts with how many reposted, quote and keep them, by counting. */
    async shares(postIds: readonly bigint[]): Promise<[id: string, reposts: number, quotes: number, saves: number][]> {
      const counted = async (sql: string) =>
        new Map((await post.query(sql, [[0n, ...postIds]])).map((row) => [String(row.id), Number(row.n)]));
      const [reposts, quotes, saves] = await Promise.all([
        counted("SELECT post_id AS id, COUNT(*) AS n FROM repost WHERE post_id IN (?) AND ended = 0 GROUP BY post_id"),
        counted(
          "SELECT quoted_id AS id, COUNT(*) AS n FROM quote WHERE quoted_id IN (?) AND detached = 0 GROUP BY quoted_id",
        ),
        counted("SELECT post_id AS id, COUNT(*) AS n FROM save WHERE post_id IN (?) AND saved = 1 GROUP BY post_id"), // of_post
      ]);
      return postIds.map(String).map((id) => [id, reposts.get(id) ?? 0, quotes.get(id) ?? 0, saves.get(id) ?? 0]);
    },

    /** An author's posts with media, newest first, by what the posts themselves hold. */
    async withMedia(authorId: bigint): Promise<string[]> {
      const rows = await post.query(
        "SELECT p.id, p.content FROM activity a JOIN post p ON p.id = a.post_id WHERE a.author_id = ? AND p.deleted = 0 AND p.content IS NOT NULL ORDER BY p.id DESC", // PRIMARY of both
        [authorId],
      );
      const media = (row: Row) => fromBinary(PostContentSchema, row.content as Buffer).media;
      return rows.filter((row) => media(row).length > 0).map((row) => String(row.id));
    },

    /** The posts a viewer reposted. */
    async reposted(viewerId: bigint): Promise<ReadonlySet<string>> {
      const rows = await post.query("SELECT post_id FROM repost WHERE user_id = ? AND ended = 0", [viewerId]);
      return new Set(rows.map((row) => String(row.post_id)));
    },

    close: async (): Promise<void> => {
      await Promise.all([graph.close(), post.close(), like.close(), comment.close()]);
    },
  };
}

/** An author as one viewer stands to them. */
type Author = {
  readonly isOpen: boolean;
  readonly isGone: boolean;
  readonly isPrivate: boolean;
  readonly isFollowed: boolean;
  /** One of the two blocks the other. */
  readonly isBarred: boolean;
  /** The author blocks the viewer. */
  readonly hasBarred: boolean;
  readonly isMuted: boolean;
  /** The author counts the viewer among their close friends. */
  readonly isFriendOf: boolean;
};

/** The rule in words of its own: a mistake in that of the services is not made here again. */
function isFor(audience: number, { isPrivate, isFollowed, isFriendOf }: Author, isNamed: boolean): boolean {
  if (audience === 1) return isFollowed || !isPrivate;
  if (audience === 2) return isFollowed;
  if (audience === 3) return isFriendOf;
  return audience === 4 && isNamed;
}

async function peopleFor(
  graph: Db,
  viewerId: bigint | undefined,
  authorIds: readonly bigint[],
): Promise<Map<bigint, Author>> {
  const among = [0n, ...authorIds];
  const [accounts, follows, ties] = await Promise.all([
    graph.query("SELECT user_id, state, private FROM account WHERE user_id IN (?)", [among]),
    graph.query("SELECT followee_id FROM follow WHERE follower_id = ? AND following = 1 AND followee_id IN (?)", [
      viewerId ?? 0n,
      among,
    ]),
    graph.query("SELECT other_id, kind FROM tie WHERE user_id = ? AND held = 1 AND other_id IN (?)", [
      viewerId ?? 0n,
      among,
    ]),
  ]);
  const followed = new Set(follows.map((row) => String(row.followee_id)));
  const tied = new Set(ties.map((row) => `${row.other_id} ${row.kind}`));
  return new Map(
    accounts.map((row) => {
      const id = String(row.user_id);
      const author = {
        isOpen: Number(row.state) === 1,
        isGone: Number(row.state) === 4,
        isPrivate: Number(row.private) === 1,
        isFollowed: followed.has(id),
        isBarred: tied.has(`${id} 1`) || tied.has(`${id} 2`),
        hasBarred: tied.has(`${id} 2`),
        isMuted: tied.has(`${id} 3`),
        isFriendOf: tied.has(`${id} 4`),
      };
      return [BigInt(id), author];
    }),
  );
}

/** The posts that name somebody. */
async function namedIn(post: Db, userId: bigint | undefined): Promise<ReadonlySet<string>> {
  const rows = await post.query("SELECT post_id FROM post_mention WHERE user_id = ?", [userId ?? 0n]);
  return new Set(rows.map((row) => String(row.post_id)));
}
