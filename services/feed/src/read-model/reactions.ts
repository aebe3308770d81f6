import type { CallOptions } from "@connectrpc/connect";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { decodeCount } from "#lib/readmodel/count.ts";
import { type MemberSet, membersIn } from "#lib/readmodel/member-set.ts";
import type { Truth } from "./truth.ts";

/** What stands beside a post: how many like it and comment on it, and whether the viewer likes it. */
export type Reactions = { readonly likeCount: number; readonly commentCount: number; readonly liked: boolean };

/** Counts as they are kept, in the order of the posts. */
export type ReactionCounts = {
  readonly likes: readonly (Buffer | null)[];
  readonly comments: readonly (Buffer | null)[];
};

/** The posts of a page, those that are shown, and what Redis said of them; `liked` is the answer of the viewer's set. */
type Asked = {
  readonly postIds: readonly bigint[];
  readonly shown: ReadonlySet<bigint>;
  readonly counts: ReactionCounts;
  readonly liked: unknown;
  readonly viewerId: bigint | undefined;
};

const likeCountCounts = cacheCounts("like_count");
const commentCountCounts = cacheCounts("comment_count");
const likedSetCounts = cacheCounts("liked_set");

type Needs = { readonly truth: Truth };
/** The reactions to those of the posts that are shown; what Redis lacks is asked from its owners, who leave it there. */
export async function reactionsOf(
  { truth }: Needs,
  { postIds, shown, counts, liked, viewerId }: Asked,
  options: CallOptions,
): Promise<Map<bigint, Reactions>> {
  const likes = new Map<bigint, number>();
  const comments = new Map<bigint, number>();
  for (const [nth, id] of postIds.entries()) {
    const [like, comment] = [counts.likes[nth], counts.comments[nth]];
    if (like) likes.set(id, decodeCount(like).value);
    if (comment) comments.set(id, decodeCount(comment).value);
  }
  likeCountCounts(likes.size, postIds.length - likes.size);
  commentCountCounts(comments.size, postIds.length - comments.size);
  const set = viewerId === undefined ? nobodys : await likedBy(truth, viewerId, postIds, liked, options);
  const unsure = (id: bigint) => !likes.has(id) || id < set.lowWatermark;
  const [fromLike, fromComment] = await Promise.all([
    truth.likes([...shown].filter(unsure), options),
    truth.commentCounts(
      [...shown].filter((id) => !comments.has(id)),
      options,
    ),
  ]);
  const found = new Map<bigint, Reactions>();
  for (const id of shown) {
    found.set(id, {
      likeCount: fromLike.get(id)?.count ?? likes.get(id) ?? 0,
      commentCount: fromComment.get(id) ?? comments.get(id) ?? 0,
      liked: id < set.lowWatermark ? (fromLike.get(id)?.liked ?? false) : set.ids.has(id),
    });
  }
  return found;
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
