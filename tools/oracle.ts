import { bigintOf, type Db, openMysql } from "#lib/storage/mysql.ts";

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

  async function activitiesOf(authorIds: readonly bigint[]): Promise<string[]> {
    const rows = await post.query(
      "SELECT a.activity_id FROM activity a JOIN post p ON p.id = a.post_id WHERE a.author_id IN (?) AND p.deleted = 0 ORDER BY a.activity_id DESC",
      [[0n, ...authorIds]],
    );
    return rows.map((row) => String(row.activity_id));
  }

  return {
    /** Activity ids of a home feed, newest first, all of it. */
    async home(viewerId: bigint): Promise<string[]> {
      const rows = await graph.query(
        "SELECT f.followee_id FROM follow f JOIN account a ON a.user_id = f.followee_id AND a.state = 1 WHERE f.follower_id = ? AND f.following = 1",
        [viewerId],
      );
      return activitiesOf([viewerId, ...rows.map((row) => bigintOf(row.followee_id))]);
    },

    /** Activity ids of an author's page, newest first, all of it. */
    author: (authorId: bigint): Promise<string[]> => activitiesOf([authorId]),

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
      const rows = await like.query("SELECT subject_id FROM reaction WHERE user_id = ? AND reaction = 1", [viewerId]);
      return new Set(rows.map((row) => String(row.subject_id)));
    },

    /** Posts with how many like them and how many comments they have, by counting. */
    async counts(postIds: readonly bigint[]): Promise<[id: string, likes: number, comments: number][]> {
      const counted = async (db: Db, sql: string) =>
        new Map((await db.query(sql, [[0n, ...postIds]])).map((row) => [String(row.id), Number(row.n)]));
      const [likes, comments] = await Promise.all([
        counted(
          like,
          "SELECT subject_id AS id, COUNT(*) AS n FROM reaction WHERE subject_id IN (?) AND reaction = 1 GROUP BY subject_id",
        ),
        counted(
          comment,
          "SELECT post_id AS id, COUNT(*) AS n FROM comment WHERE post_id IN (?) AND deleted = 0 GROUP BY post_id",
        ),
      ]);
      return postIds.map(String).map((id) => [id, likes.get(id) ?? 0, comments.get(id) ?? 0]);
    },

    close: async (): Promise<void> => {
      await Promise.all([graph.close(), post.close(), like.close(), comment.close()]);
    },
  };
}
