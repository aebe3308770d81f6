import { create } from "@bufbuild/protobuf";
import { PostSchema, type Post as ShownPost } from "#gen/skein/api/v1/resources_pb.ts";
import type { Post } from "#gen/skein/post/v1/post_pb.ts";
import type { User } from "#gen/skein/user/v1/user_pb.ts";
import { authorView } from "./user.ts";

/** A post as shown. Nobody counts likes and comments yet: 0 of each. */
export function postView(post: Post, author: User, viewerId: string | undefined): ShownPost {
  const { id, version, text, createTime } = post;
  return create(PostSchema, {
    id,
    version: Number(version),
    text,
    author: authorView(author),
    ...(createTime && { createTime }),
    ...(viewerId !== undefined && { viewer: { own: post.authorId === viewerId, liked: false } }),
  });
}
