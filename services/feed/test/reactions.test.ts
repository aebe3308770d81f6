import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ConnectError } from "@connectrpc/connect";
import { ReplyRefusal } from "#gen/skein/comment/v1/comment_pb.ts";
import { Repliers } from "#gen/skein/comment/v1/thread_pb.ts";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { until } from "#lib/harness/until.ts";
import { explain } from "#lib/mesh/errors.ts";
import { reactedSets } from "#lib/readmodel/families.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await openWorld(process.env);
});
after(() => world?.close());

const subject = (id: string) => ({ kind: SubjectKind.POST, id });
const like = (viewer: string, id: string) =>
  world.system.clients.like.like({ subject: subject(id), reaction: Reaction.LIKE }, world.as(viewer));
const unlike = (viewer: string, id: string) =>
  world.system.clients.like.unlike({ subject: subject(id) }, world.as(viewer));
let keys = 0;
const comment = (viewer: string, postId: string) =>
  world.system.clients.comment.createComment({ postId, text: "words", idempotencyKey: `c${++keys}` }, world.as(viewer));

/** Likes, comments and the viewer's own like of each item of a home page. */
async function home(viewer: string) {
  const { items } = await world.feed.listHomeFeed({}, world.as(viewer));
  return items.map(({ likeCount, commentCount, liked }) => [Number(likeCount), Number(commentCount), liked]);
}

async function counted(viewer: string, wanted: unknown[][]): Promise<void> {
  await until("everything is counted", async () => JSON.stringify(await home(viewer)) === JSON.stringify(wanted));
}

test("a viewer's own like shows in the next read, counts follow, also after Redis lost everything", async () => {
  const [author, fan, other] = await world.people(3);
  await world.follow(fan, author);
  const [first, second] = [await world.post(author), await world.post(author)];
  assert.deepEqual(await home(fan), [
    [0, 0, false],
    [0, 0, false],
  ]);
  for (const id of [second, first, second]) await like(fan, id);
  assert.deepEqual(
    (await home(fan)).map(([, , liked]) => liked),
    [true, true],
  );
  await unlike(fan, second);
  assert.deepEqual(
    (await home(fan)).map(([, , liked]) => liked),
    [false, true],
  );
  await like(other, first);
  await comment(other, second);
  const wanted = [
    [0, 1, false],
    [2, 0, true],
  ];
  await counted(fan, wanted);
  await world.flush();
  assert.deepEqual(await home(fan), wanted);
  const page = await world.feed.listAuthorFeed({ authorId: author }, world.as());
  assert.deepEqual(
    page.items.map(({ likeCount, liked }) => [Number(likeCount), liked]),
    [
      [0, false],
      [2, false],
    ],
    "whom nobody knows likes nothing",
  );
});

test("while the comment service is away its counts show as 0, and feeds go on", { timeout: 60_000 }, async () => {
  const [author, fan] = await world.people(2);
  await world.follow(fan, author);
  const id = await world.post(author);
  await comment(fan, id);
  await like(fan, id);
  await counted(fan, [[1, 1, true]]);
  await world.system.kill("comment", "SIGKILL");
  await world.flush();
  assert.deepEqual(await home(fan), [[1, 0, true]]);
  await world.system.start("comment");
  assert.deepEqual(await home(fan), [[1, 1, true]]);
});

test("below the liked set's low watermark the like service answers", async () => {
  const [author, fan] = await world.people(2);
  await world.follow(fan, author);
  const [old, recent] = [await world.post(author), await world.post(author)];
  await like(fan, old);
  await like(fan, recent);
  const { redis } = world.system;
  const keep = await reactedSets.rebuild(redis, BigInt(fan));
  await keep({ version: 2n, lowWatermark: BigInt(recent) }, [[BigInt(recent), Reaction.LIKE]]);
  await counted(fan, [
    [1, 0, true],
    [1, 0, true],
  ]);
});

/** What a refused comment says for each refusal that a card may show. */
const causes = new Map<number, string[]>([
  [ReplyRefusal.LOCKED, ["thread-locked"]],
  [ReplyRefusal.FOLLOWERS, ["reply-not-allowed", "replies-limited"]],
  [ReplyRefusal.MENTIONED, ["reply-not-allowed"]],
  [ReplyRefusal.NOBODY, ["reply-not-allowed", "replies-limited"]],
]);

test("a post says why its reader may not reply, as its thread says and as a comment is taken or refused", async () => {
  const { post, comment: comments } = world.system.clients;
  const [author, follower, named, stranger] = await world.people(4);
  await world.follow(follower, author);
  const settings = [ReplySetting.EVERYONE, ReplySetting.FOLLOWERS, ReplySetting.MENTIONED, ReplySetting.NOBODY];
  const threads = [{}, { locked: true }, { repliers: Repliers.FOLLOWERS }, { repliers: Repliers.NOBODY }];
  for (const [nth, replySetting] of settings.entries()) {
    for (const [at, thread] of threads.entries()) {
      const asked = { text: "words", replySetting, mentionedUserIds: [named], idempotencyKey: `reply-${nth}-${at}` };
      const { post: made } = await post.createPost(asked, world.as(author));
      // Read before the thread changes, so that what Redis has then is to be put right by the answer.
      await world.feed.listAuthorFeed({ authorId: author, pageSize: 1 }, world.as(author));
      await comments.updateThread({ postId: made?.id ?? "", ...thread }, world.as(author));
    }
  }
  const pages = new Map<string, Map<string, ReplyRefusal>>();
  const read = async (viewer: string) => {
    const { items } = await world.feed.listAuthorFeed({ authorId: author, pageSize: 20 }, world.as(viewer));
    return new Map(items.map(({ postId, replyRefusal }) => [postId, replyRefusal]));
  };
  const everybody = [author, follower, named, stranger];
  for (const viewer of everybody) pages.set(viewer, await read(viewer));
  await world.flush();
  for (const viewer of everybody) assert.deepEqual(await read(viewer), pages.get(viewer), "also from truth");
  const met = new Set<ReplyRefusal>();
  for (const viewer of everybody) {
    const page = pages.get(viewer) ?? new Map<string, ReplyRefusal>();
    assert.equal(page.size, settings.length * threads.length);
    const ids = [...page.keys()];
    const { refusals } = await comments.batchGetCommentCounts({ postIds: ids }, world.as(viewer));
    assert.deepEqual(refusals, [...page.values()], "as posts that are shown alone say it");
    for (const [postId, refusal] of page) {
      const { mayReply } = await comments.getThread({ postId }, world.as(viewer));
      const said = await comment(viewer, postId).then(
        () => "",
        (thrown) => explain(ConnectError.from(thrown)).reason ?? "",
      );
      met.add(refusal);
      assert.equal(mayReply, refusal === ReplyRefusal.UNSPECIFIED);
      if (refusal === ReplyRefusal.UNSPECIFIED) assert.equal(said, "");
      else assert.ok(causes.get(refusal)?.includes(said), `${refusal}: ${said}`);
    }
  }
  assert.equal(met.size, 1 + causes.size, "every refusal was met");
  const anonymous = await world.feed.listAuthorFeed({ authorId: author, pageSize: 20 }, world.as());
  assert.ok(anonymous.items.every(({ replyRefusal }) => replyRefusal === ReplyRefusal.UNSPECIFIED));
});
