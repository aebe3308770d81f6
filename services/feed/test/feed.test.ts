import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { type FeedItem, Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import { newId } from "#lib/storage/id.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await openWorld(process.env);
});
after(() => world?.close());

const ids = (items: readonly FeedItem[]) => items.map(({ activityId }) => activityId);
const hourMs = 3_600_000;

test("the home feed is its viewer's: nobody else's, and nobody's without one", async () => {
  const { feed, as } = world;
  const [viewer] = await world.people(1);
  await refused(feed.listHomeFeed({}, as()), Code.Unauthenticated, "unauthenticated");
  assert.deepEqual(await world.home(viewer), []);
});

test("items are thin: what, whose, in which version, and why", async () => {
  const { follow, post } = world;
  const [viewer, author, stranger, silent] = await world.people(4);
  await follow(viewer, author);
  const [theirs, own] = [await post(author), await post(viewer)];
  await post(stranger);
  const { items, nextPageToken } = await world.feed.listHomeFeed({}, world.as(viewer));
  const item = (id: string, authorId: string, reason: Reason) => ({
    $typeName: "skein.feed.v1.FeedItem",
    activityId: id,
    postId: id,
    postVersion: 1n,
    authorId,
    authorVersion: 1n,
    reason,
    likeCount: 0n,
    commentCount: 0n,
    liked: false,
    otherReactions: [],
    viewerReaction: 0,
    saved: false,
    reposted: false,
    replyRefusal: 0,
    repostedById: "",
    repostedByVersion: 0n,
    repostCount: 0n,
    quoteCount: 0n,
    saveCount: 0n,
  });
  assert.deepEqual(items, [item(own, viewer, Reason.OWN), item(theirs, author, Reason.FOLLOWING)]);
  assert.equal(nextPageToken, "");
  const page = await world.feed.listAuthorFeed({ authorId: author }, world.as());
  assert.deepEqual(page.items, [item(theirs, author, Reason.AUTHOR)]);
  assert.deepEqual(await world.author(silent), []);
});

test("a post is in every follower's feed when its create answers, and in no one else's", async () => {
  const [author, visited, fresh, other] = await world.people(4);
  for (const fan of [visited, fresh]) await world.follow(fan, author);
  await world.home(visited);
  await world.home(other);
  for (let nth = 0; nth < 10; nth++) {
    const id = await world.post(author);
    const [seen, own, page, not] = await Promise.all([visited, author, fresh, other].map((who) => world.home(who)));
    assert.deepEqual([seen?.[0], own?.[0], page?.[0], not], [id, id, id, []]);
    assert.equal((await world.author(author))[0], id);
  }
});

test("no deleted post is in any feed when its delete answers", async () => {
  const [author, fan] = await world.people(2);
  await world.follow(fan, author);
  const posts: string[] = [];
  for (let nth = 0; nth < 6; nth++) posts.unshift(await world.post(author));
  await world.fannedOut();
  assert.deepEqual(await world.home(fan), posts);
  const first = await world.feed.listHomeFeed({ pageSize: 2 }, world.as(fan));
  for (const at of [0, 4, 2]) {
    const [gone] = posts.splice(at, 1) as [string];
    await world.remove(author, gone);
    for (const feed of await Promise.all([world.home(fan), world.home(author), world.author(author)]))
      assert.deepEqual(feed, posts);
  }
  const { items } = await world.feed.listHomeFeed({ pageSize: 9, pageToken: first.nextPageToken }, world.as(fan));
  assert.deepEqual(ids(items), posts.slice(-2), "nor on the pages below");
  await world.flush();
  assert.deepEqual(await world.home(fan), posts);
});

test("a post deleted before it was fanned out is in no feed", async () => {
  const [author, fan] = await world.people(2);
  await world.follow(fan, author);
  await world.home(fan);
  for (let nth = 0; nth < 10; nth++) {
    await world.remove(author, await world.post(author));
    assert.deepEqual(await world.home(fan), []);
  }
  await world.fannedOut();
  assert.deepEqual(await world.home(fan), []);
});

test("no unfollowed author is in the feed when the unfollow answers, on no page", async () => {
  const [viewer, stays, leaves] = await world.people(3);
  for (const author of [stays, leaves]) await world.follow(viewer, author);
  const [kept, dropped] = [[] as string[], [] as string[]];
  for (let nth = 0; nth < 5; nth++) {
    kept.unshift(await world.post(stays));
    dropped.unshift(await world.post(leaves));
  }
  await world.fannedOut();
  const both = kept.flatMap((id, nth) => [dropped[nth] as string, id]);
  assert.deepEqual(await world.home(viewer), both);
  const first = await world.feed.listHomeFeed({ pageSize: 4 }, world.as(viewer));
  await world.unfollow(viewer, leaves);
  const below = await world.feed.listHomeFeed({ pageSize: 50, pageToken: first.nextPageToken }, world.as(viewer));
  assert.deepEqual(ids(below.items), kept.slice(2));
  assert.deepEqual(await world.home(viewer), kept);
  await world.post(leaves);
  assert.deepEqual(await world.home(viewer), kept, "nor what they post later");
  await world.follow(viewer, leaves);
  assert.equal((await world.home(viewer)).length, 11, "and all is back with the next follow");
});

test("what new followings posted before is merged at the next visit", async () => {
  const [viewer, ...authors] = await world.people(6);
  assert.deepEqual(await world.home(viewer), []);
  for (let nth = 0; nth < 4; nth++) for (const author of authors) await world.post(author);
  for (const author of authors) {
    await world.follow(viewer, author);
    assert.deepEqual(await world.home(viewer), await world.truth(viewer));
  }
  assert.equal((await world.home(viewer)).length, 20);
});

test("a page token goes on with its own list, for its own viewer", async () => {
  const [author, one, two] = await world.people(3);
  for (const fan of [one, two]) await world.follow(fan, author);
  for (let nth = 0; nth < 5; nth++) await world.post(author);
  const { feed, as } = world;
  const home = (viewer: string, pageToken: string, pageSize = 2) =>
    feed.listHomeFeed({ pageSize, pageToken }, as(viewer));
  const page = (authorId: string, pageToken: string, pageSize = 2) =>
    feed.listAuthorFeed({ authorId, pageSize, pageToken }, as());
  const homeToken = (await home(one, "")).nextPageToken;
  const pageToken = (await page(author, "")).nextPageToken;
  assert.equal((await home(one, homeToken)).items.length, 2);
  assert.equal((await page(author, pageToken)).items.length, 2);
  const strange = [
    () => home(two, homeToken),
    () => home(one, pageToken),
    () => page(author, homeToken),
    () => page(one, pageToken),
    () =>
      home(
        one,
        homeToken.replace(/.$/, (last) => (last === "A" ? "B" : "A")),
      ),
  ];
  for (const call of strange) await refused(call(), Code.InvalidArgument, "invalid-cursor", "page_token");
  for (const size of [-1, 101]) {
    await refused(home(one, "", size), Code.InvalidArgument, "validation", "page_size");
    await refused(page(author, "", size), Code.InvalidArgument, "validation", "page_size");
  }
  await refused(page("abc", ""), Code.InvalidArgument, "validation", "author_id");
});

test("a page is full although much below it is hidden, and the feed goes on", async () => {
  const [viewer, author, leaves] = await world.people(3);
  for (const each of [author, leaves]) await world.follow(viewer, each);
  for (let nth = 0; nth < 3; nth++) await world.post(author);
  for (let nth = 0; nth < 40; nth++) await world.post(leaves);
  await world.fannedOut();
  await world.home(viewer);
  await world.unfollow(viewer, leaves);
  const { items } = await world.feed.listHomeFeed({ pageSize: 3 }, world.as(viewer));
  assert.deepEqual(ids(items), await world.truth(viewer));
});

test("feeds go on below what a timeline keeps, in order, however they were made", { timeout: 60_000 }, async () => {
  const [a, b, pushed, merged] = await world.people(4);
  for (const fan of [pushed, merged]) for (const author of [a, b]) await world.follow(fan, author);
  await world.home(pushed);
  const start = Date.now() - 10 * hourMs;
  const times = (from: number, count: number, authorId: string) =>
    Array.from({ length: count }, (_, nth) => ({
      authorId,
      timeMs: start + (from + nth) * 7_000 + (authorId === a ? 0 : 3_500),
    }));
  await world.importPosts(times(200, 250, a).concat(times(200, 250, b)));
  await world.importPosts(times(450, 250, a).concat(times(450, 250, b)));
  await world.importPosts(times(0, 200, a));
  await world.fannedOut();
  const truth = await world.truth(merged);
  assert.equal(truth.length, 1_200);
  assert.deepEqual(await world.home(pushed, 100), truth, "pushed, trimmed, then from the database");
  assert.deepEqual(await world.home(merged, 97), truth, "merged at the visit");
  assert.deepEqual(await world.home(merged, 33), truth, "as it was sealed");
  const [bottom, middle] = [truth.at(-1) as string, truth[600] as string];
  assert.deepEqual(await world.above(merged, bottom, 97), truth.slice(0, -1), "upwards, from the database and on");
  assert.deepEqual(await world.above(pushed, middle, 41), truth.slice(0, 600), "upwards in what is kept");
  assert.deepEqual(await world.author(a, 100), await world.authorTruth(a), "an author's page");
  await world.remove(a, truth[3] as string);
  await world.remove(a, truth.at(-2) as string);
  await world.flush();
  const rest = truth.filter((_, nth) => nth !== 3 && nth !== truth.length - 2);
  assert.deepEqual(await world.truth(merged), rest);
  for (const viewer of [pushed, merged])
    assert.deepEqual(await world.home(viewer, 100), rest, "after Redis lost everything");
  assert.deepEqual(await world.author(a, 100), await world.authorTruth(a));
});

test("a post imported with an older time lands in its place in timelines that stand", async () => {
  const [author, other, fan] = await world.people(3);
  for (const each of [author, other]) await world.follow(fan, each);
  for (let nth = 0; nth < 3; nth++) await world.post(author);
  // Young enough for the lag, which leaves older ones to their fan-out.
  const at = Date.now() - 8 * 60_000;
  await world.importPosts([1, 3, 5].map((minute) => ({ authorId: other, timeMs: at + minute * 60_000 })));
  await world.fannedOut();
  await world.home(fan);
  await world.importPosts([4, 0, 2].map((minute) => ({ authorId: other, timeMs: at + minute * 60_000 })));
  const truth = await world.truth(fan);
  assert.equal(truth.length, 9);
  assert.deepEqual(await world.home(fan), truth, "through the lag");
  await world.fannedOut();
  assert.deepEqual(await world.home(fan), truth, "from the timeline");
  assert.deepEqual((await world.timeline(fan)).ids, truth);
});

test("timelines are made again after Redis lost everything, and posts go on into them", async () => {
  const [author, fan, late] = await world.people(3);
  for (const each of [fan, late]) await world.follow(each, author);
  await world.post(author);
  await world.home(fan);
  await world.flush();
  const id = await world.post(author);
  assert.deepEqual(await world.home(fan), await world.truth(fan));
  assert.equal((await world.home(late))[0], id);
  await world.post(author);
  await world.fannedOut();
  for (const each of [fan, late]) assert.deepEqual((await world.timeline(each)).ids, await world.truth(each));
});

test("a timeline nobody visits is not made", async () => {
  const [author, fan] = await world.people(2);
  await world.follow(fan, author);
  await world.post(author);
  await world.fannedOut();
  assert.deepEqual(await world.timeline(fan), { ids: [], sealed: false });
  assert.equal((await world.home(fan)).length, 1);
  assert.equal((await world.timeline(fan)).sealed, true);
});

test("people who are nobody see nothing of anybody", async () => {
  const nobody = String(newId());
  await assert.rejects(world.home(nobody), { code: Code.NotFound });
  assert.deepEqual(await world.author(nobody), []);
});
