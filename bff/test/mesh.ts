//! The internal services as their contracts say, kept in maps, behind an in-memory wire that serialises.

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { FeedService, Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { invalid, notFound, problem } from "#lib/mesh/errors.ts";

type User = { id: string; version: bigint; username: string };
type Post = { id: string; version: bigint; authorId: string; text: string; key: string };

export function meshOf(users: User[]) {
  const posts: Post[] = [];
  const follows = new Set<string>();
  /** Names of the RPCs that were called, in order. */
  const calls: string[] = [];
  let viewerId = "";
  const found = (name: string) => {
    const user = users.find(({ id, username }) => id === name || username === name);
    if (user === undefined) throw notFound("user");
    return user;
  };
  const shown = (user: User) => ({ ...user, displayName: user.username.toUpperCase(), createTime: timestampFromMs(0) });
  const item = (post: Post, reason: Reason) => ({
    activityId: post.id,
    postId: post.id,
    postVersion: post.version,
    authorId: post.authorId,
    authorVersion: users.find(({ id }) => id === post.authorId)?.version ?? 1n,
    reason,
  });
  const relation = (userId: string) => ({
    following: follows.has(`${viewerId}>${userId}`),
    followedBy: follows.has(`${userId}>${viewerId}`),
  });
  const accountOf = (userId: string) => {
    const count = (fits: (pair: string) => boolean) => BigInt([...follows].filter(fits).length);
    return {
      userId,
      followerCount: count((pair) => pair.endsWith(`>${userId}`)),
      followingCount: count((pair) => pair.startsWith(`${userId}>`)),
      viewer: relation(userId),
    };
  };
  const session = { accessToken: "token", expireTime: timestampFromMs(0) };
  const note: Interceptor = (next) => (req) => {
    calls.push(req.method.name);
    return next(req);
  };

  const transport = createRouterTransport(
    ({ service }) => {
      service(UserService, {
        register: ({ username }) => {
          if (username === "taken") throw problem(Code.AlreadyExists, "username-taken", "the username is taken");
          if (username === "") throw invalid("username", "must have 3 to 30 characters");
          const user = { id: String(users.length + 1), version: 1n, username };
          users.push(user);
          return { user: shown(user), session };
        },
        logIn: ({ username, password }) => {
          if (password !== "right")
            throw problem(Code.Unauthenticated, "invalid-credentials", "name or password wrong");
          return { user: shown(found(username)), session };
        },
        getUser: ({ user }) => ({ user: shown(found(user)) }),
        batchGetUsers: ({ userIds }) => ({
          users: userIds.map((id) => {
            const user = users.find((candidate) => candidate.id === id);
            return user ? { user: shown(user) } : {};
          }),
        }),
      });
      service(GraphService, {
        followUser: ({ userId }) => {
          if (userId === viewerId) throw invalid("user_id", "must be somebody else");
          follows.add(`${viewerId}>${found(userId).id}`);
          return { relationship: relation(userId) };
        },
        unfollowUser: ({ userId }) => {
          follows.delete(`${viewerId}>${found(userId).id}`);
          return { relationship: relation(userId) };
        },
        listFollowers: ({ userId, pageSize }) => {
          const all = [...follows]
            .filter((pair) => pair.endsWith(`>${userId}`))
            .map((pair) => pair.split(">")[0] ?? "");
          return { userIds: all.slice(0, pageSize), nextPageToken: all.length > pageSize ? "more" : "" };
        },
        listFollowing: ({ userId }) => ({
          userIds: [...follows].filter((pair) => pair.startsWith(`${userId}>`)).map((pair) => pair.split(">")[1] ?? ""),
        }),
        batchGetAccounts: ({ userIds }) => ({ accounts: userIds.map(accountOf) }),
      });
      service(PostService, {
        createPost: ({ text, idempotencyKey }) => {
          const before = posts.find(({ key }) => key === idempotencyKey);
          if (before && before.text !== text) {
            throw problem(Code.FailedPrecondition, "idempotency-key-reused", "the key was used for another text");
          }
          const post = before ?? {
            id: String(100 + posts.length),
            version: 1n,
            authorId: viewerId,
            text,
            key: idempotencyKey,
          };
          if (before === undefined) posts.push(post);
          return { post, replayed: before !== undefined };
        },
        batchGetPosts: ({ postIds }) => ({
          posts: postIds.map((id) => {
            const post = posts.find((candidate) => candidate.id === id && candidate.text !== "");
            return post ? { post } : {};
          }),
        }),
        deletePost: ({ postId }) => {
          const post = posts.find(({ id, authorId }) => id === postId && authorId === viewerId);
          if (post === undefined) throw notFound("post");
          post.text = "";
          return {};
        },
      });
      service(FeedService, {
        listHomeFeed: ({ pageSize }) => ({
          items: posts
            .slice(-pageSize)
            .map((post) => item(post, post.authorId === viewerId ? Reason.OWN : Reason.FOLLOWING)),
          nextPageToken: "next",
        }),
        listAuthorFeed: ({ authorId }) => ({
          items: posts.filter((post) => post.authorId === authorId).map((post) => item(post, Reason.AUTHOR)),
        }),
      });
    },
    { transport: { interceptors: [note] } },
  );
  return {
    transport,
    calls,
    posts,
    users,
    follows,
    /** Whose call comes next: the wire carries no token here. */
    as: (id: string) => {
      viewerId = id;
    },
  };
}
