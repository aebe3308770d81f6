//! The post part of the public contract in a dozen lines: keeps texts in a map and says what it was called with.

import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { type Post, PostSchema } from "#gen/skein/api/v1/resources_pb.ts";
import { type Call, callOf } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import { rpcsOf } from "../src/door/rpc.ts";

type Part = Partial<ServiceImpl<typeof PostService>>;

export function postApi(given: Part = {}) {
  const posts = new Map<string, Post>();
  const calls: Call[] = [];
  const requests: unknown[] = [];
  const impl: Part = {
    createPost({ text }, ctx) {
      calls.push(callOf(ctx));
      const post = create(PostSchema, { id: String(posts.size + 1), version: 1, text });
      posts.set(post.id, post);
      if (ctx.requestHeader.get("Idempotency-Key") === "again") ctx.responseHeader.set("Idempotency-Replayed", "true");
      return { post };
    },
    getPost(request, ctx) {
      calls.push(callOf(ctx));
      const post = posts.get(request.post);
      if (post === undefined) throw notFound("post");
      return { post };
    },
    deletePost(request) {
      posts.delete(request.post);
      return {};
    },
    listUserPosts(request) {
      requests.push(request);
      return { posts: [...posts.values()] };
    },
    editPost: () => ({}),
    listPostVersions: () => ({}),
    pinPost: () => ({}),
    unpinPost: () => ({}),
    listTagPosts: () => ({}),
    listPublicPosts: () => ({}),
    listPostQuotes: () => ({}),
    detachQuote: () => ({}),
    ...given,
  };
  return { rpcs: rpcsOf(PostService, impl as ServiceImpl<typeof PostService>), posts, calls, requests };
}
