import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { Reaction, type SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { eachPage } from "#lib/harness/pages.ts";
import { refused } from "#lib/harness/refused.ts";
import { until } from "#lib/harness/until.ts";
import {
  allTold,
  as,
  deletedPost,
  like,
  likedSet,
  likesOf,
  newPost,
  newPosts,
  ofPost,
  rows,
  somebody,
  startSystem,
  system,
  unlike,
  upTo,
  versionsOf,
} from "./world.ts";

startSystem();

test("a like whose caller gave up while it waited is not committed: somebody may have taken it back since", async () => {
  const [viewer, earlier, post] = [somebody(), await newPost(), await newPost()];
  await like(viewer, earlier);
  const { like: likes } = system.clients;
  const leaving = new AbortController();
  const given = await system.db("like").tx(async (tx) => {
    await tx.query("SELECT 1 FROM liker WHERE user_id = ? FOR UPDATE", [viewer]);
    const request = { subject: ofPost(post), reaction: Reaction.LIKE };
    const call = likes.like(request, { ...as(viewer), signal: leaving.signal }).catch((reason) => reason);
    await until("the like waits for its person's row", async () => {
      const waiting = await rows(
        "SELECT 1 FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND info LIKE CONCAT('%FROM liker%', ?, '%')",
        viewer,
      );
      return waiting.length > 0;
    });
    leaving.abort();
    const reason = ConnectError.from(await call);
    // On the same connection, so its answer says that the service has heard of the end of the call before it.
    await likesOf([post]);
    return reason.code;
  });
  assert.equal(given, Code.Canceled);
  await unlike(viewer, earlier);
  const own = (await likesOf([earlier, post], viewer)).map(([, isOwn]) => isOwn);
  assert.deepEqual(own, [false, false]);
  assert.deepEqual(await rows("SELECT 1 FROM outbox WHERE aggregate = ?", `like:1:${post}:${viewer}`), []);
});

test("a like and an unlike change something once, and the viewer's next read shows it", async () => {
  const [viewer, other, post] = [somebody(), somebody(), await newPost()];
  const own = async (person: string) => (await likesOf([post], person))[0]?.[1];
  await unlike(viewer, post);
  assert.equal(await own(viewer), false);
  for (const [act, liked] of [
    [like, true],
    [like, true],
    [unlike, false],
    [unlike, false],
    [like, true],
  ] as const) {
    await act(viewer, post);
    assert.equal(await own(viewer), liked);
    assert.deepEqual((await likedSet(viewer)).postIds, liked ? [post] : []);
    assert.equal(await own(other), false, "it is one's own");
  }
  assert.deepEqual(await versionsOf(`like:1:${post}:${viewer}`), upTo(3));
  assert.equal((await likedSet(viewer)).version, 3n);
});

test("the same like sent sixteen times at once is one like, also a person's first; versions have no gaps", async () => {
  const posts = await newPosts(4);
  const [fresh, known, before] = [somebody(), somebody(), await newPost()];
  await like(known, before);
  for (const viewer of [fresh, known]) {
    await Promise.all(Array.from({ length: 16 }, (_, nth) => like(viewer, posts[nth % 4] as string)));
    for (const post of posts) assert.deepEqual(await versionsOf(`like:1:${post}:${viewer}`), [1n]);
    const set = await likedSet(viewer);
    const liked = viewer === known ? [...posts, before] : posts;
    assert.deepEqual([set.version, set.postIds.sort()], [BigInt(liked.length), [...liked].sort()]);
  }
  await allTold();
  assert.deepEqual(
    await likesOf(posts),
    posts.map(() => [2, false]),
  );
});

test("facts say what it was and what it is, in the partition of the subject", async () => {
  const [viewer, post] = [somebody(), await newPost()];
  await like(viewer, post);
  await unlike(viewer, post);
  await allTold();
  const facts = await rows(
    "SELECT type, version, shard, actor FROM outbox WHERE aggregate IN (?, ?) ORDER BY id",
    `like:1:${post}:${viewer}`,
    `likes:1:${post}`,
  );
  const shard = Number(BigInt(post) & 63n);
  const changed = facts.filter(({ type }) => type === "LikeChanged");
  assert.deepEqual(
    changed.map(({ version, shard: at, actor }) => [version, at, actor]),
    [
      ["1", shard, viewer],
      ["2", shard, viewer],
    ],
  );
  const counted = facts.filter(({ type }) => type === "LikeCountsChanged");
  assert.ok(counted.length >= 1 && counted.every(({ shard: at }) => at === shard));
});

test("liking needs a post that is there; one's own like is taken back also when the post is gone, and again", async () => {
  const [viewer, author] = [somebody(), somebody()];
  const post = await newPost(author);
  await like(viewer, post);
  await system.clients.post.deletePost({ postId: post }, as(author));
  await refused(like(somebody(), post), Code.NotFound, "not-found");
  await refused(unlike(somebody(), post), Code.NotFound, "not-found");
  await unlike(viewer, post);
  await unlike(viewer, post);
  assert.deepEqual((await likedSet(viewer)).postIds, []);
  assert.deepEqual(await versionsOf(`like:1:${post}:${viewer}`), upTo(2));
  await refused(like(viewer, post), Code.NotFound, "not-found");
  for (const id of [await deletedPost(), somebody(), "abc", "", "0", "-1", "9999999999999999999"]) {
    await refused(like(viewer, id), Code.NotFound, "not-found");
    await refused(unlike(viewer, id), Code.NotFound, "not-found");
    const list = system.clients.like.listLikes({ subject: ofPost(id) }, as());
    await refused(list, Code.NotFound, "not-found");
  }
});

test("subjects and reactions that are none are named, and liking needs a viewer", async () => {
  const [viewer, post] = [somebody(), await newPost()];
  const { like: service } = system.clients;
  const strange = 7 as SubjectKind;
  for (const subject of [undefined, { id: post }, { kind: strange, id: post }]) {
    const reaction = Reaction.LIKE;
    const field = "subject.kind";
    await refused(service.like({ subject, reaction }, as(viewer)), Code.InvalidArgument, "validation", field);
    await refused(service.unlike({ subject }, as(viewer)), Code.InvalidArgument, "validation", field);
    await refused(service.listLikes({ subject }, as()), Code.InvalidArgument, "validation", field);
  }
  for (const reaction of [Reaction.UNSPECIFIED, 99 as Reaction]) {
    const call = service.like({ subject: ofPost(post), reaction }, as(viewer));
    await refused(call, Code.InvalidArgument, "validation", "reaction");
  }
  const nobody = service.like({ subject: ofPost(post), reaction: Reaction.LIKE }, as());
  await refused(nobody, Code.Unauthenticated, "unauthenticated");
  await refused(service.unlike({ subject: ofPost(post) }, as()), Code.Unauthenticated, "unauthenticated");
  await refused(service.getLikedSet({ userId: "x" }, as()), Code.InvalidArgument, "validation", "user_id");
  assert.deepEqual(await rows("SELECT 1 FROM outbox WHERE actor = ?", viewer), []);
});

test("ListLikes is latest first, in pages that neither skip nor repeat while it changes", async () => {
  const [post, people] = [await newPost(), Array.from({ length: 7 }, somebody)];
  for (const person of people) await like(person, post);
  const latest = [...people].reverse();
  const list = (request: object) => system.clients.like.listLikes({ subject: ofPost(post), ...request }, as());
  const pages = async (size: number) => (await eachPage(list, size)).map(({ userIds }) => userIds);
  assert.deepEqual(await pages(3), [latest.slice(0, 3), latest.slice(3, 6), latest.slice(6)]);
  assert.deepEqual(await pages(7), [latest], "a page that ends the list has no token");
  await like(people[0] as string, post);
  assert.deepEqual(await pages(7), [latest], "again changes no place");

  const { nextPageToken: pageToken } = await list({ pageSize: 3 });
  await unlike(latest[1] as string, post);
  const late = somebody();
  await like(late, post);
  assert.deepEqual((await list({ pageSize: 3, pageToken })).userIds, latest.slice(3, 6));
  const others = [late, ...latest.filter((_, nth) => nth !== 1)];
  assert.deepEqual(await pages(4), [others.slice(0, 4), others.slice(4)], "who no longer likes it is not listed");
  await like(latest[1] as string, post);
  assert.deepEqual((await list({})).userIds, [latest[1], ...others]);
});

test("a page has 20 people where nobody says, 100 at most, and its token is bound to its list", async () => {
  const [post, other] = (await newPosts(2)) as [string, string];
  const people = Array.from({ length: 120 }, somebody);
  for (let nth = 0; nth < people.length; nth += 8)
    await Promise.all(people.slice(nth, nth + 8).flatMap((person) => [like(person, post), like(person, other)]));
  const page = (pageSize: number, pageToken = "", id = post) =>
    system.clients.like.listLikes({ subject: ofPost(id), pageSize, pageToken }, as());
  assert.equal((await page(0)).userIds.length, 20);
  const { userIds, nextPageToken } = await page(100);
  const rest = await page(100, nextPageToken);
  assert.deepEqual([...userIds, ...rest.userIds].sort(), [...people].sort());
  for (const wrong of [101, -1]) await refused(page(wrong), Code.InvalidArgument, "validation", "page_size");
  const forged = [nextPageToken.replace(/^./, "B"), `${nextPageToken}A`, nextPageToken.slice(1), "x", "AA=="];
  for (const token of forged) await refused(page(1, token), Code.InvalidArgument, "invalid-cursor", "page_token");
  await refused(page(1, nextPageToken, other), Code.InvalidArgument, "invalid-cursor", "page_token");
});

test("BatchGetLikes answers in the order asked, 100 at most; what there is none of has none", async () => {
  const [viewer, [a, b]] = [somebody(), (await newPosts(2)) as [string, string]];
  await like(viewer, a);
  await like(somebody(), a);
  await like(somebody(), b);
  await allTold();
  assert.deepEqual(await likesOf([b, "abc", a, somebody(), b, ""], viewer), [
    [1, false],
    [0, false],
    [2, true],
    [0, false],
    [1, false],
    [0, false],
  ]);
  assert.deepEqual(await likesOf([a]), [[2, false]], "nobody's own");
  const many = (of: number) => likesOf(Array.from({ length: of }, () => a));
  assert.equal((await many(100)).length, 100);
  assert.equal((await many(0)).length, 0);
  await refused(many(101), Code.InvalidArgument, "validation", "subjects");
  const strange = system.clients.like.batchGetLikes({ subjects: [ofPost(a), { id: b }] }, as());
  await refused(strange, Code.InvalidArgument, "validation", "subjects.kind");
});
