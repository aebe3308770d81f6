import type { JsonObject } from "@bufbuild/protobuf";
import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { FeedService } from "#gen/skein/feed/v1/feed_pb.ts";
import { AccountService } from "#gen/skein/graph/v1/account_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { ListService } from "#gen/skein/graph/v1/list_pb.ts";
import { MuteService } from "#gen/skein/graph/v1/mute_pb.ts";
import { RelationService } from "#gen/skein/graph/v1/relation_pb.ts";
import { LikeService } from "#gen/skein/like/v1/like_pb.ts";
import { MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { ContentService } from "#gen/skein/post/v1/contents_pb.ts";
import { DraftService } from "#gen/skein/post/v1/draft_pb.ts";
import { MentionService } from "#gen/skein/post/v1/mention_pb.ts";
import { PollService } from "#gen/skein/post/v1/poll_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { QuoteService } from "#gen/skein/post/v1/quote_pb.ts";
import { RepostService } from "#gen/skein/post/v1/repost_pb.ts";
import { SaveService } from "#gen/skein/post/v1/save_pb.ts";
import { AuthorService } from "#gen/skein/user/v1/author_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import * as rules from "./rules.ts";
import { draftOf, listOf, mediaOf, type Place, placesIn, postOf, type Row, row, tagOf, userOf } from "./table.ts";
import { audiences, owners, password } from "./world.ts";

const user = (place: Place) => ({ userId: userOf(place) });
const post = (place: Place) => ({ postId: postOf(place) });
const list = (place: Place) => ({ listId: listOf(place) });
const subject = (place: Place) => ({ subject: { kind: "SUBJECT_KIND_POST", id: postOf(place) } });
const comment = (place: Place) => ({
  commentId: place.world.comments.get(`${rules.commenterOf(place)} on ${place.owner} ${place.audience}`) ?? "",
});
const one =
  (name: "fan" | "asker") =>
  ({ world }: Place) => ({ userId: world.people.get(name) ?? "" });
const some = ({ world, owner }: Place) => ({
  userIds: ([owner, "fan", "leaver", "foe"] as const).map((name) => world.people.get(name) ?? ""),
});
/** All posts of an owner, in the order of the audiences. */
const postsOf = (place: Place) => audiences.map((audience) => postOf({ ...place, audience }));
const media = (place: Place) => ({ mediaId: mediaOf(place) });
const none = () => ({});
/** The id of something else: it is no collection of anybody's. */
const collection = (place: Place) => ({ collectionId: listOf(place) });
const key = ({ nth }: Place) => `key-${nth}`;

/** Every RPC inside the mesh, in the order in which they are asked. */
export const internalRows: readonly Row[] = [
  ...graphReads(),
  ...peopleReads(),
  ...postReads(),
  ...additions(),
  ...relations(),
  ...endings(),
  ...operators(),
];

function graphReads(): Row[] {
  const { method: relation } = RelationService;
  const asked = ({ viewer }: { viewer: string }) => (viewer === "owner" ? ["requested", "asker"] : []);
  const sent = ({ viewer }: { viewer: string }) => (viewer === "requested" ? [...owners] : []);
  const blocks = ({ viewer }: { viewer: string }) =>
    viewer === "owner" ? ["blocked"] : viewer === "blocker" ? [...owners] : [];
  const mutes = ({ viewer }: { viewer: string }) =>
    viewer === "owner" ? ["muted"] : viewer === "muted" ? [...owners] : [];
  const pair = (place: Place) => ({ followerId: place.world.people.get("fan") ?? "", followeeId: userOf(place) });
  return [
    row(GraphService.method.listFollowers, rules.followsVisible(rules.allFollowers, true), user),
    row(GraphService.method.listFollowing, rules.followsVisible(rules.theFan, true), user),
    row(GraphService.method.batchGetAccounts, rules.accountsVisible, some),
    row(GraphService.method.getFollowSet, rules.service, user),
    row(GraphService.method.getFollow, rules.service, pair),
    row(GraphService.method.scanFollowers, rules.service, user),
    row(GraphService.method.batchScanFollowers, rules.service, (at) => ({ userIds: [userOf(at)], limit: 10 })),
    row(GraphService.method.batchGetStandings, rules.service, some),
    row(relation.listFollowRequests, rules.own("people", asked), none),
    row(relation.listSentFollowRequests, rules.own("people", sent), none),
    row(relation.listBlocks, rules.own("people", blocks), none),
    row(
      relation.listMutuals,
      rules.own("people", ({ viewer }) => (viewer === "owner" ? ["fan"] : [])),
      none,
    ),
    row(relation.listFamiliarFollowers, rules.followsVisible(rules.theFan, false), user),
    row(relation.batchGetRelationships, rules.relationship, (at) => ({ userIds: [userOf(at)] }), {
      shown: ({ relationships }) => rules.flagsIn(relationships),
    }),
    row(MuteService.method.listMutes, rules.own("people", mutes), none),
    row(MuteService.method.listMutedWords, rules.anyoneSignedIn, none),
    row(MuteService.method.getMutedThreads, rules.service, (at) => ({ ...user(at), postIds: postsOf(at) })),
    row(
      ListService.method.listLists,
      rules.own("lists", ({ viewer, owner }) => (viewer === "owner" ? [owner] : [])),
      none,
    ),
    row(ListService.method.getMemberSet, rules.ownersOnly("people", rules.theFan), list),
    row(ListService.method.listListMembers, rules.ownersOnly("people", rules.theFan), list),
    row(AccountService.method.getAccount, rules.anyoneSignedIn, none),
    row(MediaService.method.getMedia, rules.ownersOnly(), media),
    row(MediaService.method.fetchPreview, rules.service, () => ({ url: "http://127.0.0.1/" })),
  ];
}

function peopleReads(): Row[] {
  // The operator's commands find everybody.
  const trusted = ["operator"];
  return [
    row(UserService.method.getUser, rules.accountVisible, (at) => ({ user: userOf(at) }), { trusted }),
    row(AuthorService.method.batchGetAuthors, rules.service, some),
    row(UserService.method.batchGetUsers, rules.accountsVisible, some, { trusted }),
    row(
      UserService.method.batchFindUsers,
      rules.accountsVisible,
      (at) => ({
        usernames: [at.owner, "fan", "leaver", "foe"].map((name) => `${at.world.prefix}_${name}`),
      }),
      { trusted },
    ),
    row(UserService.method.batchGetAuthorVersions, rules.service, some),
  ];
}

function postReads(): Row[] {
  // A feed has decided already, in the read that asks.
  const trusted = ["feed"];
  const counted = (counts: readonly number[], { owner }: Place) =>
    audiences.flatMap((audience, nth) => (Number(counts[nth]) > 0 ? [`${owner} ${audience}`] : []));
  const likes = ({ likes: all }: JsonObject, place: Place) =>
    counted(
      (all as { count: string }[]).map(({ count }) => Number(count)),
      place,
    );
  const comments = ({ counts }: JsonObject, place: Place) => counted((counts as string[]).map(Number), place);
  const subjects = (at: Place) => ({ subjects: postsOf(at).map((id) => ({ kind: "SUBJECT_KIND_POST", id })) });
  return [
    row(PostService.method.batchGetPosts, rules.postsVisible, (at) => ({ postIds: postsOf(at) })),
    row(PostService.method.listPostVersions, rules.postVisible, post),
    row(ContentService.method.batchGetContents, rules.service, (at) => ({ postIds: postsOf(at) })),
    row(PostService.method.batchGetCards, rules.service, (at) => ({ postIds: postsOf(at) })),
    row(PostService.method.getPostRecord, rules.service, (at) => post({ ...at, audience: "ONLY_ME" })),
    row(PostService.method.listTagActivities, rules.service, (at) => ({ tag: tagOf(at), limit: 10 })),
    row(PostService.method.listPublicActivities, rules.service, () => ({ limit: 10 })),
    row(PostService.method.listMediaActivities, rules.service, (at) => ({ authorId: userOf(at), limit: 10 })),
    row(PostService.method.getPinnedPost, rules.service, (at) => ({ authorId: userOf(at) })),
    row(RepostService.method.listReposters, rules.repostersVisible, post),
    row(PollService.method.batchGetPolls, rules.service, (at) => ({ postIds: postsOf(at) })),
    row(QuoteService.method.batchGetQuoted, rules.service, (at) => ({ postIds: postsOf(at) })),
    row(QuoteService.method.listQuoteActivities, rules.service, (at) => ({
      ...post({ ...at, audience: "PUBLIC" }),
      limit: 10,
    })),
    row(FeedService.method.listQuoteFeed, rules.postVisibleEmpty, post),
    row(FeedService.method.listTagFeed, rules.postsUnderTag, (at) => ({ tag: tagOf(at) })),
    row(
      DraftService.method.listDrafts,
      rules.own("drafts", ({ viewer, owner }) => (viewer === "owner" ? [owner] : [])),
      none,
    ),
    row(PostService.method.batchListActivities, rules.service, (at) => ({ authorIds: [userOf(at)], limit: 10 })),
    row(LikeService.method.listReactedPosts, rules.ownReacted, none),
    row(CommentService.method.listOwnComments, rules.ownComments, none),
    row(CommentService.method.listCommentMentions, rules.namedInComments, none),
    row(MentionService.method.listMentions, rules.mentions, none),
    row(RepostService.method.listRepostedPosts, rules.ownReposts, none),
    row(SaveService.method.listSaves, rules.keptPosts, none),
    row(SaveService.method.listCollections, rules.anyoneSignedIn, none),
    row(SaveService.method.batchGetSaves, rules.anyoneSignedIn, (at) => ({ postIds: postsOf(at) })),
    row(SaveService.method.getSavedSet, rules.service, user),
    row(LikeService.method.listLikes, rules.likersVisible, subject),
    row(LikeService.method.listReactions, rules.likersVisible, subject),
    row(LikeService.method.batchGetLikes, rules.postsVisible, subjects, { shown: likes, trusted }),
    row(LikeService.method.getLikedSet, rules.service, user),
    row(CommentService.method.listComments, rules.commentsVisible, post),
    row(CommentService.method.getThread, rules.threadVisible, post),
    row(CommentService.method.getComment, rules.commentVisible, comment),
    row(CommentService.method.listUserComments, rules.fansComments(false), one("fan")),
    row(CommentService.method.batchGetComments, rules.commentsOfPosts, (at) => ({
      commentIds: audiences.map((audience) => comment({ ...at, audience }).commentId),
    })),
    row(CommentService.method.batchGetCommentCounts, rules.postsVisible, (at) => ({ postIds: postsOf(at) }), {
      shown: comments,
      trusted,
    }),
    row(FeedService.method.listHomeFeed, rules.homeFeed, none, { shown: placesIn }),
    row(FeedService.method.listListFeed, rules.fanOnList, list, { shown: placesIn }),
    row(FeedService.method.listLocalFeed, rules.anyone, none),
    row(FeedService.method.setReadPosition, rules.anyoneSignedIn, (at) => ({ activityId: postOf(at) })),
    row(FeedService.method.getReadPosition, rules.anyoneSignedIn, none),
    // Who may see what in it is each call's own token's: matrix.test.ts asks.
    row(FeedService.method.batchListHomeFeed, rules.service, none),
    row(CommentService.method.batchCreateComment, rules.service, none),
    row(LikeService.method.batchLike, rules.service, none),
    row(PostService.method.batchCreatePost, rules.service, none),
    row(QuoteService.method.batchQuoted, rules.service, none),
    row(FeedService.method.listAuthorFeed, rules.pageVisible, (at) => ({ authorId: userOf(at) }), { shown: placesIn }),
  ];
}

function additions(): Row[] {
  const changes = { changes: "little" };
  const named = ({ world, nth }: Place) => `${world.prefix}_${nth}`;
  const said = (at: Place) => ({ text: named(at), idempotencyKey: key(at) });
  const signIn = ({ world, nth }: Place) => ({ username: `${world.prefix}x${nth}`, password });
  const logIn = ({ world, owner }: Place) => ({ username: `${world.prefix}_${owner}`, password });
  return [
    row(UserService.method.register, rules.anyone, signIn, changes),
    row(UserService.method.logIn, rules.anyone, logIn, changes),
    row(GraphService.method.createAccount, rules.service, one("fan"), changes),
    row(LikeService.method.unlike, rules.writeUnderPost, subject, changes),
    row(
      LikeService.method.like,
      rules.writeUnderPost,
      (at) => ({ ...subject(at), reaction: "REACTION_LIKE" }),
      changes,
    ),
    row(CommentService.method.updateThread, rules.authorsOnly, post, changes),
    row(
      CommentService.method.updateComment,
      rules.commentersOnly,
      (at) => ({ ...comment(at), text: named(at) }),
      changes,
    ),
    row(CommentService.method.setCommentHidden, rules.authorsOnly, comment, changes),
    row(CommentService.method.createComment, rules.writeUnderPost, (at) => ({ ...post(at), ...said(at) }), changes),
    row(SaveService.method.savePost, rules.writeUnderPost, post, changes),
    row(SaveService.method.unsavePost, rules.writeUnderPost, post, changes),
    row(
      SaveService.method.createCollection,
      rules.openAccount,
      (at) => ({ name: named(at), idempotencyKey: key(at) }),
      changes,
    ),
    row(
      SaveService.method.renameCollection,
      rules.nobodysToChange,
      (at) => ({ ...collection(at), name: "other" }),
      changes,
    ),
    row(SaveService.method.deleteCollection, rules.ending, collection, changes),
    // Graph knows no posts: who may see one is decided before it is asked, and the mute of what one cannot see is one's own.
    row(MuteService.method.muteThread, rules.openAccount, post, changes),
    row(MuteService.method.unmuteThread, rules.ending, post, changes),
    row(MuteService.method.muteWord, rules.openAccount, () => ({ word: "zebra" }), changes),
    row(MuteService.method.unmuteWord, rules.ending, () => ({ word: "zebra" }), changes),
    row(
      ListService.method.createList,
      rules.openAccount,
      (at) => ({ name: named(at), idempotencyKey: key(at) }),
      changes,
    ),
    row(ListService.method.renameList, rules.ownersOnlyToChange, (at) => ({ ...list(at), name: "other" }), changes),
    row(
      ListService.method.addListMember,
      rules.ownersOnlyToChange,
      (at) => ({ ...list(at), ...one("fan")(at) }),
      changes,
    ),
    row(RelationService.method.acceptFollowRequest, rules.answering, one("asker"), changes),
    row(RelationService.method.declineFollowRequest, rules.ending, one("asker"), changes),
    row(RelationService.method.removeFollower, rules.ending, one("asker"), changes),
    row(
      MediaService.method.createMedia,
      rules.openAccount,
      (at) => ({ kind: "KIND_PHOTO", sizeBytes: "9", idempotencyKey: key(at) }),
      changes,
    ),
    row(
      MediaService.method.attachMedia,
      rules.attaching,
      (at) => ({ mediaIds: [mediaOf(at)], attachment: "post:1" }),
      changes,
    ),
    row(MediaService.method.completeMedia, rules.completing, media, changes),
    row(MediaService.method.deleteMedia, rules.ending, media, changes),
    row(UserService.method.updateProfile, rules.openAccount, none, changes),
    row(PostService.method.createPost, rules.openAccount, said, changes),
    row(PostService.method.pinPost, rules.authorsOnly, post, changes),
    row(RepostService.method.undoRepost, rules.ending, post, changes),
    row(PollService.method.vote, rules.votable, (at) => ({ ...post(at), options: [0] }), changes),
    row(RepostService.method.repost, rules.repostable, post, { changes: "reposts" }),
    row(QuoteService.method.detachQuote, rules.neverThere, (at) => ({ ...post(at), quoteId: postOf(at) }), changes),
    row(PostService.method.unpinPost, rules.ending, post, changes),
    row(DraftService.method.createDraft, rules.openAccount, said, changes),
    row(
      DraftService.method.updateDraft,
      rules.ownersOnlyToChange,
      (at) => ({ draftId: draftOf(at), text: named(at) }),
      changes,
    ),
  ];
}

function relations(): Row[] {
  return [
    row(GraphService.method.followUser, rules.following, user, { changes: "relations" }),
    row(GraphService.method.unfollowUser, rules.aboutAccount, user, { changes: "relations" }),
    row(MuteService.method.muteUser, rules.aboutAccount, user, { changes: "relations" }),
    row(MuteService.method.unmuteUser, rules.aboutAccount, user, { changes: "relations" }),
    row(RelationService.method.blockUser, rules.aboutAccount, user, { changes: "relations" }),
    row(RelationService.method.unblockUser, rules.aboutAccount, user, { changes: "relations" }),
  ];
}

function endings(): Row[] {
  const member = (at: Place) => ({ ...list(at), ...one("fan")(at) });
  const close = () => ({ state: "ACCOUNT_STATE_DEACTIVATED" });
  return [
    row(CommentService.method.deleteComment, rules.authorsOnly, comment, { changes: "all" }),
    row(DraftService.method.publishDraft, rules.ownersOnlyToChange, (at) => ({ draftId: draftOf(at) }), {
      changes: "all",
    }),
    row(DraftService.method.deleteDraft, rules.ending, (at) => ({ draftId: draftOf(at) }), { changes: "all" }),
    row(PostService.method.editPost, rules.authorsOnly, (at) => ({ ...post(at), text: "other" }), { changes: "all" }),
    row(PostService.method.deletePost, rules.authorsOnly, post, { changes: "all" }),
    row(ListService.method.removeListMember, rules.ownersOnlyToChange, member, { changes: "all" }),
    row(ListService.method.deleteList, rules.ending, list, { changes: "all" }),
    row(AccountService.method.updateAccount, rules.openAccount, () => ({ private: true }), { changes: "all" }),
    row(AccountService.method.setOwnState, rules.openAccount, close, { changes: "all" }),
  ];
}

function operators(): Row[] {
  const explained = (place: Place) => ({ viewerId: userOf(place), ...post({ ...place, audience: "ONLY_ME" }) });
  const state = (at: Place) => ({ ...one("asker")(at), state: "ACCOUNT_STATE_ACTIVE" });
  return [
    row(FeedService.method.explainPost, rules.operator, explained),
    row(FeedService.method.configureFanout, rules.operator, none),
    row(GraphService.method.importFollows, rules.operator, none),
    row(GraphService.method.setAccountState, rules.operator, state),
    row(UserService.method.importUsers, rules.operator, none),
    row(PostService.method.importPosts, rules.operator, none),
  ];
}
