import type { CallOptions } from "@connectrpc/connect";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { type MemberSet, membersIn } from "#lib/readmodel/member-set.ts";
import type { Looked } from "./look.ts";
import type { Truth } from "./truth.ts";

/** What stands beside a post: how many like it and comment on it, and whether the viewer likes it. */
export type Reactions = { readonly likeCount: number; readonly commentCount: number; readonly liked: boolean };

/** The posts of a page, which of them are shown, and what Redis said of all. */
type Asked = Pick<Looked, "likes" | "comments" | "liked"> & {
  readonly postIds: readonly bigint[];
  readonly shown: readonly number[];
  readonly viewerId: bigint | undefined;
};

const likeCountCounts = cacheCounts("like_count");
const commentCountCounts = cacheCounts("comment_count");
const likedSetCounts = cacheCounts("liked_set");

/** The reactions to the posts that are shown, in their order; what Redis lacks is asked from its owners, who leave it there. */
export async function reactionsOf(
  truth: Truth,
  { postIds, shown, likes, comments, liked, viewerId }: Asked,
  options: CallOptions,
): Promise<Reactions[]> {
  tell(likeCountCounts, likes);
  tell(commentCountCounts, comments);
  const set = viewerId === undefined ? nobodys : await likedBy(truth, viewerId, postIds, liked, options);
  const idOf = (nth: number) => postIds[nth] as bigint;
  const unsure = shown.filter((nth) => likes[nth] === undefined || idOf(nth) < set.lowWatermark).map(idOf);
  const uncounted = shown.filter((nth) => comments[nth] === undefined).map(idOf);
  const [fromLike, fromComment] = await Promise.all([
    truth.likes(unsure, options),
    truth.commentCounts(uncounted, options),
  ]);
  return shown.map((nth) => {
    const id = idOf(nth);
    return {
      likeCount: fromLike.get(id)?.count ?? likes[nth] ?? 0,
      commentCount: fromComment.get(id) ?? comments[nth] ?? 0,
      liked: id < set.lowWatermark ? (fromLike.get(id)?.liked ?? false) : set.ids.has(id),
    };
  });
}

function tell(counts: ReturnType<typeof cacheCounts>, values: readonly (number | undefined)[]): void {
  const hits = values.filter((value) => value !== undefined).length;
  counts(hits, values.length - hits);
}

/** What the viewer likes of the posts: by the set in Redis, or by truth where there is none. */
async function likedBy(
  truth: Truth,
  viewerId: bigint,
  postIds: readonly bigint[],
  answer: unknown,
  options: CallOptions,
): Promise<MemberSet> {
  const kept = membersIn(answer, postIds);
  likedSetCounts(kept === undefined ? 0 : 1, kept === undefined ? 1 : 0);
  return kept ?? (await truth.likedSet(viewerId, options));
}

/** Whom nobody knows likes nothing. */
const nobodys: MemberSet = { version: 0n, lowWatermark: 0n, ids: new Set() };
