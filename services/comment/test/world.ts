import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { Comment, CreateCommentResponse } from "#gen/skein/comment/v1/comment_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { peopleOf } from "#lib/harness/people.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { everyFactTold } from "#lib/harness/told.ts";
import { commentCounts, decodeCount } from "#lib/readmodel/count.ts";

let place: Scratch;
/** The comment service of this test file, and the services it asks. */
export let system: Booted<"graph" | "post" | "comment">;
before(async () => {
  place = scratch(process.env);
  system = await boot(place, ["graph", "post", "comment"]);
  somebody = await peopleOf(system);
});
after(async () => {
  await system?.stop();
  await place?.close();
});

export const as = (viewerId?: string) => system.as(viewerId);
/** Somebody new, with an account. */
export let somebody: () => string;
export const rows = (sql: string, ...params: string[]) => system.db("comment").query(sql, params);

let keys = 0;
export const newKey = () => `key-${++keys}`;

export async function newPost(author = somebody()): Promise<string> {
  const { post } = await system.clients.post.createPost({ text: "hello", idempotencyKey: newKey() }, as(author));
  assert.ok(post);
  return post.id;
}

/** A post that was there and is gone. */
export async function deletedPost(): Promise<string> {
  const author = somebody();
  const postId = await newPost(author);
  await system.clients.post.deletePost({ postId }, as(author));
  return postId;
}

export type Said = { readonly postId: string; readonly author?: string; readonly text?: string; readonly key?: string };

export function create({ postId, author = somebody(), text = "well said", key = newKey() }: Said) {
  const request = { postId, text, idempotencyKey: key };
  return system.clients.comment.createComment(request, as(author)) satisfies Promise<CreateCommentResponse>;
}

export async function created(said: Said): Promise<Comment> {
  const { comment } = await create(said);
  assert.ok(comment);
  return comment;
}

export const remove = (commentId: string, viewer?: string) =>
  system.clients.comment.deleteComment({ commentId }, as(viewer));

export const get = async (commentId: string) => (await system.clients.comment.getComment({ commentId }, as())).comment;

/** What is listed under a post. */
export const list = (postId: string, page: { pageSize?: number; pageToken?: string } = {}) =>
  system.clients.comment.listComments({ postId, ...page }, as());

export const countsOf = async (postIds: readonly string[]): Promise<number[]> =>
  (await system.clients.comment.batchGetCommentCounts({ postIds: [...postIds] }, as())).counts.map(Number);

/** The relay is done: counts are folded and in Redis. */
export const allTold = () => everyFactTold(system.db("comment"));

/** The facts about one aggregate, in the order of its versions. */
export async function factsOf(aggregate: string) {
  const facts = await rows("SELECT type, payload FROM outbox WHERE aggregate = ? ORDER BY version", aggregate);
  return facts.map(({ type, payload }) => ({ type: String(type), payload: payload as Buffer }));
}

/** The count of a post as readers of Redis see it; undefined where it is missing. */
export async function countInRedis(postId: string) {
  const { redis } = system;
  const [bytes] = await redis.run(redis.pipeline().getBuffer(commentCounts.keyOf(redis, BigInt(postId))));
  return bytes === null ? undefined : decodeCount(bytes as Buffer);
}
