import { setTimeout as sleep } from "node:timers/promises";
import { AuthorFilter, type FeedItem } from "#gen/skein/feed/v1/feed_pb.ts";
import { insist, type Operator } from "../operator.ts";
import type { Oracle } from "../oracle.ts";

/** What is wrong with what somebody is shown; ids of posts, but for `profile`. All but `media` is shown from read models. */
export type Wrong = {
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  /** Posts are shown out of order, or twice. */
  readonly isDisordered: boolean;
  /** Shown with other likes, comments, reposts, quotes, saves, own like or own repost than there are. */
  readonly reactions: readonly string[];
  /** Among one's own posts with media, and without any; or not among them, though with media. */
  readonly media: readonly string[];
  /** Follower and following counts are not those of the rows. */
  readonly profile: boolean;
};

/** What was written between two reads is no error, and counts are folded a moment later: the two must differ so often. */
const looksMax = 4;
const againMs = 500;
const pageSize = 100;

/** Holds all that one person is shown to what counting rows says; undefined where it is right. */
export async function lookAt(operator: Operator, oracle: Oracle, userId: string): Promise<Wrong | undefined> {
  for (let looks = 1; ; looks++) {
    const wrong = await look(operator, oracle, userId);
    const posts = [wrong.missing, wrong.extra, wrong.reactions, wrong.media].flat();
    const isRight = posts.length === 0 && !wrong.isDisordered && !wrong.profile;
    if (isRight) return undefined;
    if (looks === looksMax) return wrong;
    await sleep(againMs);
  }
}

async function look(operator: Operator, oracle: Oracle, userId: string): Promise<Wrong> {
  const viewerId = BigInt(userId);
  const [items, withMedia] = await Promise.all([feedOf(operator, userId), mediaOf(operator, userId)]);
  const [due, dueWithMedia, followers, following, account] = await Promise.all([
    oracle.home(viewerId),
    oracle.withMedia(viewerId),
    oracle.followers(viewerId),
    oracle.following(viewerId),
    insist((options) => operator.graph.batchGetAccounts({ userIds: [userId] }, options)),
  ]);
  const shown = items.map(({ activityId }) => activityId);
  const [is, should] = [new Set(shown), new Set(due)];
  const { followerCount, followingCount } = account.accounts[0] ?? {};
  const extra = items.filter(({ activityId }) => !should.has(activityId));
  const rest = items.filter(({ activityId }) => should.has(activityId));
  return {
    missing: due.filter((id) => !is.has(id)),
    // Of a repost its activity, and the post.
    extra: [...new Set(extra.flatMap(({ activityId, postId }) => [activityId, postId]))],
    isDisordered: shown.some((id, nth) => nth > 0 && BigInt(id) >= BigInt(shown[nth - 1] as string)),
    reactions: await wrongBeside(rest, oracle, viewerId),
    media: inOneAlone(withMedia, dueWithMedia),
    profile: Number(followerCount) !== followers || Number(followingCount) !== following,
  };
}

const inOneAlone = (a: readonly string[], b: readonly string[]): string[] => {
  const [inA, inB] = [new Set(a), new Set(b)];
  return [...a.filter((id) => !inB.has(id)), ...b.filter((id) => !inA.has(id))];
};

/** Posts that are shown with other numbers, or as another's own, than rows say. */
async function wrongBeside(items: readonly FeedItem[], oracle: Oracle, viewerId: bigint): Promise<string[]> {
  const ids = items.map(({ postId }) => BigInt(postId));
  const [counts, shares, liked, reposted] = await Promise.all([
    oracle.counts(ids),
    oracle.shares(ids),
    oracle.liked(viewerId),
    oracle.reposted(viewerId),
  ]);
  const isWrong = (item: FeedItem, nth: number): boolean => {
    const { postId, likeCount, commentCount, repostCount, quoteCount, saveCount } = item;
    const numbers = [likeCount, commentCount, repostCount, quoteCount, saveCount].map(Number);
    const right = [...(counts[nth] ?? []).slice(1), ...(shares[nth] ?? []).slice(1)];
    const isOwnRight = item.liked === liked.has(postId) && item.reposted === reposted.has(postId);
    return !isOwnRight || numbers.some((number, at) => number !== right[at]);
  };
  return items.filter(isWrong).map(({ postId }) => postId);
}

/** The whole feed, as its owner is answered. What reposts bring to several pages is taken once, where it is newest. */
async function feedOf({ feed }: Operator, userId: string): Promise<FeedItem[]> {
  const pages = walked((pageToken) => insist((options) => feed.listHomeFeed({ pageSize, pageToken }, options), userId));
  const items = new Map<string, FeedItem>();
  for await (const item of pages) if (!items.has(item.postId)) items.set(item.postId, item);
  return [...items.values()];
}

/** The posts with media on somebody's own page, as they are answered. */
async function mediaOf({ feed }: Operator, userId: string): Promise<string[]> {
  const asked = { authorId: userId, filter: AuthorFilter.MEDIA, pageSize };
  const pages = walked((pageToken) =>
    insist((options) => feed.listAuthorFeed({ ...asked, pageToken }, options), userId),
  );
  const ids: string[] = [];
  for await (const { postId } of pages) ids.push(postId);
  return ids;
}

type Page = { readonly items: readonly FeedItem[]; readonly nextPageToken: string };

async function* walked(ask: (pageToken: string) => Promise<Page>): AsyncGenerator<FeedItem> {
  for (let pageToken = ""; ; ) {
    const page = await ask(pageToken);
    yield* page.items;
    pageToken = page.nextPageToken;
    if (pageToken === "") return;
  }
}
