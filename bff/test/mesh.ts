//! The internal services as their contracts say, kept in maps, behind the real wire: tokens, deadlines, statuses.

import type { TestContext } from "node:test";
import { promisify } from "node:util";
import type { DescService } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { ServerCredentials } from "@grpc/grpc-js";
import { AuthorFilter, FeedService, Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import { AccountService } from "#gen/skein/graph/v1/account_pb.ts";
import { AccountState, GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { ListService } from "#gen/skein/graph/v1/list_pb.ts";
import { MuteService } from "#gen/skein/graph/v1/mute_pb.ts";
import { RelationService } from "#gen/skein/graph/v1/relation_pb.ts";
import type { PostPoll } from "#gen/skein/post/v1/content_pb.ts";
import { ContentService } from "#gen/skein/post/v1/contents_pb.ts";
import { DraftService } from "#gen/skein/post/v1/draft_pb.ts";
import { PollService } from "#gen/skein/post/v1/poll_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { QuoteService } from "#gen/skein/post/v1/quote_pb.ts";
import { RepostService } from "#gen/skein/post/v1/repost_pb.ts";
import { AuthorService } from "#gen/skein/user/v1/author_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { callOf } from "#lib/mesh/call.ts";
import { invalid, notFound, problem } from "#lib/mesh/errors.ts";
import { createServer, type Hosted } from "#lib/mesh/serve.ts";
import { meshTokens } from "#lib/mesh/token.ts";
import { grpcTransport } from "#lib/mesh/transport.ts";
import { engagement } from "./mesh-engagement.ts";
import { memoryLog } from "./serve.ts";

type User = { id: string; version: bigint; username: string };
type Post = { id: string; version: bigint; authorId: string; text: string; key: string } & {
  /** What it quotes. */
  quotes?: string;
  /** What feed says is in its slot. */
  quoted?: { postId?: string; postVersion?: bigint; authorId?: string };
  content?: { quotedPostId?: bigint; poll?: PostPoll };
};

const viewer = (ctx: HandlerContext): string => callOf(ctx).viewerId ?? "";

/** A mesh with these users, until the test ends. */
export async function meshOf(t: TestContext, users: User[]) {
  const posts: Post[] = [];
  const follows = new Set<string>();
  /** Names of the RPCs that were called, in order. */
  const calls: string[] = [];
  const found = (name: string) => {
    const user = users.find(({ id, username }) => id === name || username === name);
    if (user === undefined) throw notFound("user");
    return user;
  };
  const shown = (user: User) => ({ ...user, displayName: user.username.toUpperCase(), createTime: timestampFromMs(0) });
  const slotOf = (id: string) => {
    const user = users.find((candidate) => candidate.id === id);
    return user ? { user: shown(user) } : {};
  };
  const item = (post: Post, reason: Reason) => ({
    activityId: post.id,
    postId: post.id,
    postVersion: post.version,
    authorId: post.authorId,
    authorVersion: users.find(({ id }) => id === post.authorId)?.version ?? 1n,
    reason,
    ...(post.quoted && { quoted: post.quoted }),
  });
  const relation = (viewerId: string, userId: string) => ({
    following: follows.has(`${viewerId}>${userId}`),
    followedBy: follows.has(`${userId}>${viewerId}`),
  });
  const accountOf = (viewerId: string, userId: string) => {
    const count = (fits: (pair: string) => boolean) => BigInt([...follows].filter(fits).length);
    return {
      userId,
      followerCount: count((pair) => pair.endsWith(`>${userId}`)),
      followingCount: count((pair) => pair.startsWith(`${userId}>`)),
      viewer: relation(viewerId, userId),
    };
  };
  const session = { accessToken: "token", expireTime: timestampFromMs(0) };
  const hosted: Hosted[] = [];
  /** Hosts what a test needs of a service; every call is noted. */
  const service = <S extends DescService>(desc: S, impl: Partial<ServiceImpl<S>>) => {
    const noted = desc.methods.map(({ localName, name }) => {
      const handler = (impl as Record<string, (request: unknown, ctx: HandlerContext) => unknown>)[localName];
      const call = (request: unknown, ctx: HandlerContext) => {
        calls.push(name);
        return handler?.(request, ctx);
      };
      return [localName, call] as const;
    });
    hosted.push({ desc, impl: Object.fromEntries(noted) });
  };

  service(UserService, {
    register: ({ username }) => {
      if (username === "taken") throw problem(Code.AlreadyExists, "username-taken", "the username is taken");
      if (username === "") throw invalid("username", "must have 3 to 30 characters");
      const user = { id: String(users.length + 1), version: 1n, username };
      users.push(user);
      return { user: shown(user), session };
    },
    logIn: ({ username, password }) => {
      if (password !== "right") throw problem(Code.Unauthenticated, "invalid-credentials", "name or password wrong");
      return { user: shown(found(username)), session };
    },
    getUser: ({ user }) => ({ user: shown(found(user)) }),
    batchGetUsers: ({ userIds }) => ({ users: userIds.map(slotOf) }),
  });
  service(AuthorService, { batchGetAuthors: ({ userIds }) => ({ authors: userIds.map(slotOf) }) });
  service(GraphService, {
    followUser: ({ userId }, ctx) => {
      const viewerId = viewer(ctx);
      if (userId === viewerId) throw invalid("user_id", "must be somebody else");
      follows.add(`${viewerId}>${found(userId).id}`);
      return { relationship: relation(viewerId, userId) };
    },
    unfollowUser: ({ userId }, ctx) => {
      const viewerId = viewer(ctx);
      follows.delete(`${viewerId}>${found(userId).id}`);
      return { relationship: relation(viewerId, userId) };
    },
    listFollowers: ({ userId, pageSize }) => {
      const all = [...follows].filter((pair) => pair.endsWith(`>${userId}`)).map((pair) => pair.split(">")[0] ?? "");
      return { userIds: all.slice(0, pageSize), nextPageToken: all.length > pageSize ? "more" : "" };
    },
    listFollowing: ({ userId }) => ({
      userIds: [...follows].filter((pair) => pair.startsWith(`${userId}>`)).map((pair) => pair.split(">")[1] ?? ""),
    }),
    batchGetAccounts: ({ userIds }, ctx) => ({ accounts: userIds.map((id) => accountOf(viewer(ctx), id)) }),
  });
  const blocks = new Set<string>();
  const blocking =
    (is: boolean) =>
    ({ userId }: { userId: string }, ctx: HandlerContext) => {
      if (is) blocks.add(userId);
      else blocks.delete(userId);
      return { relationship: { ...relation(viewer(ctx), userId), blocking: is } };
    };
  const related = ({ userId }: { userId: string }, ctx: HandlerContext) => ({
    relationship: relation(viewer(ctx), userId),
  });
  const nobody = () => ({ userIds: [] });
  service(RelationService, {
    listFollowRequests: ({ pageSize }) => ({ userIds: ["2", "9"].slice(0, pageSize), nextPageToken: "more" }),
    listSentFollowRequests: nobody,
    acceptFollowRequest: related,
    declineFollowRequest: related,
    removeFollower: related,
    blockUser: blocking(true),
    unblockUser: blocking(false),
    listBlocks: () => ({ userIds: [...blocks] }),
    listMutuals: nobody,
    listFamiliarFollowers: nobody,
    batchGetRelationships: ({ userIds }, ctx) => ({
      relationships: userIds.map((id) => ({ ...relation(viewer(ctx), id), blocking: blocks.has(id) })),
    }),
  });
  const words: string[] = [];
  let wordsKnown = true;
  service(MuteService, {
    muteUser: related,
    unmuteUser: related,
    listMutes: nobody,
    muteThread: () => ({}),
    unmuteThread: () => ({}),
    muteWord({ word }) {
      words.push(word);
      return {};
    },
    unmuteWord({ word }) {
      words.splice(words.indexOf(word), 1);
      return {};
    },
    listMutedWords: () => ({ words, version: BigInt(words.length) }),
  });
  const list = { listId: "700", name: "Friends", memberCount: 1 };
  service(ListService, {
    createList: ({ name }) => ({ list: { ...list, name }, replayed: name === "again" }),
    renameList: ({ name }) => ({ list: { ...list, name } }),
    deleteList: () => ({}),
    listLists: () => ({ lists: [{ listId: "close-friends", name: "", memberCount: 0 }, list] }),
    addListMember: () => ({}),
    removeListMember: () => ({}),
    listListMembers: () => ({ userIds: ["2"] }),
  });
  const account: { state: AccountState; private: boolean } = { state: AccountState.ACTIVE, private: false };
  const own = (ctx: HandlerContext) => ({ account: { userId: viewer(ctx), ...account } });
  service(AccountService, {
    getAccount: (_request, ctx) => own(ctx),
    updateAccount(request, ctx) {
      account.private = request.private;
      return own(ctx);
    },
    setOwnState({ state }, ctx) {
      account.state = state;
      return own(ctx);
    },
  });
  const drafts: { id: string; text: string }[] = [];
  const draftOf = (wanted: string) => {
    const draft = drafts.find(({ id }) => id === wanted);
    if (draft === undefined) throw notFound("draft");
    return draft;
  };
  service(DraftService, {
    createDraft: ({ text }) => {
      const draft = { id: String(900 + drafts.length), text };
      drafts.push(draft);
      return { draft };
    },
    updateDraft: ({ draftId, text }) => ({ draft: Object.assign(draftOf(draftId), { text }) }),
    deleteDraft: () => ({}),
    listDrafts: () => ({ drafts }),
    publishDraft: ({ draftId }, ctx) => {
      const { id, text } = draftOf(draftId);
      const post = { id, version: 1n, authorId: viewer(ctx), text, key: id };
      posts.push(post);
      return { post };
    },
  });
  let pinned: string | undefined;
  service(RepostService, {
    repost: () => ({ activityId: "77" }),
    undoRepost: () => ({}),
    listReposters: () => ({ userIds: ["2"] }),
    listRepostedPosts: () => ({ postIds: [] }),
  });
  const states = new Map<string, number[]>();
  const stateOf = (id: string) => ({
    voterCount: 1,
    ownOptions: states.get(id) ?? [],
    voteCounts: states.has(id) ? [1, 0] : [],
  });
  service(PollService, {
    vote: ({ postId, options }) => {
      const post = posts.find(({ id }) => id === postId);
      if (post === undefined) throw notFound("post");
      states.set(postId, options);
      return { post, state: stateOf(postId) };
    },
    batchGetPolls: ({ postIds }) => ({ polls: postIds.map((id) => ({ state: stateOf(id) })) }),
  });
  service(QuoteService, {
    batchGetQuoted: ({ postIds }) => ({
      quoted: postIds.map((id) => {
        const quoted = posts.find((post) => post.id === posts.find((one) => one.id === id)?.quotes);
        return quoted === undefined
          ? {}
          : { postId: quoted.id, postVersion: quoted.version, authorId: quoted.authorId };
      }),
    }),
    detachQuote: () => ({}),
  });
  const contentOf = (id: string) => {
    const post = posts.find((candidate) => candidate.id === id && candidate.text !== "");
    return post ? { post } : {};
  };
  service(ContentService, { batchGetContents: ({ postIds }) => ({ contents: postIds.map(contentOf) }) });
  service(PostService, {
    createPost: ({ text, idempotencyKey, quotedPostId, poll }, ctx) => {
      const before = posts.find(({ key }) => key === idempotencyKey);
      if (before && before.text !== text) {
        throw problem(Code.FailedPrecondition, "idempotency-key-reused", "the key was used for another text");
      }
      const post = before ?? {
        id: String(100 + posts.length),
        version: 1n,
        authorId: viewer(ctx),
        text,
        key: idempotencyKey,
        ...(quotedPostId !== 0n && { quotes: String(quotedPostId), content: { quotedPostId } }),
        ...(poll && { content: { poll } }),
      };
      if (before === undefined) posts.push(post);
      return { post, replayed: before !== undefined };
    },
    batchGetPosts: ({ postIds }) => ({ posts: postIds.map(contentOf) }),
    editPost: ({ postId, text }, ctx) => {
      const post = posts.find(({ id, authorId }) => id === postId && authorId === viewer(ctx));
      if (post === undefined || post.text === "") throw notFound("post");
      return { post: Object.assign(post, { text: text ?? post.text, version: post.version + 1n }) };
    },
    listPostVersions: ({ postId }) => ({ posts: posts.filter(({ id }) => id === postId) }),
    pinPost: ({ postId }) => {
      pinned = postId;
      return {};
    },
    unpinPost: () => {
      pinned = undefined;
      return {};
    },
    deletePost: ({ postId }, ctx) => {
      const post = posts.find(({ id, authorId }) => id === postId && authorId === viewer(ctx));
      if (post === undefined) throw notFound("post");
      post.text = "";
      return {};
    },
  });
  const { hides } = engagement({ service, posts });
  let position = "";
  service(FeedService, {
    listHomeFeed: ({ pageSize, after }, ctx) => ({
      ...(after !== "" && { newerPageToken: "newer" }),
      items: posts
        .filter(({ id }) => after === "" || BigInt(id) > BigInt(after))
        .slice(-pageSize)
        .map((post) => item(post, post.authorId === viewer(ctx) ? Reason.OWN : Reason.FOLLOWING)),
      nextPageToken: "next",
      ...(wordsKnown && { mutedWordsVersion: BigInt(words.length) }),
    }),
    setReadPosition: ({ activityId }) => {
      position = BigInt(activityId) > BigInt(position || "0") ? activityId : position;
      return { activityId: position };
    },
    getReadPosition: () => ({ activityId: position }),
    listAuthorFeed: ({ authorId, filter, after }) => {
      if (filter === AuthorFilter.MEDIA) return { items: [] };
      if (after !== "") return { items: [], nextPageToken: "next", newerPageToken: "newer" };
      const items = posts.filter((post) => post.authorId === authorId).map((post) => item(post, Reason.AUTHOR));
      const top = items.find(({ postId }) => postId === pinned);
      return { items, ...(top && { pinned: top }) };
    },
    listListFeed: () => ({ items: posts.map((post) => item(post, Reason.LIST)), mutedWordsVersion: 0n }),
    listLocalFeed: () => ({ items: posts.map((post) => item(post, Reason.LOCAL)), mutedWordsVersion: 0n }),
    listTagFeed: ({ tag }) => ({
      items: posts.filter(({ text }) => text.includes(`#${tag}`)).map((post) => item(post, Reason.TAG)),
      mutedWordsVersion: BigInt(words.length),
    }),
  });

  const key = Buffer.alloc(32, 1).toString("base64url");
  const server = createServer(hosted, { log: memoryLog(), tokens: meshTokens(key) });
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  const transport = grpcTransport({ address: `http://127.0.0.1:${port}`, caller: "bff", key });
  t.after(() => {
    transport.close();
    server.forceShutdown();
  });
  const setWordsKnown = (is: boolean) => {
    wordsKnown = is;
  };
  return { transport, calls, posts, users, follows, hides, wordsKnown: setWordsKnown };
}
