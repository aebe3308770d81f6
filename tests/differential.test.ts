//! One answer at every door: the same calls, good and bad, go to each of them, and what comes back must be equal but for ids,
//! times and tokens. A new RPC is one row of the table.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import { AccountService } from "#gen/skein/api/v1/account_pb.ts";
import { ActivityService } from "#gen/skein/api/v1/activity_pb.ts";
import { AuthService } from "#gen/skein/api/v1/auth_pb.ts";
import { CommentService } from "#gen/skein/api/v1/comment_pb.ts";
import { DraftService } from "#gen/skein/api/v1/draft_pb.ts";
import { FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { LikeService } from "#gen/skein/api/v1/like_pb.ts";
import { ListService } from "#gen/skein/api/v1/list_pb.ts";
import { MediaService } from "#gen/skein/api/v1/media_pb.ts";
import { MuteService } from "#gen/skein/api/v1/mute_pb.ts";
import { PollService } from "#gen/skein/api/v1/poll_pb.ts";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { RelationService } from "#gen/skein/api/v1/relation_pb.ts";
import { RepostService } from "#gen/skein/api/v1/repost_pb.ts";
import { SaveService } from "#gen/skein/api/v1/save_pb.ts";
import { UserService } from "#gen/skein/api/v1/user_pb.ts";
import { type Random, randomOf } from "../tools/seed/random.ts";
import { type Cast, comparable, openCast, remember } from "./support/cast.ts";
import { type Arguments, type Chance, chanceOf, people, type Said } from "./support/chance.ts";
import { openDoors } from "./support/doors.ts";
import { isSpellable } from "./support/json-door.ts";
import type { Outcome } from "./support/outcome.ts";
import { type System, startSystem } from "./support/system.ts";

/** Calls to each door. */
const calls = Number(process.env.CALLS ?? 550);
const seed = process.env.SEED ?? "1";

const mediaFilter: Said = () => "POST_FILTER_MEDIA";
const none: Said = () => 0;

type Row = {
  readonly method: DescMethodUnary;
  /** The arguments of one call, by chance. */
  readonly args: (chance: Chance) => Arguments;
  readonly weight: number;
};

const row = (method: DescMethodUnary, weight: number, args: Row["args"]): Row => ({ method, weight, args });

/** Every public RPC. */
const table: readonly Row[] = [
  row(AuthService.method.register, 3, ({ name, secret, text }) => ({
    username: name(),
    password: secret(),
    displayName: text(),
  })),
  row(AuthService.method.logIn, 3, ({ name, secret }) => ({ username: name(), password: secret() })),
  row(UserService.method.getUser, 8, ({ user }) => ({ user: user() })),
  row(UserService.method.updateProfile, 3, ({ text }) => ({ displayName: text(), bio: text() })),
  row(UserService.method.followUser, 12, ({ user }) => ({ user: user() })),
  row(UserService.method.unfollowUser, 6, ({ user }) => ({ user: user() })),
  row(UserService.method.listFollowers, 6, ({ user, page }) => ({ user: user(), ...page() })),
  row(UserService.method.listFollowing, 6, ({ user, page }) => ({ user: user(), ...page() })),
  row(PostService.method.createPost, 26, ({ text }) => ({ text: text() })),
  row(PostService.method.createPost, 5, ({ text, poll }) => ({ text: text(), poll: poll() })),
  row(PostService.method.createPost, 4, ({ naming, post }) => ({ text: naming(), quotedPostId: post() })),
  row(PostService.method.editPost, 6, ({ post, text, version }) => ({ post: post(), text: text(), ...version() })),
  row(PostService.method.listPostVersions, 4, ({ post, page }) => ({ post: post(), ...page() })),
  row(PostService.method.getPost, 10, ({ post }) => ({ post: post() })),
  row(PostService.method.pinPost, 3, ({ post }) => ({ post: post() })),
  row(PostService.method.unpinPost, 2, ({ post }) => ({ post: post() })),
  row(PostService.method.listTagPosts, 3, ({ word, page }) => ({ tag: word(), ...page() })),
  row(PostService.method.listUserPosts, 1, ({ user, post, page }) => ({ user: user(), after: post(), ...page() })),
  row(PostService.method.listUserPosts, 2, ({ user, page }) => ({ user: user(), filter: mediaFilter, ...page() })),
  // Doors see each other's posts there: how a refusal looks is all that can be alike.
  row(PostService.method.listPublicPosts, 1, () => ({ pageSize: none })),
  row(PollService.method.vote, 3, ({ post, places }) => ({ post: post(), options: places() })),
  row(RepostService.method.repostPost, 3, ({ post }) => ({ post: post() })),
  row(RepostService.method.undoRepost, 2, ({ post }) => ({ post: post() })),
  row(RepostService.method.listPostReposts, 2, ({ post, page }) => ({ post: post(), ...page() })),
  row(PostService.method.listPostQuotes, 2, ({ post, page }) => ({ post: post(), ...page() })),
  row(PostService.method.detachQuote, 1, ({ post }) => ({ post: post(), quote: post() })),
  ...drafts(),
  row(PostService.method.deletePost, 5, ({ post }) => ({ post: post() })),
  row(PostService.method.listUserPosts, 8, ({ user, page }) => ({ user: user(), ...page() })),
  row(LikeService.method.likePost, 10, ({ post }) => ({ post: post() })),
  row(LikeService.method.unlikePost, 6, ({ post }) => ({ post: post() })),
  row(LikeService.method.listPostLikes, 6, ({ post, page }) => ({ post: post(), ...page() })),
  row(LikeService.method.reactToPost, 6, ({ post, kind }) => ({ post: post(), kind: kind() })),
  row(LikeService.method.deletePostReaction, 3, ({ post }) => ({ post: post() })),
  row(LikeService.method.listPostReactions, 4, ({ post, page }) => ({ post: post(), ...page() })),
  row(LikeService.method.reactToComment, 5, ({ comment, kind }) => ({ comment: comment(), kind: kind() })),
  row(LikeService.method.deleteCommentReaction, 2, ({ comment }) => ({ comment: comment() })),
  row(LikeService.method.listCommentReactions, 3, ({ comment, kind, page }) => ({
    comment: comment(),
    kind: kind(),
    ...page(),
  })),
  row(CommentService.method.createComment, 12, ({ post, text }) => ({ post: post(), text: text() })),
  row(CommentService.method.createComment, 5, ({ post, text, comment }) => ({
    post: post(),
    text: text(),
    parent: comment(),
  })),
  row(CommentService.method.createComment, 4, ({ post, naming }) => ({ post: post(), text: naming() })),
  row(CommentService.method.listReplies, 4, ({ comment, page }) => ({ comment: comment(), ...page() })),
  row(CommentService.method.listUserReplies, 4, ({ user, page }) => ({ user: user(), ...page() })),
  row(CommentService.method.updateComment, 4, ({ comment, text }) => ({ comment: comment(), text: text() })),
  row(CommentService.method.hideComment, 3, ({ comment }) => ({ comment: comment() })),
  row(CommentService.method.showComment, 2, ({ comment }) => ({ comment: comment() })),
  row(CommentService.method.getThread, 2, ({ post }) => ({ post: post() })),
  row(CommentService.method.updateThread, 2, ({ post, flag }) => ({ post: post(), locked: flag() })),
  row(CommentService.method.listComments, 6, ({ post, page }) => ({ post: post(), ...page() })),
  row(CommentService.method.getComment, 6, ({ comment }) => ({ comment: comment() })),
  row(CommentService.method.deleteComment, 4, ({ comment }) => ({ comment: comment() })),
  row(FeedService.method.listHomeFeed, 13, ({ page }) => page()),
  row(FeedService.method.listHomeFeed, 3, ({ post, page }) => ({ after: post(), ...page() })),
  row(FeedService.method.countNewItems, 2, ({ posts }) => ({ seen: posts() })),
  row(FeedService.method.setReadPosition, 2, ({ post }) => ({ activityId: post() })),
  row(FeedService.method.getReadPosition, 3, () => ({})),
  ...saves(),
  ...relations(),
  ...mutes(),
  ...lists(),
  ...accounts(),
  ...media(),
];

function saves(): Row[] {
  const { method } = SaveService;
  return [
    row(method.savePost, 5, ({ post }) => ({ post: post() })),
    row(method.savePost, 4, ({ post, collection }) => ({ post: post(), collection: collection() })),
    row(method.unsavePost, 3, ({ post }) => ({ post: post() })),
    row(method.listSaves, 4, ({ page }) => page()),
    row(method.listSaves, 3, ({ collection, page }) => ({ collection: collection(), ...page() })),
    row(method.createCollection, 5, ({ word }) => ({ name: word() })),
    row(method.renameCollection, 2, ({ collection, word }) => ({ collection: collection(), name: word() })),
    row(method.deleteCollection, 1, ({ collection }) => ({ collection: collection() })),
    row(method.listCollections, 2, () => ({})),
    row(ActivityService.method.listReactedPosts, 3, ({ kind, page }) => ({ kind: kind(), ...page() })),
    row(ActivityService.method.listReactedPosts, 2, ({ page }) => page()),
    row(ActivityService.method.listOwnComments, 3, ({ page }) => page()),
    row(ActivityService.method.listMentions, 2, ({ page }) => page()),
    row(ActivityService.method.listCommentMentions, 3, ({ page }) => page()),
    row(ActivityService.method.listRepostedPosts, 2, ({ page }) => page()),
  ];
}

function drafts(): Row[] {
  const { method } = DraftService;
  const chosen: Said = ({ drafts: made }) => made[0] ?? "1";
  return [
    row(method.createDraft, 4, ({ text }) => ({ text: text() })),
    row(method.updateDraft, 3, ({ text }) => ({ draft: chosen, text: text() })),
    row(method.deleteDraft, 1, () => ({ draft: chosen })),
    row(method.listDrafts, 3, ({ page }) => page()),
    row(method.publishDraft, 3, () => ({ draft: chosen })),
  ];
}

function relations(): Row[] {
  const { method } = RelationService;
  return [
    row(method.listFollowRequests, 2, ({ page }) => page()),
    row(method.listSentFollowRequests, 2, ({ page }) => page()),
    row(method.acceptFollowRequest, 5, ({ user }) => ({ user: user() })),
    row(method.declineFollowRequest, 2, ({ user }) => ({ user: user() })),
    row(method.removeFollower, 2, ({ user }) => ({ user: user() })),
    row(method.blockUser, 3, ({ user }) => ({ user: user() })),
    row(method.unblockUser, 5, ({ user }) => ({ user: user() })),
    row(method.listBlocks, 2, ({ page }) => page()),
    row(method.listMutuals, 2, ({ page }) => page()),
    row(method.listFamiliarFollowers, 3, ({ user, page }) => ({ user: user(), ...page() })),
    row(method.batchGetRelationships, 4, ({ users }) => ({ userIds: users() })),
  ];
}

function mutes(): Row[] {
  const { method } = MuteService;
  return [
    row(method.muteUser, 3, ({ user }) => ({ user: user() })),
    row(method.unmuteUser, 2, ({ user }) => ({ user: user() })),
    row(method.listMutes, 2, ({ page }) => page()),
    row(method.muteThread, 3, ({ post }) => ({ post: post() })),
    row(method.unmuteThread, 2, ({ post }) => ({ post: post() })),
    row(method.muteWord, 3, ({ word }) => ({ word: word() })),
    row(method.unmuteWord, 2, ({ word }) => ({ word: word() })),
    row(method.listMutedWords, 2, () => ({})),
  ];
}

function lists(): Row[] {
  const { method } = ListService;
  return [
    row(method.createList, 5, ({ word }) => ({ name: word() })),
    row(method.renameList, 2, ({ list, word }) => ({ list: list(), name: word() })),
    row(method.deleteList, 1, ({ list }) => ({ list: list() })),
    row(method.listLists, 2, () => ({})),
    row(method.addListMember, 5, ({ list, user }) => ({ list: list(), user: user() })),
    row(method.removeListMember, 2, ({ list, user }) => ({ list: list(), user: user() })),
    row(FeedService.method.listListFeed, 2, ({ list, page }) => ({ list: list(), ...page() })),
    row(method.listListMembers, 3, ({ list, page }) => ({ list: list(), ...page() })),
  ];
}

function media(): Row[] {
  const { method } = MediaService;
  return [
    row(method.createMedia, 5, ({ mediaKind, size, text }) => ({ kind: mediaKind(), sizeBytes: size(), alt: text() })),
    row(method.getMedia, 3, ({ media }) => ({ media: media() })),
    row(method.completeMedia, 2, ({ media }) => ({ media: media() })),
    row(method.deleteMedia, 2, ({ media }) => ({ media: media() })),
  ];
}

function accounts(): Row[] {
  const { method } = AccountService;
  return [
    row(method.getAccount, 2, () => ({})),
    row(method.updateAccount, 4, ({ flag }) => ({ private: flag() })),
    row(method.deactivateAccount, 1, () => ({})),
    row(method.reactivateAccount, 5, () => ({})),
    row(method.deleteAccount, 1, () => ({})),
  ];
}

let system: System;
let casts: Cast[];
before(async () => {
  system = await startSystem();
  const doors = openDoors(system.edge);
  casts = await Promise.all(doors.map((door, n) => openCast(door, `d${n}${Date.now().toString(36)}`, people)));
});
after(async () => {
  for (const { door } of casts ?? []) door.close();
  await system?.stop();
});

test("the table has every public RPC", () => {
  const older = [
    AuthService,
    UserService,
    PostService,
    DraftService,
    PollService,
    RepostService,
    LikeService,
    CommentService,
    SaveService,
    ActivityService,
    FeedService,
  ];
  const all = [...older, RelationService, MuteService, ListService, AccountService, MediaService].flatMap(
    ({ methods }) => methods,
  );
  assert.deepEqual(new Set(table.map(({ method }) => method)), new Set(all));
});

test(`${calls} calls are answered alike at every door (SEED=${seed})`, { timeout: 300_000 }, async (t) => {
  const random = randomOf("differential", seed);
  const chance = chanceOf(random);
  const sent = new Map<string, number>();
  const kinds = new Map<string, number>();
  for (let nth = 0; nth < calls; nth++) {
    const { method, args } = rowOf(random);
    const said = args(chance);
    const { as, of } = chance.head();
    const outcomes = await Promise.all(
      casts.map(async (cast) => {
        const request = requestOf(said, cast);
        if (cast.door.name === "JSON" && !isSpellable(method, request)) return undefined;
        const outcome = await cast.door.call(method, request, of(cast));
        remember(cast, method.name, as, outcome);
        sent.set(cast.door.name, (sent.get(cast.door.name) ?? 0) + 1);
        return { cast, outcome };
      }),
    );
    compare(`call ${nth}, ${method.name} ${JSON.stringify(requestOf(said, casts[0] as Cast)).slice(0, 200)}`, outcomes);
    const outcome = outcomes.at(-1)?.outcome;
    const kind = outcome?.ok ? "ok" : String(outcome?.reason);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  t.diagnostic(`calls: ${[...sent].map(([door, count]) => `${door} ${count}`).join(", ")}`);
  t.diagnostic(`answers: ${[...kinds].map(([kind, count]) => `${kind} ${count}`).join(", ")}`);
  assert.ok((kinds.get("ok") ?? 0) > calls / 4, "too few calls do something");
  assert.ok(kinds.size >= 8, "too few kinds of refusal were met");
});

/** Each row as often as it weighs. */
const rows = table.flatMap((each) => Array.from({ length: each.weight }, () => each));

function rowOf({ below }: Random): Row {
  return rows[below(rows.length)] as Row;
}

const requestOf = (said: Arguments, cast: Cast): JsonObject =>
  Object.fromEntries(Object.entries(said).map(([name, value]) => [name, value?.(cast) ?? ""]));

/** All alike; JSON, which has a status instead of a code, by that. */
function compare(what: string, outcomes: readonly ({ cast: Cast; outcome: Outcome } | undefined)[]): void {
  const met = outcomes.filter((each) => each !== undefined);
  const first = met.at(-1);
  if (first === undefined) return;
  for (const { cast, outcome } of met) {
    const due = comparable(first.cast, first.outcome) as Record<string, unknown>;
    const got = comparable(cast, outcome) as Record<string, unknown>;
    if (got.ok === false && got.code === undefined) got.code = due.code;
    assert.deepEqual(got, due, `${what}: ${cast.door.name} and ${first.cast.door.name} differ`);
  }
}
