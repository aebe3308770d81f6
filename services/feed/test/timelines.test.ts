import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { AuthorFilter } from "#gen/skein/feed/v1/feed_pb.ts";
import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import { idAt, newId } from "#lib/storage/id.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await openWorld(process.env, { AUDIT_MS: "0" });
});
after(() => world?.close());

const ids = (items: readonly { readonly activityId: string }[]) => items.map(({ activityId }) => activityId);

/** Histories of a walk up a feed. */
const histories = 4;

test("a walk up a feed meets all that is there the whole time, in order, nothing twice, whatever is written meanwhile", {
  timeout: 60_000,
}, async () => {
  const step = fc.record({
    kind: fc.constantFrom("post", "post", "remove", "import", "flush", "none"),
    nth: fc.nat(30),
  });
  const run = async (steps: { kind: string; nth: number }[], pageSize: number, byToken: boolean) => {
    const [viewer, one, other] = await world.people(3);
    for (const author of [one, other]) await world.follow(viewer, author);
    const made: string[] = [];
    for (let nth = 0; nth < 12; nth++) made.push(await world.post(nth % 2 === 0 ? one : other));
    const start = made[1] as string;
    const owner = (id: string) => (made.indexOf(id) % 2 === 0 ? one : other);
    const there = new Set(await world.truth(viewer));
    const met: string[] = [];
    let nth = 0;
    for (let at = start; at !== ""; ) {
      const page = await world.feed.listHomeFeed({ pageSize, after: at }, world.as(viewer));
      met.unshift(...ids(page.items));
      at = byToken ? page.newerPageToken : page.newerPageToken && (page.items[0]?.activityId ?? "");
      const next = steps[nth++];
      if (next?.kind === "post") await world.post(one);
      if (next?.kind === "flush") await world.flush();
      if (next?.kind === "import")
        await world.importPosts([{ authorId: other, timeMs: Date.now() - 60_000 - next.nth }]);
      const gone = made[next?.nth ?? 0];
      if (next?.kind !== "remove" || gone === undefined) continue;
      await world.remove(owner(gone), gone);
      there.delete(gone);
    }
    const due = [...there].filter((id) => BigInt(id) > BigInt(start));
    assert.deepEqual(
      met.filter((id) => there.has(id)),
      due,
    );
    assert.deepEqual(
      met,
      [...new Set(met)].sort((a, b) => (BigInt(a) > BigInt(b) ? -1 : 1)),
    );
  };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.integer({ min: 1, max: 5 }), fc.boolean(), run),
    { numRuns: histories, endOnFailure: true },
  );
});

test("a page above a place goes on below with the place itself, and above until there is nothing", async () => {
  const [viewer] = await world.people(1);
  const made: string[] = [];
  for (let nth = 0; nth < 5; nth++) made.unshift(await world.post(viewer));
  const page = (asked: { after?: string; pageToken?: string }) =>
    world.feed.listHomeFeed({ pageSize: 2, ...asked }, world.as(viewer));
  const first = await page({ after: made[3] as string });
  assert.deepEqual(ids(first.items), made.slice(1, 3), "the nearest");
  assert.deepEqual(ids((await page({ pageToken: first.nextPageToken })).items), made.slice(3, 5));
  const second = await page({ after: first.newerPageToken });
  assert.deepEqual([ids(second.items), second.newerPageToken], [made.slice(0, 1), ""]);
  assert.deepEqual(ids((await page({ pageToken: second.nextPageToken })).items), made.slice(1, 3));
  const top = await page({ after: made[0] as string });
  assert.deepEqual([top.items, top.newerPageToken], [[], ""]);
  await world.remove(viewer, made[3] as string);
  assert.deepEqual(ids((await page({ after: made[3] as string })).items), made.slice(1, 3), "gone, and still a place");
  assert.equal((await page({})).newerPageToken, "", "who reads from the top asks nothing above");

  const [other] = await world.people(1);
  for (const after of ["0", "x", "9223372036854775808", first.nextPageToken, `${first.newerPageToken}x`])
    await refused(page({ after }), Code.InvalidArgument, "validation", "after");
  const theirs = world.feed.listHomeFeed({ after: first.newerPageToken }, world.as(other));
  await refused(theirs, Code.InvalidArgument, "validation", "after");
  const both = page({ after: made[0] as string, pageToken: first.nextPageToken });
  await refused(both, Code.InvalidArgument, "validation", "after", "page_token");
});

test("where all of a page above a place is hidden it is empty, and goes on by its token", async () => {
  const [viewer, quiet, noisy] = await world.people(3);
  for (const author of [quiet, noisy]) await world.follow(viewer, author);
  const at = Date.now() - 3_600_000;
  // A long run of what will be hidden, then some of both.
  const mixed = Array.from({ length: 90 }, (_, nth) => ({
    authorId: nth === 0 || (nth > 60 && nth % 4 === 0) ? quiet : noisy,
    timeMs: at + 1_000 * nth,
  }));
  await world.importPosts(mixed);
  const all = await world.home(viewer);
  assert.equal(all.length, 90);
  await world.system.clients.graph.muteUser({ userId: noisy }, world.as(viewer));
  const seen = await world.home(viewer);
  assert.equal(seen.length, 8);
  const bottom = all.at(-1) as string;
  const { items, newerPageToken } = await world.feed.listHomeFeed({ pageSize: 1, after: bottom }, world.as(viewer));
  assert.deepEqual([items, newerPageToken === ""], [[], false]);
  for (const size of [1, 5, 20]) assert.deepEqual(await world.above(viewer, bottom, size), seen.slice(0, -1));
});

test("on a page above a place a post is once, where it is newest", async () => {
  const [viewer, author, passer] = await world.people(3);
  for (const who of [author, passer]) await world.follow(viewer, who);
  const [bottom, twice, between] = [await world.post(author), await world.post(author), await world.post(author)];
  const { activityId } = await world.system.clients.post.repost({ postId: twice }, world.as(passer));
  const page = await world.feed.listHomeFeed({ after: bottom }, world.as(viewer));
  const shown = page.items.map((item) => [item.activityId, item.postId]);
  assert.deepEqual(shown, [
    [activityId, twice],
    [between, between],
  ]);
  const down = await world.feed.listHomeFeed({ pageSize: 2 }, world.as(viewer));
  assert.deepEqual(
    down.items.map((item) => [item.activityId, item.postId]),
    shown,
    "as on the page from the top",
  );
});

test("a read position moves forward only, whatever devices say at once, and is its viewer's own", async () => {
  const { feed, as } = world;
  const [viewer, other] = await world.people(2);
  const positionOf = async (who: string) => (await feed.getReadPosition({}, as(who))).activityId;
  assert.equal(await positionOf(viewer), "");
  const said = Array.from({ length: 24 }, () => newId());
  const random = said.toSorted(() => Math.random() - 0.5);
  await Promise.all(
    random.map(async (id) => {
      const { activityId } = await feed.setReadPosition({ activityId: String(id) }, as(viewer));
      assert.ok(BigInt(activityId) >= id, "what stands is never older than what was said");
    }),
  );
  const newest = String(said.at(-1));
  assert.equal(await positionOf(viewer), newest);
  assert.equal((await feed.setReadPosition({ activityId: String(said[0]) }, as(viewer))).activityId, newest);
  assert.equal(await positionOf(other), "");
  const tomorrow = String(idAt(Date.now() + 86_400_000));
  for (const activityId of ["", "x", "0", tomorrow])
    await refused(feed.setReadPosition({ activityId }, as(viewer)), Code.InvalidArgument, "validation", "activity_id");
  await refused(feed.getReadPosition({}, as()), Code.Unauthenticated, "unauthenticated");
});

/** All of a feed that pages by tokens. */
async function whole(
  ask: (pageToken: string) => Promise<{ items: readonly { postId: string }[]; nextPageToken: string }>,
): Promise<string[]> {
  const found: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await ask(pageToken);
    found.push(...page.items.map(({ postId }) => postId));
    pageToken = page.nextPageToken;
    if (pageToken === "") return found;
  }
}

let keys = 0;
async function posted(author: string, audience: Audience = Audience.PUBLIC): Promise<string> {
  const asked = { text: "words", audience, idempotencyKey: `timelines-${++keys}` };
  return (await world.system.clients.post.createPost(asked, world.as(author))).post?.id ?? "";
}

test("a list's feed is what its people made public, for its owner alone, and follows who is on it, blocks and mutes at each read", async () => {
  const [owner, one, other, stranger] = await world.people(4);
  const { graph } = world.system.clients;
  const { list } = await graph.createList({ name: "wool", idempotencyKey: "a" }, world.as(owner));
  const listId = list?.listId ?? "";
  const feed = (viewer: string, pageSize = 2, id = listId) =>
    whole((pageToken) => world.feed.listListFeed({ listId: id, pageSize, pageToken }, world.as(viewer)));
  const add = (userId: string) => graph.addListMember({ listId, userId }, world.as(owner));
  assert.deepEqual(await feed(owner), []);
  const made: { id: string; author: string }[] = [];
  // More than one round of a small page reads.
  for (let nth = 0; nth < 18; nth++) {
    const author = [one, other, one, stranger][nth % 4] as string;
    made.unshift({ id: await posted(author), author });
  }
  const of = (...authors: string[]) => made.filter(({ author }) => authors.includes(author)).map(({ id }) => id);
  const hidden = await posted(one, Audience.FOLLOWERS);
  await add(one);
  assert.deepEqual(await feed(owner), of(one));
  await add(other);
  for (const size of [1, 2, 20]) assert.deepEqual(await feed(owner, size), of(one, other));
  await world.follow(owner, one);
  assert.deepEqual(await feed(owner), [hidden, ...of(one, other)]);
  await world.flush();
  assert.deepEqual(await feed(owner), [hidden, ...of(one, other)], "after Redis lost everything");
  await graph.muteUser({ userId: other }, world.as(owner));
  assert.deepEqual(await feed(owner), [hidden, ...of(one)]);
  await graph.blockUser({ userId: owner }, world.as(one));
  assert.deepEqual(await feed(owner), []);
  await graph.unblockUser({ userId: owner }, world.as(one));
  await graph.removeListMember({ listId, userId: one }, world.as(owner));
  await graph.unmuteUser({ userId: other }, world.as(owner));
  assert.deepEqual(await feed(owner), of(other));
  for (const [viewer, id] of [
    [stranger, listId],
    [owner, "77"],
    [owner, "x"],
  ] as const)
    await refused(feed(viewer, 2, id), Code.NotFound, "not-found");
  assert.deepEqual(await feed(stranger, 2, "close-friends"), [], "everybody has one");
});

test("everybody's posts are those for everybody, newest first, without whom the reader mutes or blocks", async () => {
  const [author, other, reader] = await world.people(3);
  const { graph, post } = world.system.clients;
  const local = async (viewer?: string, pageSize = 100) => {
    const { items } = await world.feed.listLocalFeed({ pageSize }, world.as(viewer));
    return items.map(({ postId }) => postId);
  };
  const first = await posted(author);
  await posted(author, Audience.FOLLOWERS);
  const second = await posted(other);
  const third = await posted(author);
  await post.repost({ postId: second }, world.as(author));
  for (const viewer of [reader, undefined, author]) assert.deepEqual(await local(viewer, 3), [third, second, first]);
  const { nextPageToken } = await world.feed.listLocalFeed({ pageSize: 2 }, world.as(reader));
  const below = await world.feed.listLocalFeed({ pageSize: 1, pageToken: nextPageToken }, world.as(reader));
  assert.deepEqual(ids(below.items), [first]);
  await graph.muteUser({ userId: other }, world.as(reader));
  assert.deepEqual(await local(reader, 2), [third, first]);
  await graph.updateAccount({ private: true }, world.as(author));
  const seen = new Set(await local());
  assert.deepEqual(
    [first, second, third].map((id) => seen.has(id)),
    [false, true, false],
  );
  await graph.blockUser({ userId: reader }, world.as(other));
  assert.ok(!(await local(reader)).includes(second));
  await world.remove(other, second);
  assert.ok(!(await local()).includes(second));
});

test("an author's page is read upwards from a place, too", async () => {
  const [author, stranger] = await world.people(2);
  const made: string[] = [];
  for (let nth = 0; nth < 6; nth++) made.unshift(await posted(author, nth === 3 ? Audience.ONLY_ME : Audience.PUBLIC));
  const seen = made.filter((_, nth) => nth !== 2);
  const above = async (viewer: string | undefined, after: string, pageSize = 2) =>
    await world.feed.listAuthorFeed({ authorId: author, pageSize, after }, world.as(viewer));
  const page = await above(stranger, made[5] as string);
  assert.deepEqual(ids(page.items), seen.slice(2, 4), "the nearest that they see");
  assert.deepEqual(ids((await above(stranger, page.newerPageToken)).items), seen.slice(0, 2));
  const below = { authorId: author, pageToken: page.nextPageToken };
  assert.deepEqual(ids((await world.feed.listAuthorFeed(below, world.as())).items), [made[5]]);
  await world.flush();
  assert.deepEqual(ids((await above(author, made[5] as string, 9)).items), made.slice(0, 5), "from the database");
  const asked = { authorId: author, after: made[5] as string, filter: AuthorFilter.MEDIA };
  await refused(world.feed.listAuthorFeed(asked, world.as()), Code.InvalidArgument, "validation", "after");
  const unknown = { authorId: author, filter: 9 as AuthorFilter };
  await refused(world.feed.listAuthorFeed(unknown, world.as()), Code.InvalidArgument, "validation", "filter");
});
