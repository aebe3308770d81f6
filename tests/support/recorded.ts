import { randomUUID } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createLanes, insist, type Operator } from "../../tools/operator.ts";
import type { Random } from "../../tools/seed/random.ts";

/** The moments between which something happened. */
export type Span = { readonly fromMs: number; readonly toMs: number };
/** What happened to a pair of people last. */
export type FollowChange = Span & { readonly following: boolean };
/** A post: when it was made, by whom, and how many followed its author then. */
export type RecordedPost = Span & { readonly id: string; readonly author: string; readonly followers: number };

export type Recorded = Awaited<ReturnType<typeof recordedHistory>>;

/** A clock beside the database's: both are of this machine, but a TIMESTAMP is rounded. */
const slackMs = 2;
const callsAtOnce = 4;
/** More than any feed here has. */
const pagesMax = 100;

/** Makes people do things, one after another, and notes what they did and when: what explanations are held to. */
export async function recordedHistory(operator: Operator, random: Random, size: number) {
  const users = Array.from({ length: size }, () => ({ username: `e${randomUUID().replaceAll("-", "").slice(0, 20)}` }));
  const { userIds: people } = await insist((options) => operator.user.importUsers({ users }, options));
  for (const userId of people) await insist((options) => operator.graph.createAccount({ userId }, options));
  const follows = new Map<string, FollowChange>();
  const posts: RecordedPost[] = [];
  const deletes = new Map<string, Span>();
  /** Reads of each viewer's home feed from its top: a timeline is made in one of them. */
  const reads = new Map<string, Span[]>();

  const followersOf = (author: string): number =>
    people.filter((viewer) => follows.get(`${viewer} ${author}`)?.following).length;

  async function home(viewer: string): Promise<Set<string>> {
    const ids = new Set<string>();
    const span = await spanOf(async () => {
      let pageToken = "";
      for (let page = 0; page < pagesMax; page++) {
        const request = { pageSize: 100, pageToken };
        const answer = await insist((options) => operator.feed.listHomeFeed(request, options), viewer);
        for (const { postId } of answer.items) ids.add(postId);
        pageToken = answer.nextPageToken;
        if (pageToken === "") return;
      }
      throw new Error(`a feed of more than ${pagesMax} pages`);
    });
    reads.set(viewer, [...(reads.get(viewer) ?? []), span]);
    return ids;
  }

  return {
    people,
    follows,
    posts,
    deletes,
    reads,
    home,

    async change(viewer: string, author: string, following: boolean): Promise<void> {
      const known = follows.get(`${viewer} ${author}`)?.following ?? false;
      if (viewer === author || known === following) return;
      const { followUser, unfollowUser } = operator.graph;
      const request = { userId: author };
      const span = await spanOf(() =>
        insist<unknown>((options) => (following ? followUser : unfollowUser)(request, options), viewer),
      );
      follows.set(`${viewer} ${author}`, { ...span, following });
    },

    async post(author: string): Promise<void> {
      const request = { text: "words", idempotencyKey: randomUUID() };
      let id = "";
      const span = await spanOf(async () => {
        id = (await insist((options) => operator.post.createPost(request, options), author)).post?.id ?? "";
      });
      posts.push({ ...span, id, author, followers: followersOf(author) });
    },

    async remove({ id: postId, author }: RecordedPost): Promise<void> {
      const span = await spanOf(() => insist((options) => operator.post.deletePost({ postId }, options), author));
      deletes.set(postId, span);
    },

    /** Old posts, a minute apart; the ids are read back from the author's page. */
    async importOld(author: string, count: number, nowMs: number): Promise<void> {
      const old = Array.from({ length: count }, (_, nth) => ({
        authorId: author,
        text: `words ${nth}`,
        createTime: timestampFromMs(nowMs - 86_400_000 - nth * 60_000),
        idempotencyKey: `old-${nth}`,
      }));
      const span = await spanOf(() => insist((options) => operator.post.importPosts({ posts: old }, options)));
      const request = { authorIds: [BigInt(author)], limit: 800 };
      const { lists } = await insist((options) => operator.post.batchListActivities(request, options));
      const ids = (lists[0]?.activityIds ?? []).map(String);
      posts.push(...ids.map((id) => ({ ...span, id, author, followers: followersOf(author) })));
    },

    somebody: (): string => random.pick(people as [string, ...string[]]),

    /** A few calls at once, over a list. */
    async each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
      const lanes = createLanes(callsAtOnce);
      for (const item of items) await lanes.run(() => work(item));
      await lanes.drain();
    },
  };
}

async function spanOf(work: () => Promise<unknown>): Promise<Span> {
  const fromMs = Date.now() - slackMs;
  await work();
  return { fromMs, toMs: Date.now() + slackMs };
}
