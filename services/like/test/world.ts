import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { peopleOf } from "#lib/harness/people.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { everyFactTold } from "#lib/harness/told.ts";
import { decodeCount, likeCounts } from "#lib/readmodel/count.ts";
import { reactedSets } from "#lib/readmodel/families.ts";
import { setStateOf } from "#lib/readmodel/member-set.ts";
import { bigintOf } from "#lib/storage/mysql.ts";

let place: Scratch;
/** The like service of this test file, and the services it asks. */
export let system: Booted<"graph" | "post" | "like">;

/** Starts them before the tests of a file; `env` is told to both. */
export function startSystem(env: Readonly<Record<string, string>> = {}): void {
  before(async () => {
    place = scratch(process.env);
    system = await boot(place, ["graph", "post", "like"], { env });
    somebody = await peopleOf(system);
  });
  after(async () => {
    await system?.stop();
    await place?.close();
  });
}

export const as = (viewerId?: string) => system.as(viewerId);
/** Somebody new, with an account. */
export let somebody: () => string;
export const ofPost = (id: string) => ({ kind: SubjectKind.POST, id });
export const rows = (sql: string, ...params: string[]) => system.db("like").query(sql, params);

let keys = 0;
export async function newPost(author = somebody()): Promise<string> {
  const { post } = await system.clients.post.createPost({ text: "hello", idempotencyKey: `key-${++keys}` }, as(author));
  assert.ok(post);
  return post.id;
}

export const newPosts = (count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => newPost()));

/** A post that was there and is gone. */
export async function deletedPost(): Promise<string> {
  const author = somebody();
  const postId = await newPost(author);
  await system.clients.post.deletePost({ postId }, as(author));
  return postId;
}

export const like = (viewer: string, postId: string) =>
  system.clients.like.like({ subject: ofPost(postId), reaction: Reaction.LIKE }, as(viewer));
export const unlike = (viewer: string, postId: string) =>
  system.clients.like.unlike({ subject: ofPost(postId) }, as(viewer));

/** How posts are liked, and whether by this viewer. */
export async function likesOf(postIds: readonly string[], viewer?: string): Promise<[count: number, own: boolean][]> {
  const { likes } = await system.clients.like.batchGetLikes({ subjects: postIds.map(ofPost) }, as(viewer));
  return likes.map(({ count, own }) => [Number(count), own === Reaction.LIKE]);
}

/** Whom the store has liking a post. */
export async function likersInStore(postId: string): Promise<number> {
  const [row] = await rows("SELECT COUNT(*) AS n FROM reaction_of WHERE subject_id = ? AND reaction = 1", postId);
  return Number(row?.n);
}

/** The relay is done: counts are folded, and it drops no set any more. */
export const allTold = () => everyFactTold(system.db("like"));

/** The liked set of a viewer as readers of Redis see it: both keys at one moment, for the relay may drop them. */
export async function setInRedis(viewer: string) {
  const { redis } = system;
  const id = BigInt(viewer);
  const read = "return {redis.call('HKEYS', KEYS[1]), redis.call('GET', KEYS[2])}";
  const keysOfSet = [reactedSets.setKey(redis, id), reactedSets.stateKey(redis, id)];
  const [answer] = await redis.run(redis.pipeline().eval(read, 2, ...keysOfSet));
  const [members, state] = answer as [string[], string | null];
  return { members: members.sort(), state: setStateOf(state) };
}

/** A set is as it should be, or gone: the relay may find a change committed that its writer is about to apply. */
export async function assertRightOrGone(viewer: string, postIds: readonly string[], version: bigint): Promise<void> {
  const right = { members: ["0", ...postIds].sort(), state: { version, lowWatermark: 0n } };
  const found = await setInRedis(viewer);
  assert.deepEqual(found, found.state === undefined ? { members: [], state: undefined } : right);
}

/** The liked set as the service answers it. */
export async function likedSet(userId: string) {
  const { version, lowWatermark, postIds } = await system.clients.like.getLikedSet({ userId }, as());
  return { version, lowWatermark, postIds: postIds.map(String) };
}

/** The count of a post as readers of Redis see it; undefined where it is missing. */
export async function countInRedis(postId: string) {
  const { redis } = system;
  const [bytes] = await redis.run(redis.pipeline().getBuffer(likeCounts.keyOf(redis, BigInt(postId))));
  return bytes === null ? undefined : decodeCount(bytes as Buffer);
}

/** The versions of an aggregate's facts, as they stand in the outbox. */
export async function versionsOf(aggregate: string): Promise<bigint[]> {
  const facts = await rows("SELECT version FROM outbox WHERE aggregate = ? ORDER BY version", aggregate);
  return facts.map(({ version }) => bigintOf(version));
}

export const upTo = (last: number): bigint[] => Array.from({ length: last }, (_, nth) => BigInt(nth + 1));
