/** What the projects that this one grew from could do, and what does it here. */

/** Work that is not done yet, by the one name each piece has. */
export const openWork = ["notifications", "live", "chat", "search", "recommendation", "account recovery"] as const;

/** A test, by its file and the words of its title. */
type Story = readonly [file: string, title: string];

export type Cover =
  /** An RPC or a fact of the contracts by its full name, and a test that exercises it. */
  | { readonly by: string; readonly story: Story }
  /** A path beside the contracts. */
  | { readonly at: string; readonly story: Story }
  | { readonly open: (typeof openWork)[number] }
  /** No feature: a page of HTML, or a step of how it was built there. */
  | { readonly none: string };

const api = (by: string, file: string, title: string): Cover => ({ by: `skein.api.v1.${by}`, story: [file, title] });
const fact = (by: string, file: string, title: string): Cover => ({ by: `skein.${by}`, story: [file, title] });

const story = "tests/story.test.ts";
const registering = api("AuthService.Register", story, "people register, follow and post");
const loggingIn = api("AuthService.LogIn", story, "log in answers a token and the user");
const profile = api("UserService.GetUser", story, "profiles and lists show counts and how the viewer stands");
const profiles = api("RelationService.BatchGetRelationships", story, "a private account lets people in one by one");
const editingProfile = api(
  "UserService.UpdateProfile",
  "tests/sdk.test.ts",
  "a profile that changes shows at the next read",
);
const following = api("UserService.FollowUser", story, "people register, follow and post");
const unfollowing = api("UserService.UnfollowUser", story, "what was unfollowed or deleted is gone");
const accepting = api("RelationService.AcceptFollowRequest", story, "a private account lets people in one by one");
const followers = api("UserService.ListFollowers", story, "profiles and lists show counts");
const followings = api("UserService.ListFollowing", story, "profiles and lists show counts");
const posting = api("PostService.CreatePost", story, "people register, follow and post");
const withMedia = api("PostService.CreatePost", "tests/sdk.test.ts", "a photo goes up through the edge");
const reading = api("PostService.GetPost", "bff/test/routes.test.ts", "a post is answered as shown");
const editing = api("PostService.EditPost", "bff/test/routes.test.ts", "a post is edited in place");
const reposting = api("RepostService.RepostPost", "tests/posts.property.test.ts", "a repost is the post as it stands");
const deleting = api("PostService.DeletePost", story, "what was unfollowed or deleted is gone");
const ownPosts = api("PostService.ListUserPosts", "tests/sdk.test.ts", "lists are walked page by page");
const feed = api("FeedService.ListHomeFeed", story, "people register, follow and post");
const reacting = api(
  "LikeService.ReactToPost",
  "bff/test/engagement-routes.test.ts",
  "a reaction is one call, changes",
);
const reactors = api(
  "LikeService.ListPostReactions",
  "bff/test/engagement-routes.test.ts",
  "a reaction is one call, changes",
);
const unreacting = api(
  "LikeService.DeletePostReaction",
  "bff/test/engagement-routes.test.ts",
  "a reaction is one call, changes",
);
const reactingBelow = "a comment that is gone, or under a post that is gone, is reacted to by nobody";
const onComment = (rpc: string): Cover =>
  api(`LikeService.${rpc}`, "services/like/test/reactions.test.ts", reactingBelow);
const commenting = api("CommentService.CreateComment", story, "likes and comments are seen at once");
const comments = api("CommentService.ListComments", story, "likes and comments are seen at once");
const comment = api(
  "CommentService.GetComment",
  "bff/test/engagement-routes.test.ts",
  "a comment is answered as shown",
);
const uncommenting = api("CommentService.DeleteComment", story, "likes and comments are seen at once");
const editingComment = api(
  "CommentService.UpdateComment",
  "bff/test/engagement-routes.test.ts",
  "a reply is listed under its comment",
);
const replies = api(
  "CommentService.ListReplies",
  "bff/test/engagement-routes.test.ts",
  "a reply is listed under its comment",
);
const saved = "services/post/test/saves.test.ts";
const saving = api("SaveService.SavePost", saved, "a post is kept once, by state");
const unsaving = api("SaveService.UnsavePost", saved, "a post is kept once, by state");
const saves = api("SaveService.ListSaves", saved, "a post is kept once, by state");
const mentions = api("ActivityService.ListMentions", saved, "posts that name somebody are listed for them");
const reacted = api(
  "ActivityService.ListReactedPosts",
  "services/like/test/reactions.test.ts",
  "what somebody reacts to is listed by kind",
);
const uploading = api("MediaService.CreateMedia", "tests/sdk.test.ts", "a photo goes up through the edge");
const sounds: Cover = api(
  "MediaService.CreateMedia",
  "lib/media/test/prepare.test.ts",
  "sound is sound alone, and a file is anything",
);
const fetching: Cover = {
  at: "GET /media/{handle}/{form}",
  story: ["services/media/test/upload.test.ts", "bytes are fetched in part, and once"],
};
const wrk2 = (at: string): Cover => ({ at, story: ["tests/wrk2-api.test.ts", "a graph is loaded and read"] });
const open = (name: (typeof openWork)[number]): Cover => ({ open: name });
const page: Cover = { none: "a page of HTML: this is a backend, and its pages are docs and traces" };
const session: Cover = open("account recovery");

const postFacts = "services/feed/test/replay.test.ts";
const replayed = "everything told and heard again from anywhere";
const counted = (by: string): Cover => fact(by, postFacts, replayed);

/** By the id that seed-endpoints.json has, without its seed and protocol where several share it. */
export const covers: Readonly<Record<string, Cover>> = {
  ...beforeUs(),
  ...i9lyfe(),
  ...i9lyfeLive(),
  ...i9lyfeEvents(),
  ...others(),
};

function beforeUs(): Record<string, Cover> {
  const of = "000-highload";
  return {
    [`${of}:http:GET /health-check`]: {
      by: "grpc.health.v1.Health.Check",
      story: ["tools/test/containers.test.ts", "a container's health is what its process says of itself"],
    },
    [`${of}:http:GET /metrics`]: {
      at: "GET /metrics",
      story: ["tests/alerts.test.ts", "every metric that a rule or a panel names is shown by some process"],
    },
    [`${of}:http:GET /`]: page,
    [`${of}:http:GET /public/*`]: page,
    [`${of}:http:GET /signin`]: page,
    [`${of}:http:POST /login`]: loggingIn,
    [`${of}:http:POST /register`]: registering,
    [`${of}:http:GET /logout`]: session,
    [`${of}:http:GET /users`]: open("search"),
    [`${of}:http:ANY /users/{user_id}`]: profile,
    [`${of}:http:POST /users/{user_id}/add`]: following,
    [`${of}:http:POST /users/{user_id}/approve`]: accepting,
    [`${of}:http:POST /users/{user_id}/chat`]: open("chat"),
    [`${of}:http:GET /users/{user_id}/friends`]: api(
      "RelationService.ListMutuals",
      "services/graph/test/relations.test.ts",
      "mutuals and familiar followers",
    ),
    [`${of}:http:GET /chats`]: open("chat"),
    [`${of}:http:GET /chats/{chat_id}`]: open("chat"),
    [`${of}:http:POST /chats/{chat_id}/message`]: open("chat"),
    [`${of}:http:GET /posts`]: ownPosts,
    [`${of}:http:POST /posts`]: posting,
    [`${of}:http:GET /feed`]: feed,
    [`${of}:websocket:SUBSCRIBE ws://localhost:8000/connection/websocket#feed_user_id_{id}`]: open("live"),
    [`${of}:grpc:RPC users.Users/GetAll`]: open("search"),
    [`${of}:grpc:RPC users.Users/GetById`]: profile,
    [`${of}:grpc:RPC users.Users/GetByEmail`]: loggingIn,
    [`${of}:grpc:RPC users.Users/GetFriendsIds`]: followings,
    [`${of}:grpc:RPC users.Users/GetListByIds`]: fact(
      "user.v1.UserService.BatchGetUsers",
      "services/user/test/user.test.ts",
      "BatchGetUsers answers in the order asked",
    ),
    [`${of}:grpc:RPC users.Users/GetRelation`]: profiles,
    [`${of}:grpc:RPC users.Users/FriendRequest`]: following,
    [`${of}:grpc:RPC users.Users/ApproveFriendRequest`]: accepting,
    [`${of}:grpc:RPC users.Users/Store`]: registering,
    [`${of}:grpc:RPC posts.Posts/GetFeed`]: feed,
    [`${of}:grpc:RPC posts.Posts/GetByUserID`]: ownPosts,
    [`${of}:grpc:RPC posts.Posts/Store`]: posting,
    ...Object.fromEntries(
      ["GetUserChats", "GetChatMessages", "StoreMessage", "FindOrCreateChat"].map((rpc) => [
        `${of}:grpc:RPC chats.Chats/${rpc}`,
        open("chat"),
      ]),
    ),
    ...Object.fromEntries(
      ["IncrementUnreadMessageCounter", "DecrementUnreadMessageCounter", "UnreadChatsCount", "FlushChatCounter"].map(
        (rpc) => [`${of}:grpc:RPC counters.Counters/${rpc}`, open("chat")],
      ),
    ),
    [`${of}:kafka:CONSUME posts_feed`]: counted("post.v1.PostCreated"),
  };
}

function i9lyfe(): Record<string, Cover> {
  const auth = "003-i9lyfe:http:POST /api/auth";
  const app = (request: string) => `003-i9lyfe:http:${request.replace(" ", " /api/app/")}`;
  return {
    [`${auth}/signup/request_new_account`]: open("account recovery"),
    [`${auth}/signup/verify_email`]: open("account recovery"),
    [`${auth}/signup/register_user`]: registering,
    [`${auth}/login`]: loggingIn,
    [`${auth}/forgot_password/request_password_reset`]: open("account recovery"),
    [`${auth}/forgot_password/confirm_email`]: open("account recovery"),
    [`${auth}/forgot_password/reset_password`]: open("account recovery"),
    [app("POST private/post_upload/authorize")]: uploading,
    [app("POST private/comment_upload/authorize")]: uploading,
    [app("POST private/new_post")]: withMedia,
    [app("GET private/posts/:postId")]: reading,
    [app("DELETE private/posts/:postId")]: deleting,
    [app("POST private/posts/:postId/react")]: reacting,
    [app("POST private/posts/:postId/repost")]: reposting,
    [app("GET private/posts/:postId/reactors")]: reactors,
    [app("DELETE private/posts/:postId/remove_reaction")]: unreacting,
    [app("POST private/posts/:postId/comment")]: commenting,
    [app("GET private/posts/:postId/comments")]: comments,
    [app("GET private/comments/:commentId")]: comment,
    [app("DELETE private/posts/:postId/comments/:commentId")]: uncommenting,
    [app("POST private/comments/:commentId/react")]: onComment("ReactToComment"),
    [app("GET private/comments/:commentId/reactors")]: onComment("ListCommentReactions"),
    [app("DELETE private/comments/:commentId/remove_reaction")]: onComment("DeleteCommentReaction"),
    [app("POST private/comments/:commentId/comment")]: replies,
    [app("GET private/comments/:commentId/comments")]: replies,
    [app("DELETE private/comments/:parentCommentId/comments/:childCommentId")]: uncommenting,
    [app("POST private/posts/:postId/save")]: saving,
    [app("DELETE private/posts/:postId/unsave")]: unsaving,
    [app("POST private/me/profile_pic_upload/authorize")]: uploading,
    [app("GET private/me")]: api(
      "AccountService.GetAccount",
      story,
      "an account that is closed or suspended is there for its owner alone",
    ),
    [app("GET private/me/signout")]: session,
    [app("PUT private/me/edit_profile")]: editingProfile,
    [app("PUT private/me/change_profile_picture")]: editingProfile,
    [app("POST private/users/:username/follow")]: following,
    [app("DELETE private/users/:username/unfollow")]: unfollowing,
    [app("GET private/me/mentioned_posts")]: mentions,
    [app("GET private/me/reacted_posts")]: reacted,
    [app("GET private/me/saved_posts")]: saves,
    [app("GET private/me/notifications")]: open("notifications"),
    [app("PUT private/me/notifications/:notif_id/read")]: open("notifications"),
    [app("POST private/chat_upload/authorize")]: sounds,
    [app("POST private/chat_upload/authorize/visual")]: uploading,
    [app("GET private/chats")]: open("chat"),
    [app("DELETE private/chats/:partner_username")]: open("chat"),
    [app("GET private/ws")]: open("live"),
    [app("GET public/:username")]: profile,
    [app("GET public/:username/followers")]: followers,
    [app("GET public/:username/followings")]: followings,
    [app("GET public/:username/posts")]: ownPosts,
    "003-i9lyfe:readme-only:TEXT feed: browse posts from people you follow": feed,
    "003-i9lyfe:readme-only:TEXT follow interests/topics": open("recommendation"),
    "003-i9lyfe:readme-only:TEXT search content: full-text, ranking, fuzzy": open("search"),
    "003-i9lyfe:readme-only:TEXT search user accounts": open("search"),
    "003-i9lyfe:readme-only:TEXT search hashtagged posts": api(
      "PostService.ListTagPosts",
      "services/feed/test/shown.test.ts",
      "a tag's page has what is tagged so",
    ),
    "003-i9lyfe:readme-only:TEXT content recommendation": open("recommendation"),
    "003-i9lyfe:readme-only:TEXT user follow recommendation": open("recommendation"),
  };
}

function i9lyfeLive(): Record<string, Cover> {
  const said = "003-i9lyfe:websocket:CLIENT->SERVER";
  const heard = "003-i9lyfe:websocket:SERVER->CLIENT";
  const live = [
    `${said} subscribe to live content metrics`,
    `${said} unsubscribe from live content metrics`,
    `${said} subscribe to user presence change`,
    `${said} unsubscribe from user presence change`,
    `${heard} new feed posts`,
    `${heard} latest post metric`,
    `${heard} latest comment metric`,
    `${heard} user presence changed`,
  ];
  const chat = [
    ...["send message", "ack messages delivered", "ack messages read", "get history", "react to message"].map(
      (what) => `${said} chat: ${what}`,
    ),
    ...["remove reaction to message", "delete message"].map((what) => `${said} chat: ${what}`),
    ...["new che: message", "new che: reaction", "messages delivered", "messages read"].map(
      (what) => `${heard} chat: ${what}`,
    ),
    ...["message reaction removed", "message deleted"].map((what) => `${heard} chat: ${what}`),
  ];
  return {
    ...Object.fromEntries(live.map((id) => [id, open("live")])),
    ...Object.fromEntries(chat.map((id) => [id, open("chat")])),
    [`${heard} new notification`]: open("notifications"),
  };
}

function i9lyfeEvents(): Record<string, Cover> {
  const stream = (name: string) => `003-i9lyfe:redis-stream:CONSUME ${name}`;
  const follows = fact(
    "graph.v1.FollowCountsChanged",
    "services/graph/test/scale.test.ts",
    "counts are exact after 16 workers",
  );
  const likes = fact(
    "like.v1.LikeCountsChanged",
    "services/like/test/counts.test.ts",
    "counts are exact after many likes",
  );
  const said = fact(
    "comment.v1.CommentCountsChanged",
    "services/comment/test/counts.test.ts",
    "counts are exact after creates",
  );
  const kept = fact("api.v1.SaveService.SavePost", saved, "the set in Redis is right or gone after every answer");
  return {
    [stream("users_followed")]: follows,
    [stream("users_unfollowed")]: follows,
    [stream("new_posts")]: counted("post.v1.PostCreated"),
    ...Object.fromEntries(
      ["post_reactions", "post_reactions_removed", "comment_reactions", "comment_reactions_removed"].map((name) => [
        stream(name),
        likes,
      ]),
    ),
    ...Object.fromEntries(
      ["post_comments", "post_comments_removed", "comment_comments", "comment_comments_removed"].map((name) => [
        stream(name),
        said,
      ]),
    ),
    [stream("reposts")]: reposting,
    [stream("post_saves")]: kept,
    [stream("post_unsaves")]: kept,
  };
}

function others(): Record<string, Cover> {
  const text = "002-scalable:text:TEXT";
  const use = "004-hsa:use-case:TEXT";
  const bench = (request: string) => `ref-deathstarbench:http:${request}`;
  return {
    "002-scalable:http:POST /api/users/register": registering,
    "002-scalable:http:POST /api/posts": posting,
    "002-scalable:http:POST /api/posts/{post_id}/comments": commenting,
    "002-scalable:http:GET /api/notifications?user_id=": open("notifications"),
    [`${text} User Service`]: editingProfile,
    [`${text} Post Service`]: editing,
    [`${text} Comment Service`]: editingComment,
    [`${text} Notification Service`]: open("notifications"),
    [`${text} Search (Elasticsearch)`]: open("search"),
    [`${use} User requests news feed`]: feed,
    [`${use} User uploads a post`]: withMedia,
    [`${use} User likes/dislikes a post`]: reacting,
    [`${use} User comments a post`]: commenting,
    [`${use} Client gets media from CDN`]: fetching,
    [bench("GET /wrk2-api/home-timeline/read")]: wrk2("GET /wrk2-api/home-timeline/read"),
    [bench("GET /wrk2-api/user-timeline/read")]: wrk2("GET /wrk2-api/user-timeline/read"),
    [bench("POST /wrk2-api/post/compose")]: wrk2("POST /wrk2-api/post/compose"),
    [bench("POST /wrk2-api/user/register")]: wrk2("POST /wrk2-api/user/register"),
    [bench("POST /wrk2-api/user/follow")]: wrk2("POST /wrk2-api/user/follow"),
    [bench("POST /wrk2-api/user/unfollow")]: wrk2("POST /wrk2-api/user/unfollow"),
    [bench("POST /api/user/register")]: registering,
    [bench("POST /api/user/login")]: loggingIn,
    [bench("POST /api/user/follow")]: following,
    [bench("POST /api/user/unfollow")]: unfollowing,
    [bench("GET /api/user/get_follower")]: followers,
    [bench("GET /api/user/get_followee")]: followings,
    [bench("POST /api/post/compose")]: posting,
    [bench("GET /api/user-timeline/read")]: ownPosts,
    [bench("GET /api/home-timeline/read")]: feed,
    [bench("POST :8081/upload-media")]: uploading,
    [bench("GET :8081/get-media")]: fetching,
  };
}
