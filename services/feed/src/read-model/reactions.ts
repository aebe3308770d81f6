import type { CallOptions } from "@connectrpc/connect";
import type { ReplyRefusal } from "#gen/skein/comment/v1/comment_pb.ts";
import { Reaction } from "#gen/skein/like/v1/like_pb.ts";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { type Count, othersOf } from "#lib/readmodel/count.ts";
import { ownMark } from "#lib/readmodel/families.ts";
import type { MarkedSet } from "#lib/readmodel/member-set.ts";
import { type ThreadRule, threadBeside } from "#lib/readmodel/thread.ts";
import type { Looked } from "./look.ts";
import type { Truth } from "./truth.ts";

/** What stands beside a post: how many react to it and how, how many comment on it, and how the viewer reacts. */
export type Reactions = {
  readonly likeCount: number;
  readonly commentCount: number;
  readonly liked: boolean;
  /** Of those who do not like it, by ascending kind; kinds nobody has are left out. */
  readonly otherReactions: ReturnType<typeof othersOf>;
  readonly viewerReaction: Reaction;
  /** The viewer keeps it. */
  readonly saved: boolean;
  /** The viewer reposted it. */
  readonly reposted: boolean;
  /** Why the viewer may not reply to it. */
  readonly replyRefusal: ReplyRefusal;
  /** The counts are those that Redis had. */
  readonly isAsKept: boolean;
};

/** The posts of a page, which of them are shown, and what Redis said of all. */
type Asked = {
  readonly found: Looked;
  readonly postIds: readonly bigint[];
  readonly shown: readonly number[];
  readonly viewerId: bigint | undefined;
  /** By the place of a post in the page. */
  readonly refusalOf: (nth: number, thread: ThreadRule) => ReplyRefusal;
};

const likeCountCounts = cacheCounts("like_count");
const commentCountCounts = cacheCounts("comment_count");
const reactedSetCounts = cacheCounts("liked_set");
const ownSetCounts = cacheCounts("own_set");

/** The reactions to the posts that are shown, in their order; what Redis lacks is asked from its owners, who leave it there. */
export async function reactionsOf(
  truth: Truth,
  { found, postIds, shown, viewerId, refusalOf }: Asked,
  options: CallOptions,
): Promise<Reactions[]> {
  const likes = found.posts.map((post) => post.likes);
  const comments = found.posts.map((post) => post.comments);
  tell(likeCountCounts, likes);
  tell(commentCountCounts, comments);
  const [set, kept] =
    viewerId === undefined
      ? nobodys
      : await Promise.all([
          reactedBy(truth, viewerId, found.viewer.reacted, options),
          ownBy(truth, viewerId, found.viewer.own, options),
        ]);
  const idOf = (nth: number) => postIds[nth] as bigint;
  const unsure = shown.filter((nth) => likes[nth] === undefined || idOf(nth) < set.lowWatermark).map(idOf);
  const uncounted = shown.filter((nth) => comments[nth] === undefined).map(idOf);
  const unkept = shown.map(idOf).filter((id) => id < kept.lowWatermark);
  const [fromLike, fromPost, fromComment] = await Promise.all([
    truth.likes(unsure, options),
    truth.ownMarks(unkept, options),
    truth.commentCounts(uncounted, options),
  ]);
  return shown.map((nth) => {
    const id = idOf(nth);
    const told = fromLike.get(id);
    const counted = fromComment.get(id) ?? comments[nth] ?? none;
    const isAsKept = told === undefined && likes[nth] !== undefined && counted === comments[nth];
    const reaction = id < set.lowWatermark ? told?.own : (set.marks.get(id) as Reaction | undefined);
    return reactionOf(
      { count: told?.count ?? likes[nth] ?? none, own: reaction },
      counted,
      refusalOf(nth, threadBeside(counted)),
      (id < kept.lowWatermark ? fromPost : kept.marks).get(id),
      isAsKept,
    );
  });
}

/** What is known of one post. */
export function reactionOf(
  { count, own = Reaction.UNSPECIFIED }: { readonly count: Count; readonly own?: Reaction | undefined },
  comments: Count,
  replyRefusal: ReplyRefusal,
  mark = 0,
  isAsKept = false,
): Reactions {
  return {
    likeCount: count.value,
    commentCount: comments.value,
    liked: own === Reaction.LIKE,
    otherReactions: othersOf(count),
    viewerReaction: own,
    saved: (mark & ownMark.saved) !== 0,
    reposted: (mark & ownMark.reposted) !== 0,
    replyRefusal,
    isAsKept,
  };
}

function tell(counts: ReturnType<typeof cacheCounts>, values: readonly unknown[]): void {
  const hits = values.filter((value) => value !== undefined).length;
  counts(hits, values.length - hits);
}

/** How the viewer reacts to the posts: by the set in Redis, or by truth where there is none. */
async function reactedBy(
  truth: Truth,
  viewerId: bigint,
  kept: MarkedSet | undefined,
  options: CallOptions,
): Promise<MarkedSet> {
  reactedSetCounts(kept === undefined ? 0 : 1, kept === undefined ? 1 : 0);
  return kept ?? (await truth.reactedSet(viewerId, options));
}

/** What the viewer keeps or reposted of the posts, in the same way. */
async function ownBy(
  truth: Truth,
  viewerId: bigint,
  kept: MarkedSet | undefined,
  options: CallOptions,
): Promise<MarkedSet> {
  ownSetCounts(kept === undefined ? 0 : 1, kept === undefined ? 1 : 0);
  return kept ?? (await truth.ownSet(viewerId, options));
}

export const none: Count = { version: 0, value: 0 };
/** Whom nobody knows reacts to nothing, and keeps and reposted nothing. */
const nothing: MarkedSet = { version: 0n, lowWatermark: 0n, marks: new Map() };
const nobodys = [nothing, nothing] as const;
