import type { JsonObject } from "@bufbuild/protobuf";
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
import * as rules from "./rules.ts";
import { draftOf, listOf, mediaOf, type Place, placesIn, postOf, type Row, row, tagOf, userOf } from "./table.ts";
import { owners, password } from "./world.ts";

const user = (place: Place) => ({ user: userOf(place) });
const post = (place: Place) => ({ post: postOf(place) });
const comment = (place: Place) => ({
  comment: place.world.comments.get(`${rules.commenterOf(place)} on ${place.owner} ${place.audience}`) ?? "",
});
const one =
  (name: "fan" | "asker") =>
  ({ world }: Place) => ({ user: world.people.get(name) ?? "" });
const none = () => ({});
/** The id of something else: it is no collection of anybody's. */
const collection = (place: Place) => ({ collection: listOf(place) });
/** Posts by their texts, which say whose and for whom they are. */
const said = ({ versions }: JsonObject) =>
  (versions as { text: string }[]).map(({ text }) => text.split(" ").slice(1, 3).join(" "));
const love = { kind: "REACTION_KIND_LOVE" };

/** Every public RPC, in the order in which they are asked. */
export const publicRows: readonly Row[] = [...reads(), ...additions(), ...relations(), ...endings()];

function reads(): Row[] {
  const { method: relation } = RelationService;
  const asked = ({ viewer }: { viewer: string }) => (viewer === "owner" ? ["requested", "asker"] : []);
  const sent = ({ viewer }: { viewer: string }) => (viewer === "requested" ? [...owners] : []);
  const blocks = ({ viewer }: { viewer: string }) =>
    viewer === "owner" ? ["blocked"] : viewer === "blocker" ? [...owners] : [];
  const mutes = ({ viewer }: { viewer: string }) =>
    viewer === "owner" ? ["muted"] : viewer === "muted" ? [...owners] : [];
  return [
    row(UserService.method.getUser, rules.accountVisible, user),
    row(UserService.method.listFollowers, rules.followsVisible(rules.allFollowers, true), user),
    row(UserService.method.listFollowing, rules.followsVisible(rules.theFan, true), user),
    row(PostService.method.getPost, rules.postVisible, post),
    row(PostService.method.listPostVersions, rules.postVisible, post, { shown: said }),
    row(PostService.method.listUserPosts, rules.pageOfFound, user, { shown: placesIn }),
    row(PostService.method.listUserPosts, rules.fansPage, one("fan"), { shown: placesIn }),
    // Among posts with media there is no repost.
    row(PostService.method.listUserPosts, rules.emptyOfFound, (at) => ({ ...user(at), filter: "POST_FILTER_MEDIA" })),
    row(PostService.method.listTagPosts, rules.postsUnderTag, (at) => ({ tag: tagOf(at) })),
    // Everybody's: what of it is anybody's to see, the hunt for leaks asks.
    row(PostService.method.listPublicPosts, rules.anyone, none),
    row(RepostService.method.listPostReposts, rules.repostersVisible, post),
    row(PostService.method.listPostQuotes, rules.postVisibleEmpty, post),
    row(
      DraftService.method.listDrafts,
      rules.own("drafts", ({ viewer, owner }) => (viewer === "owner" ? [owner] : [])),
      none,
    ),
    row(LikeService.method.listPostLikes, rules.likersVisible, post),
    row(LikeService.method.listPostReactions, rules.likersVisible, post),
    row(LikeService.method.listCommentReactions, rules.reactorsVisible, comment),
    row(CommentService.method.listComments, rules.commentsVisible, post),
    row(CommentService.method.listReplies, rules.repliesVisible, comment),
    row(CommentService.method.listUserReplies, rules.fansComments(true), one("fan")),
    row(CommentService.method.getThread, rules.threadVisible, post),
    row(CommentService.method.getComment, rules.commentVisible, comment),
    row(ActivityService.method.listReactedPosts, rules.ownReacted, none),
    row(ActivityService.method.listOwnComments, rules.ownComments, none),
    row(ActivityService.method.listMentions, rules.mentions, none),
    row(ActivityService.method.listCommentMentions, rules.namedInComments, none),
    row(ActivityService.method.listRepostedPosts, rules.ownReposts, none),
    row(SaveService.method.listSaves, rules.keptPosts, none),
    row(SaveService.method.listCollections, rules.anyoneSignedIn, none),
    row(FeedService.method.listHomeFeed, rules.homeFeed, none, { shown: placesIn }),
    row(FeedService.method.listListFeed, rules.fanOnList, (at) => ({ list: listOf(at) }), { shown: placesIn }),
    row(FeedService.method.countNewItems, rules.anyoneSignedIn, (at) => ({ seen: [postOf(at)] })),
    row(FeedService.method.setReadPosition, rules.anyoneSignedIn, (at) => ({ activityId: postOf(at) })),
    row(FeedService.method.getReadPosition, rules.anyoneSignedIn, none),
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
    row(
      ListService.method.listLists,
      rules.own("lists", ({ viewer, owner }) => (viewer === "owner" ? [owner] : [])),
      none,
    ),
    row(ListService.method.listListMembers, rules.ownersOnly("people", rules.theFan), (at) => ({ list: listOf(at) })),
    row(AccountService.method.getAccount, rules.anyoneSignedIn, none),
    row(MediaService.method.getMedia, rules.ownersOnly(), (at) => ({ media: mediaOf(at) })),
  ];
}

/** What adds something that no other row looks at. */
function additions(): Row[] {
  const changes = { changes: "little" };
  const named = ({ world, nth }: Place) => `${world.prefix}_${nth}`;
  const signIn = ({ world, nth }: Place) => ({ username: `${world.prefix}x${nth}`, password });
  const logIn = ({ world, owner }: Place) => ({ username: `${world.prefix}_${owner}`, password });
  const withFan = (at: Place) => ({ list: listOf(at), ...one("fan")(at) });
  return [
    row(AuthService.method.register, rules.anyone, signIn, changes),
    row(AuthService.method.logIn, rules.anyone, logIn, changes),
    row(LikeService.method.unlikePost, rules.writeUnderPost, post, changes),
    row(LikeService.method.likePost, rules.writeUnderPost, post, changes),
    row(LikeService.method.deletePostReaction, rules.writeUnderPost, post, changes),
    row(LikeService.method.reactToPost, rules.writeUnderPost, (at) => ({ ...post(at), ...love }), changes),
    row(LikeService.method.deleteCommentReaction, rules.writeUnderPost, comment, changes),
    row(LikeService.method.reactToComment, rules.writeUnderPost, (at) => ({ ...comment(at), ...love }), changes),
    row(CommentService.method.updateThread, rules.authorsOnly, post, changes),
    row(
      CommentService.method.updateComment,
      rules.commentersOnly,
      (at) => ({ ...comment(at), text: named(at) }),
      changes,
    ),
    row(CommentService.method.showComment, rules.authorsOnly, comment, changes),
    row(CommentService.method.createComment, rules.writeUnderPost, (at) => ({ ...post(at), text: named(at) }), changes),
    row(SaveService.method.savePost, rules.writeUnderPost, post, changes),
    row(SaveService.method.unsavePost, rules.writeUnderPost, post, changes),
    row(SaveService.method.createCollection, rules.openAccount, (at) => ({ name: named(at) }), changes),
    row(
      SaveService.method.renameCollection,
      rules.nobodysToChange,
      (at) => ({ ...collection(at), name: "other" }),
      changes,
    ),
    row(SaveService.method.deleteCollection, rules.ending, collection, changes),
    row(MuteService.method.muteThread, rules.writeAfterReading, post, changes),
    row(MuteService.method.unmuteThread, rules.ending, post, changes),
    row(MuteService.method.muteWord, rules.openAccount, () => ({ word: "zebra" }), changes),
    row(MuteService.method.unmuteWord, rules.ending, () => ({ word: "zebra" }), changes),
    row(ListService.method.createList, rules.openAccount, (at) => ({ name: named(at) }), changes),
    row(
      ListService.method.renameList,
      rules.ownersOnlyToChange,
      (at) => ({ list: listOf(at), name: "other" }),
      changes,
    ),
    row(ListService.method.addListMember, rules.ownersOnlyToChange, withFan, changes),
    row(RelationService.method.acceptFollowRequest, rules.answering, one("asker"), changes),
    row(RelationService.method.declineFollowRequest, rules.ending, one("asker"), changes),
    row(RelationService.method.removeFollower, rules.ending, one("asker"), changes),
    row(
      MediaService.method.createMedia,
      rules.openAccount,
      () => ({ kind: "MEDIA_KIND_PHOTO", sizeBytes: 9 }),
      changes,
    ),
    row(MediaService.method.completeMedia, rules.completing, (at) => ({ media: mediaOf(at) }), changes),
    row(MediaService.method.deleteMedia, rules.ending, (at) => ({ media: mediaOf(at) }), changes),
    row(UserService.method.updateProfile, rules.openAccount, () => ({}), changes),
    row(PostService.method.createPost, rules.openAccount, (at) => ({ text: named(at) }), changes),
    row(PostService.method.pinPost, rules.authorsOnly, post, changes),
    row(RepostService.method.undoRepost, rules.ending, post, changes),
    row(PollService.method.vote, rules.votable, (at) => ({ ...post(at), options: [0] }), changes),
    row(RepostService.method.repostPost, rules.repostable, post, { changes: "reposts" }),
    row(PostService.method.detachQuote, rules.neverThere, (at) => ({ ...post(at), quote: postOf(at) }), changes),
    row(PostService.method.unpinPost, rules.ending, post, changes),
    row(DraftService.method.createDraft, rules.openAccount, (at) => ({ text: named(at) }), changes),
    row(
      DraftService.method.updateDraft,
      rules.ownersOnlyToChange,
      (at) => ({ draft: draftOf(at), text: named(at) }),
      changes,
    ),
  ];
}

/** What changes how a viewer and an owner stand, but never whether the viewer finds the owner. */
function relations(): Row[] {
  return [
    row(UserService.method.followUser, rules.following, user, { changes: "relations" }),
    row(UserService.method.unfollowUser, rules.aboutAccount, user, { changes: "relations" }),
    row(MuteService.method.muteUser, rules.aboutAccount, user, { changes: "relations" }),
    row(MuteService.method.unmuteUser, rules.aboutAccount, user, { changes: "relations" }),
    row(RelationService.method.blockUser, rules.aboutAccount, user, { changes: "relations" }),
    row(RelationService.method.unblockUser, rules.aboutAccount, user, { changes: "relations" }),
  ];
}

/** What ends things, the smallest first. */
function endings(): Row[] {
  const changes = { changes: "all" };
  const member = (at: Place) => ({ list: listOf(at), ...one("fan")(at) });
  const named = ({ world, nth }: Place) => `${world.prefix}_${nth}`;
  return [
    row(CommentService.method.hideComment, rules.authorsOnly, comment, changes),
    row(CommentService.method.deleteComment, rules.authorsOnly, comment, changes),
    row(DraftService.method.publishDraft, rules.ownersOnlyToChange, (at) => ({ draft: draftOf(at) }), changes),
    row(DraftService.method.deleteDraft, rules.ending, (at) => ({ draft: draftOf(at) }), changes),
    row(PostService.method.editPost, rules.authorsOnly, (at) => ({ ...post(at), text: named(at) }), changes),
    row(PostService.method.deletePost, rules.authorsOnly, post, changes),
    row(ListService.method.removeListMember, rules.ownersOnlyToChange, member, changes),
    row(ListService.method.deleteList, rules.ending, (at) => ({ list: listOf(at) }), changes),
    row(AccountService.method.updateAccount, rules.openAccount, () => ({ private: true }), changes),
    row(AccountService.method.deactivateAccount, rules.openAccount, none, changes),
    row(AccountService.method.reactivateAccount, rules.openAccount, none, changes),
    row(AccountService.method.deleteAccount, rules.openAccount, none, changes),
  ];
}
