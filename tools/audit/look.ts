import { setTimeout as sleep } from "node:timers/promises";
import { insist, type Operator } from "../operator.ts";
import type { Oracle } from "../oracle.ts";

/** What is wrong with what somebody is shown; ids of posts, but for `profile`. */
export type Wrong = {
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  /** Posts are shown out of order, or twice. */
  readonly isDisordered: boolean;
  /** Shown with other likes, comments or own like than there are. */
  readonly reactions: readonly string[];
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
    const isRight =
      wrong.missing.length + wrong.extra.length + wrong.reactions.length === 0 && !wrong.isDisordered && !wrong.profile;
    if (isRight) return undefined;
    if (looks === looksMax) return wrong;
    await sleep(againMs);
  }
}

async function look(operator: Operator, oracle: Oracle, userId: string): Promise<Wrong> {
  const viewerId = BigInt(userId);
  const items = await feedOf(operator, userId);
  const [due, liked, followers, following, account] = await Promise.all([
    oracle.home(viewerId),
    oracle.liked(viewerId),
    oracle.followers(viewerId),
    oracle.following(viewerId),
    insist((options) => operator.graph.batchGetAccounts({ userIds: [userId] }, options)),
  ]);
  const shown = items.map(({ activityId }) => activityId);
  const [is, should] = [new Set(shown), new Set(due)];
  const counts = new Map((await oracle.counts(due.map(BigInt))).map(([id, ...of]) => [id, of]));
  const { followerCount, followingCount } = account.accounts[0] ?? {};
  return {
    missing: due.filter((id) => !is.has(id)),
    extra: shown.filter((id) => !should.has(id)),
    isDisordered: shown.some((id, nth) => nth > 0 && BigInt(id) >= BigInt(shown[nth - 1] as string)),
    reactions: items
      .filter(({ activityId }) => should.has(activityId))
      .filter(({ activityId, likeCount, commentCount, liked: own }) => {
        const [likes, comments] = counts.get(activityId) ?? [];
        return Number(likeCount) !== likes || Number(commentCount) !== comments || own !== liked.has(activityId);
      })
      .map(({ activityId }) => activityId),
    profile: Number(followerCount) !== followers || Number(followingCount) !== following,
  };
}

/** The whole feed, as its owner is answered. */
async function feedOf(operator: Operator, userId: string) {
  const items = [];
  for (let pageToken = ""; ; ) {
    const page = await insist((options) => operator.feed.listHomeFeed({ pageSize, pageToken }, options), userId);
    items.push(...page.items);
    pageToken = page.nextPageToken;
    if (pageToken === "") return items;
  }
}
