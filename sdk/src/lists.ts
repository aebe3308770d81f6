import type { Client } from "@connectrpc/connect";
import type { CommentService } from "#gen/skein/api/v1/comment_pb.ts";
import type { FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import type { PostService } from "#gen/skein/api/v1/post_pb.ts";
import type { Comment, Post } from "#gen/skein/api/v1/resources_pb.ts";
import { each, eachAbove } from "./pages.ts";

type Needs = {
  readonly feed: Client<typeof FeedService>;
  readonly posts: Client<typeof PostService>;
  readonly comments: Client<typeof CommentService>;
};

/** Lists as iterators: pages are asked for when they are needed. */
export const listsOf = ({ feed, posts, comments }: Needs) => ({
  /** The viewer's home feed, newest first. */
  homeFeed: (pageSize?: number) =>
    each(
      (page) => feed.listHomeFeed(page),
      ({ items }) => items,
      pageSize,
    ),

  /** What is above a place of the home feed, an activity_id, nearest first: up to what is new when it is asked. */
  homeFeedAbove: (place: string, pageSize?: number) =>
    eachAbove(
      place,
      (page) => feed.listHomeFeed(page),
      ({ items }) => items,
      pageSize,
    ),

  /** What the people on one of the viewer's lists made public, newest first. */
  listFeed: (list: string, pageSize?: number) =>
    each(
      (page) => feed.listListFeed({ list, ...page }),
      ({ items }) => items,
      pageSize,
    ),

  /** Everybody's posts that are for everybody, newest first. */
  publicPosts: (pageSize?: number): AsyncGenerator<Post, void, undefined> =>
    each(
      (page) => posts.listPublicPosts(page),
      ({ posts: found }) => found,
      pageSize,
    ),

  /** Somebody's posts, newest first: by an id or a username. */
  postsOf: (user: string, pageSize?: number): AsyncGenerator<Post, void, undefined> =>
    each(
      (page) => posts.listUserPosts({ user, ...page }),
      ({ posts: found }) => found,
      pageSize,
    ),

  /** What was said under a post, latest first. */
  commentsUnder: (post: string, pageSize?: number): AsyncGenerator<Comment, void, undefined> =>
    each(
      (page) => comments.listComments({ post, ...page }),
      ({ comments: found }) => found,
      pageSize,
    ),
});
