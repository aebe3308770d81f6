import { create } from "@bufbuild/protobuf";
import { type Audience, PostSchema, type Post as ShownPost } from "#gen/skein/api/v1/resources_pb.ts";
import type { Post } from "#gen/skein/post/v1/post_pb.ts";
import type { User } from "#gen/skein/user/v1/user_pb.ts";
import { authorView } from "./user.ts";

/** What stands beside a post's content: as thin items carry it. */
export type Reactions = { readonly likeCount: bigint; readonly commentCount: bigint; readonly liked: boolean };

/** A post as shown. */
export function postView(
  post: Post,
  author: User,
  { likeCount, commentCount, liked }: Reactions,
  viewerId: string | undefined,
): ShownPost {
  const { id, version, text, audience, createTime } = post;
  return create(PostSchema, {
    id,
    version: Number(version),
    text,
    audience: audience as number as Audience,
    author: authorView(author),
    likeCount: Number(likeCount),
    commentCount: Number(commentCount),
    ...(createTime && { createTime }),
    ...(viewerId !== undefined && { viewer: { own: post.authorId === viewerId, liked } }),
  });
}
