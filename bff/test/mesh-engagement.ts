//! What people do about posts, kept in maps: the part of the mesh that likes, comments, saves and mentions are.

import type { DescService } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { Repliers } from "#gen/skein/comment/v1/thread_pb.ts";
import { LikeService, Reaction } from "#gen/skein/like/v1/like_pb.ts";
import { MentionService } from "#gen/skein/post/v1/mention_pb.ts";
import { SaveService } from "#gen/skein/post/v1/save_pb.ts";
import { callOf } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";

type Comment = {
  id: string;
  version: bigint;
  postId: string;
  parentId: string;
  authorId: string;
  text: string;
  key: string;
};

const viewer = (ctx: HandlerContext): string => callOf(ctx).viewerId ?? "";

export function engagement({
  service,
  posts,
}: {
  readonly service: <S extends DescService>(desc: S, impl: Partial<ServiceImpl<S>>) => void;
  readonly posts: readonly { readonly id: string }[];
}) {
  const likes = new Map<string, Reaction>();
  const comments: Comment[] = [];
  service(MentionService, { listMentions: () => ({ postIds: posts.slice(0, 1).map(({ id }) => id) }) });
  const saves = new Map<string, string>();
  const collection = { collectionId: "900", name: "Recipes", postCount: 1 };
  service(SaveService, {
    savePost: ({ postId, collectionId }, ctx) => {
      if (!posts.some(({ id }) => id === postId)) throw notFound("post");
      saves.set(`${viewer(ctx)}>${postId}`, collectionId);
      return {};
    },
    unsavePost: ({ postId }, ctx) => {
      saves.delete(`${viewer(ctx)}>${postId}`);
      return {};
    },
    listSaves: ({ collectionId }, ctx) => ({
      postIds: [...saves].flatMap(([pair, of]) => {
        const [who, postId = ""] = pair.split(">");
        return who === viewer(ctx) && (collectionId === "" || of === collectionId) ? [postId] : [];
      }),
    }),
    batchGetSaves: ({ postIds }, ctx) => ({ saved: postIds.map((id) => saves.has(`${viewer(ctx)}>${id}`)) }),
    createCollection: ({ name }) => ({ collection: { ...collection, name }, replayed: name === "again" }),
    renameCollection: ({ name }) => ({ collection: { ...collection, name } }),
    deleteCollection: () => ({}),
    listCollections: () => ({ collections: [collection] }),
  });
  const reactors = (id = ""): [userId: string, way: Reaction][] =>
    [...likes].flatMap(([pair, way]) => (pair.endsWith(`>${id}`) ? [[pair.split(">")[0] ?? "", way]] : []));
  service(LikeService, {
    like: ({ subject, reaction }, ctx) => {
      if (![...posts, ...comments].some(({ id }) => id === subject?.id)) throw notFound("post");
      likes.set(`${viewer(ctx)}>${subject?.id}`, reaction);
      return {};
    },
    unlike: ({ subject, only }, ctx) => {
      const pair = `${viewer(ctx)}>${subject?.id}`;
      if (only === Reaction.UNSPECIFIED || only === likes.get(pair)) likes.delete(pair);
      return {};
    },
    listLikes: ({ subject }) => ({
      userIds: reactors(subject?.id).flatMap(([id, way]) => (way === Reaction.LIKE ? [id] : [])),
    }),
    listReactedPosts: ({ reaction }, ctx) => ({
      postIds: [...likes].flatMap(([pair, way]) => {
        const [who, id = ""] = pair.split(">");
        return who === viewer(ctx) && (reaction === Reaction.UNSPECIFIED || way === reaction) ? [id] : [];
      }),
    }),
    listReactions: ({ subject, reaction }) => ({
      reactors: reactors(subject?.id)
        .filter(([, way]) => reaction === Reaction.UNSPECIFIED || way === reaction)
        .map(([userId, way]) => ({ userId, reaction: way })),
    }),
    batchGetLikes: ({ subjects }, ctx) => ({
      likes: subjects.map(({ id }) => {
        const ways = reactors(id).map(([, way]) => way);
        const count = (of: Reaction) => BigInt(ways.filter((way) => way === of).length);
        const others = [...new Set(ways)].filter((way) => way !== Reaction.LIKE).sort((a, b) => a - b);
        return {
          count: count(Reaction.LIKE),
          own: likes.get(`${viewer(ctx)}>${id}`) ?? Reaction.UNSPECIFIED,
          others: others.map((reaction) => ({ reaction, count: count(reaction) })),
        };
      }),
    }),
  });
  const hides = new Set<string>();
  service(CommentService, {
    createComment: ({ postId, parentId, text, idempotencyKey }, ctx) => {
      const before = comments.find(({ key }) => key === idempotencyKey);
      if (before !== undefined) return { comment: before, replayed: true };
      const id = String(500 + comments.length);
      const comment = { id, version: 1n, postId, parentId, authorId: viewer(ctx), text, key: idempotencyKey };
      comments.push(comment);
      return { comment };
    },
    listComments: ({ postId, parentId }) => ({
      comments: comments
        .filter((one) => one.parentId === parentId && (parentId !== "" || one.postId === postId))
        .reverse(),
    }),
    getComment: ({ commentId }) => {
      const comment = comments.find(({ id }) => id === commentId);
      if (comment === undefined) throw notFound("comment");
      return { comment };
    },
    listOwnComments: (_request, ctx) => ({ comments: comments.filter(({ authorId }) => authorId === viewer(ctx)) }),
    listUserComments: ({ userId }) => ({ comments: comments.filter(({ authorId }) => authorId === userId) }),
    updateComment: ({ commentId, text }, ctx) => {
      const comment = comments.find(({ id, authorId }) => id === commentId && authorId === viewer(ctx));
      if (comment === undefined) throw notFound("comment");
      Object.assign(comment, { text, version: comment.version + 1n });
      return { comment: { ...comment, editTime: timestampFromMs(0) } };
    },
    setCommentHidden: ({ commentId, hidden }) => {
      if (!comments.some(({ id }) => id === commentId)) throw notFound("comment");
      hides.add(`${commentId} ${hidden}`);
      return {};
    },
    getThread: () => ({ thread: { locked: true, repliers: Repliers.FOLLOWERS }, mayReply: true }),
    updateThread: ({ locked, repliers }) => ({
      thread: { locked: locked ?? false, repliers: repliers ?? Repliers.EVERYONE },
    }),
    deleteComment: ({ commentId }, ctx) => {
      const at = comments.findIndex(({ id, authorId }) => id === commentId && authorId === viewer(ctx));
      if (at < 0) throw notFound("comment");
      comments.splice(at, 1);
      return {};
    },
    batchGetCommentCounts: ({ postIds }) => ({
      counts: postIds.map((postId) => BigInt(comments.filter((one) => one.postId === postId).length)),
    }),
  });
  return { hides };
}
