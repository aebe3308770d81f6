import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { until } from "#lib/harness/until.ts";
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
