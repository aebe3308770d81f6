import { type CallOptions, type Client, Code, ConnectError } from "@connectrpc/connect";
import type { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import type { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import type { ListService } from "#gen/skein/graph/v1/list_pb.ts";
import { type LikeService, Reaction, type Likes as SentLikes, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import type { PostService } from "#gen/skein/post/v1/post_pb.ts";
import type { QuoteService } from "#gen/skein/post/v1/quote_pb.ts";
import type { GetPostRecordResponse } from "#gen/skein/post/v1/record_pb.ts";
import type { SaveService } from "#gen/skein/post/v1/save_pb.ts";
import type { ListTagActivitiesResponse } from "#gen/skein/post/v1/shown_pb.ts";
import type { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { isAway } from "#lib/mesh/errors.ts";
import type { ViewerId } from "#lib/readmodel/audience.ts";
import type { Card } from "#lib/readmodel/card.ts";
import type { Count } from "#lib/readmodel/count.ts";
import { ownMark } from "#lib/readmodel/families.ts";
import type { MarkedSet } from "#lib/readmodel/member-set.ts";
import { type Standings, standingsByTruth } from "#lib/readmodel/standing.ts";
import { besideCount, openThread } from "#lib/readmodel/thread.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import { cardsByTruth } from "#lib/readmodel/visible-post.ts";

/** What the owners of the truth answer where a read model is missing. Each answer also fills it. */
export type Truth = ReturnType<typeof truthOf>;

export type Clients = {
  readonly comment: Client<typeof CommentService>;
  readonly graph: Client<typeof GraphService> & Pick<Client<typeof ListService>, "getMemberSet">;
  readonly like: Client<typeof LikeService>;
  readonly post: Client<typeof PostService> & Pick<Client<typeof QuoteService>, "listQuoteActivities">;
  readonly save: Client<typeof SaveService>;
  readonly user: Client<typeof UserService>;
};

/** An author's activities, newest first; `complete` where there is nothing older, or newer where that was asked. */
export type ActivityList = { readonly ids: readonly bigint[]; readonly complete: boolean };

/** Entries below a place; `ended` where there is nothing after them. */
type TagActivities = { readonly entries: readonly TimelineEntry[]; readonly ended: boolean };

type Likes = { readonly count: Count; readonly own: Reaction };

/** Ids in one batch RPC. */
const batchMax = 100;
/** Batch RPCs of one request at once. */
const atOnceMax = 4;

export function truthOf({ graph, post, save, user, like, comment }: Clients) {
  return {
    ...listsOf(post),
    ...ownOf(save),
    ...commentsOf(comment),

    followSet: (viewerId: bigint, options: CallOptions) => graph.getFollowSet({ userId: String(viewerId) }, options),

    /** Who is on a list of the viewer of a call. NOT_FOUND where they have no such list. */
    memberSet: async (listId: string, options: CallOptions): Promise<readonly bigint[]> =>
      (await graph.getMemberSet({ listId }, options)).userIds,

    /** How a viewer stands to an author, and the states of both. */
    follow: (viewerId: bigint, authorId: bigint, options: CallOptions) =>
      graph.getFollow({ followerId: String(viewerId), followeeId: String(authorId) }, options),

    /** A post, standing or deleted; undefined where there never was one. */
    postRecord: (postId: bigint, options: CallOptions): Promise<GetPostRecordResponse | undefined> =>
      post
        .getPostRecord({ postId: String(postId) }, options)
        .catch((reason) => (isNone(reason) ? undefined : Promise.reject(reason))),

    /** Whether the viewer of a call may see a post. */
    async sees(postId: bigint, options: CallOptions): Promise<boolean> {
      const { posts } = await post.batchGetPosts({ postIds: [String(postId)] }, options);
      return posts[0]?.post !== undefined;
    },

    /** How a viewer stands to accounts. */
    standings: async (viewerId: ViewerId, userIds: readonly bigint[], options: CallOptions): Promise<Standings> =>
      userIds.length === 0 ? new Map() : standingsByTruth(graph, viewerId, userIds, options),

    async cards(postIds: readonly bigint[], options: CallOptions): Promise<Map<bigint, Card>> {
      const found = new Map<bigint, Card>();
      await inBatches(postIds, async (ids) => {
        for (const [id, card] of await cardsByTruth(post, ids, options)) found.set(id, card);
      });
      return found;
    },

    /** How a viewer reacts to the newest posts, and from which one on that says nothing. */
    async reactedSet(viewerId: bigint, options: CallOptions): Promise<MarkedSet> {
      const { version, lowWatermark, postIds, others } = await like.getLikedSet({ userId: String(viewerId) }, options);
      const marks = new Map<bigint, number>(postIds.map((id) => [id, Reaction.LIKE]));
      for (const { postId, reaction } of others) marks.set(postId, reaction);
      return { version, lowWatermark, marks };
    },

    /** How many react to each post, and how the viewer does. Fails with the like service: a viewer's own state is no guess. */
    async likes(postIds: readonly bigint[], options: CallOptions): Promise<Map<bigint, Likes>> {
      const found = new Map<bigint, Likes>();
      await inBatches(postIds, async (ids) => {
        const subjects = ids.map((id) => ({ kind: SubjectKind.POST, id: String(id) }));
        const { likes } = await like.batchGetLikes({ subjects }, options);
        for (const [nth, id] of ids.entries()) {
          const of = likes[nth];
          if (of !== undefined) found.set(id, { count: countOf(of), own: of.own });
        }
      });
      return found;
    },

    async authorVersions(userIds: readonly bigint[], options: CallOptions): Promise<Map<bigint, number>> {
      const found = new Map<bigint, number>();
      await inBatches(userIds, async (ids) => {
        const { versions } = await user.batchGetAuthorVersions({ userIds: ids.map(String) }, options);
        for (const [nth, id] of ids.entries()) if (versions[nth]) found.set(id, Number(versions[nth]));
      });
      return found;
    },
  };
}

const entriesOf = ({
  activityIds,
  authorIds,
  complete,
}: Pick<ListTagActivitiesResponse, "activityIds" | "authorIds" | "complete">) => ({
  entries: activityIds.map((activityId, nth) => ({ activityId, authorId: authorIds[nth] ?? 0n })),
  ended: complete,
});

/** Where posts are listed. */
const listsOf = (post: Clients["post"]) => ({
  /** What each author made public, newest first, in the order asked. `before` 0 begins at the newest. */
  async activities(
    authorIds: readonly bigint[],
    before: bigint,
    limit: number,
    options: CallOptions,
  ): Promise<ActivityList[]> {
    const answers = await inBatches(authorIds, async (ids) => {
      const { lists } = await post.batchListActivities(
        { authorIds: [...ids], beforeActivityId: before, limit },
        options,
      );
      return lists.map(({ activityIds, complete }) => ({ ids: activityIds, complete }));
    });
    return answers.flat();
  },

  /** What each author made public just above an activity, newest first, in the order asked. */
  async activitiesAbove(
    authorIds: readonly bigint[],
    after: bigint,
    limit: number,
    options: CallOptions,
  ): Promise<ActivityList[]> {
    const answers = await inBatches(authorIds, async (ids) => {
      const { lists } = await post.batchListActivities({ authorIds: [...ids], afterActivityId: after, limit }, options);
      return lists.map(({ activityIds, complete }) => ({ ids: activityIds, complete }));
    });
    return answers.flat();
  },

  /** What was made public under a tag, newest first. `before` 0 begins at the newest. */
  async tagActivities(tag: string, before: bigint, limit: number, options: CallOptions): Promise<TagActivities> {
    const asked = { tag, beforeActivityId: before, limit };
    return entriesOf(await post.listTagActivities(asked, options));
  },

  /** Everybody's posts that are for everybody, newest first. `before` 0 begins at the newest. */
  async publicActivities(before: bigint, limit: number, options: CallOptions): Promise<TagActivities> {
    return entriesOf(await post.listPublicActivities({ beforeActivityId: before, limit }, options));
  },

  /** What an author made public with media, newest first. `before` 0 begins at the newest. */
  async mediaActivities(authorId: bigint, before: bigint, limit: number, options: CallOptions): Promise<TagActivities> {
    const asked = { authorId, beforeActivityId: before, limit };
    const { activityIds, complete } = await post.listMediaActivities(asked, options);
    return { entries: activityIds.map((activityId) => ({ activityId, authorId })), ended: complete };
  },

  /** What quotes a post, newest first. `before` 0 begins at the newest. */
  async quoteActivities(postId: bigint, before: bigint, limit: number, options: CallOptions): Promise<TagActivities> {
    const asked = { postId: String(postId), beforeActivityId: before, limit };
    return entriesOf(await post.listQuoteActivities(asked, options));
  },

  /** Which post an author pinned; none where nobody says. */
  async pinned(authorId: bigint, options: CallOptions): Promise<TimelineEntry[]> {
    const { postId } = await post
      .getPinnedPost({ authorId }, options)
      .catch((reason) => (isAway(reason) ? { postId: 0n } : Promise.reject(reason)));
    return postId === 0n ? [] : [{ activityId: postId, authorId }];
  },
});

const commentsOf = (comment: Clients["comment"]) => ({
  /**
   * How many comments each post has, and who may reply. A count decides nothing: while the comment service is away there are none, and
   * who may not reply hears it when they do.
   */
  async commentCounts(postIds: readonly bigint[], options: CallOptions): Promise<Map<bigint, Count>> {
    const found = new Map<bigint, Count>();
    await inBatches(postIds, async (ids) => {
      const { counts, threads } = await comment
        .batchGetCommentCounts({ postIds: ids.map(String) }, options)
        .catch((reason) => (isAway(reason) ? { counts: [], threads: [] } : Promise.reject(reason)));
      for (const [nth, id] of ids.entries()) {
        const others = besideCount(threads[nth] ?? openThread);
        found.set(id, { version: 0, value: Number(counts[nth] ?? 0n), ...(others && { others }) });
      }
    });
    return found;
  },
});

const ownOf = (save: Clients["save"]) => ({
  /** The newest posts a viewer keeps or reposted, and from which one on that says nothing. */
  async ownSet(viewerId: bigint, options: CallOptions): Promise<MarkedSet> {
    const { postIds, repostedIds, ...state } = await save.getSavedSet({ userId: String(viewerId) }, options);
    return { version: state.version, lowWatermark: state.lowWatermark, marks: marked(postIds, repostedIds) };
  },

  /** Which of some posts the viewer behind the call keeps or reposted. */
  async ownMarks(postIds: readonly bigint[], options: CallOptions): Promise<ReadonlyMap<bigint, number>> {
    const [saves, reposts]: [bigint[], bigint[]] = [[], []];
    await inBatches(postIds, async (ids) => {
      const { saved, reposted } = await save.batchGetSaves({ postIds: ids.map(String) }, options);
      saves.push(...ids.filter((_, nth) => saved[nth]));
      reposts.push(...ids.filter((_, nth) => reposted[nth]));
    });
    return marked(saves, reposts);
  },
});

function marked(saves: readonly bigint[], reposts: readonly bigint[]): Map<bigint, number> {
  const marks = new Map<bigint, number>(saves.map((id) => [id, ownMark.saved]));
  for (const id of reposts) marks.set(id, (marks.get(id) ?? 0) | ownMark.reposted);
  return marks;
}

/** Asks for many ids a hundred at a time, a few batches at once; answers come in the order of the batches. */
async function inBatches<T>(ids: readonly bigint[], ask: (batch: readonly bigint[]) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (let at = 0; at < ids.length; at += batchMax * atOnceMax) {
    const starts = Array.from({ length: atOnceMax }, (_, nth) => at + nth * batchMax).filter(
      (start) => start < ids.length,
    );
    answers.push(...(await Promise.all(starts.map((start) => ask(ids.slice(start, start + batchMax))))));
  }
  return answers;
}

/** As the read model has it; which fold it is of, nobody asks here. */
const countOf = ({ count, others }: SentLikes): Count => ({
  version: 0,
  value: Number(count),
  ...(others.length > 0 && { others: new Map(others.map(({ reaction, count: n }) => [reaction, Number(n)])) }),
});

const isNone = (reason: unknown): boolean => reason instanceof ConnectError && reason.code === Code.NotFound;
