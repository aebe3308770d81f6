import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { FeedItem } from "#gen/skein/feed/v1/feed_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { homeTimelines } from "#lib/readmodel/families.ts";
import { lag, lagOf } from "#lib/readmodel/lag.ts";
import { sliceOf } from "#lib/readmodel/timeline.ts";
import { bigintOf } from "#lib/storage/mysql.ts";

/** All four services, and the words in which tests of feeds speak: people, follows, posts, and what SQL says of them. */
export type World = Awaited<ReturnType<typeof openWorld>>;

/** More than any test has. */
const pagesMax = 1_000;
/** A service that has just begun has few connections. */
const atOnce = 20;
/** As many as were asked for; the first ones by name. */
type People = [string, string, string, string, ...string[]];

export async function openWorld(
  env: Readonly<Record<string, string | undefined>>,
  told: Readonly<Record<string, string>> = {},
) {
  const place = scratch(env);
  const nouns = ["graph", "user", "post", "like", "comment", "feed"] as const;
  const system = await boot(place, nouns, { env: told }).catch(async (reason) => {
    await place.close();
    throw reason;
  });
  const { as, redis, operator } = system;
  const { graph, post, feed } = system.clients;
  const seen = reading(system);
  let names = 0;

  return {
    home: seen.home,
    above: seen.above,
    author: seen.author,
    truth: seen.truth,
    authorTruth: seen.authorTruth,
    timeline: seen.timeline,
    system,
    deployment: place.deployment,
    feed,
    as,
    flush: system.flush,
    follow: (viewer: string, userId: string) => graph.followUser({ userId }, as(viewer)),
    unfollow: (viewer: string, userId: string) => graph.unfollowUser({ userId }, as(viewer)),
    remove: (author: string, postId: string) => post.deletePost({ postId }, as(author)),

    async people(count: number): Promise<People> {
      const users = Array.from({ length: count }, () => ({ username: `person_${++names}` }));
      const { userIds } = await operator.user.importUsers({ users }, as());
      for (let nth = 0; nth < userIds.length; nth += atOnce) {
        const some = userIds.slice(nth, nth + atOnce);
        await Promise.all(some.map((userId) => graph.createAccount({ userId }, as())));
      }
      return userIds as People;
    },

    async post(author: string): Promise<string> {
      const made = await post.createPost({ text: "words", idempotencyKey: `create-${++names}` }, as(author));
      return made.post?.id ?? "";
    },

    async importPosts(posts: readonly { authorId: string; timeMs: number }[]): Promise<void> {
      const wanted = posts.map(({ authorId, timeMs }) => ({
        authorId,
        text: `of ${timeMs}`,
        createTime: timestampFromMs(timeMs),
        idempotencyKey: `import-${++names}`,
      }));
      await operator.post.importPosts({ posts: wanted }, as());
    },

    /** Waits until every post is in the timelines it belongs to: all facts are heard, no task is left, no lag. */
    fannedOut: (): Promise<void> =>
      until("everything is fanned out", async () => {
        if (!(await allHeard(system))) return false;
        const tasks = await system.db("feed").query("SELECT 1 FROM fanout_task LIMIT 1");
        const pipeline = redis.pipeline();
        lag.read(redis, pipeline);
        return tasks.length === 0 && lagOf((await redis.run(pipeline))[0]).length === 0;
      }),

    async close(): Promise<void> {
      await system.stop();
      await place.close();
    },
  };
}

/** Whether feed's place in each shard is where post's numbers end. */
async function allHeard({ db }: Booted<"graph" | "user" | "post" | "feed">): Promise<boolean> {
  const unnumbered = await db("post").query("SELECT 1 FROM outbox WHERE position IS NULL LIMIT 1");
  if (unnumbered.length > 0) return false;
  const told = await db("post").query("SELECT shard, position FROM relay");
  const heard = await db("feed").query("SELECT shard, position FROM place WHERE stream = 'post'");
  const places = new Map(heard.map(({ shard, position }) => [shard, bigintOf(position)]));
  return told.every(({ shard, position }) => (places.get(shard) ?? 0n) >= bigintOf(position));
}

/** What is seen: through the door of feed, in Redis, and in truth. */
function reading(system: Booted<"graph" | "user" | "post" | "feed">) {
  const { as, redis } = system;
  const { feed } = system.clients;

  async function pages(
    ask: (pageToken: string) => Promise<{ items: FeedItem[]; nextPageToken: string }>,
  ): Promise<string[]> {
    const ids: string[] = [];
    let pageToken = "";
    for (let page = 0; page < pagesMax; page++) {
      const { items, nextPageToken } = await ask(pageToken);
      ids.push(...items.map(({ activityId }) => activityId));
      if (nextPageToken === "") return ids;
      pageToken = nextPageToken;
    }
    throw new Error(`a feed of more than ${pagesMax} pages`);
  }

  async function standing(authorIds: readonly string[]): Promise<string[]> {
    const rows = await system
      .db("post")
      .query("SELECT id FROM post WHERE author_id IN (?) AND deleted = 0 ORDER BY id DESC", [authorIds]);
    return rows.map(({ id }) => String(id));
  }

  return {
    /** The whole home feed, page by page. */
    home: (viewer: string, pageSize = 100): Promise<string[]> =>
      pages((pageToken) => feed.listHomeFeed({ pageSize, pageToken }, as(viewer))),

    /** All of the home feed above a place, page by page upwards; newest first. */
    async above(viewer: string, place: string, pageSize = 100): Promise<string[]> {
      const ids: string[] = [];
      for (let after = place; after !== ""; ) {
        const { items, newerPageToken } = await feed.listHomeFeed({ pageSize, after }, as(viewer));
        ids.unshift(...items.map(({ activityId }) => activityId));
        if (ids.length > pagesMax * pageSize) throw new Error("a feed without a top");
        after = newerPageToken;
      }
      return ids;
    },

    /** The whole page of an author, as anyone sees it. */
    author: (authorId: string, pageSize = 100): Promise<string[]> =>
      pages((pageToken) => feed.listAuthorFeed({ authorId, pageSize, pageToken }, as())),

    authorTruth: (authorId: string): Promise<string[]> => standing([authorId]),

    /** What a home feed must be, from SQL alone. */
    async truth(viewer: string): Promise<string[]> {
      const rows = await system
        .db("graph")
        .query("SELECT followee_id FROM follow WHERE follower_id = ? AND following = 1", [viewer]);
      return standing([viewer, ...rows.map(({ followee_id }) => String(followee_id))]);
    },

    /** A timeline as it stands in Redis. */
    async timeline(viewer: string): Promise<{ ids: string[]; sealed: boolean }> {
      const pipeline = redis.pipeline();
      homeTimelines.readHead(redis, pipeline, BigInt(viewer), 1_000);
      const { entries, seal } = sliceOf((await redis.run(pipeline))[0]);
      return { ids: entries.map(({ activityId }) => String(activityId)), sealed: seal !== undefined };
    },
  };
}
