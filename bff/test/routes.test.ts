import assert from "node:assert/strict";
import { globSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { createClients } from "../src/clients.ts";
import { publicRpcs } from "../src/routes/routes.ts";
import { meshOf } from "./mesh.ts";
import { bff } from "./reception.ts";
import { assertProblem, bearer, memoryLog, strangers, unlimited } from "./serve.ts";

test("registering and logging in answer a token and the user", async (t) => {
  const { post } = await bff(t);
  const registered = await post("/v1/auth/register", '{"username":"carl","password":"right","displayName":"C"}');
  assert.equal(registered.status, 201);
  const loggedIn = await post("/v1/auth/login", '{"username":"anna","password":"right"}');
  assert.equal(loggedIn.status, 200);
  assert.deepEqual(loggedIn.json(), {
    accessToken: "token",
    expireTime: "1970-01-01T00:00:00Z",
    user: {
      id: "1",
      username: "anna",
      displayName: "ANNA",
      bio: "",
      createTime: "1970-01-01T00:00:00Z",
      followerCount: 0,
      followingCount: 0,
      private: false,
    },
  });
  assertProblem(await post("/v1/auth/register", '{"username":"taken"}'), 409, "username-taken");
  assertProblem(await post("/v1/auth/register", "{}"), 400, "validation", ["/username"]);
  const wrong = await post("/v1/auth/login", '{"username":"anna","password":"wrong"}');
  assertProblem(wrong, 401, "invalid-credentials");
});

test("a user is found by id and by name, with the viewer's relation where there is a viewer", async (t) => {
  const { as, ask, mesh } = await bff(t);
  mesh.follows.add("1>2");
  const byId = (await as("1", "/v1/users/2")).json();
  assert.deepEqual(mesh.calls.toSorted(), ["BatchGetAccounts", "BatchGetUsers"]);
  assert.deepEqual(byId.viewer, { ...strangers, following: true });
  assert.equal(byId.followerCount, 1);
  assert.deepEqual((await as("1", "/v1/users/ben")).json(), byId);
  assert.equal((await ask("/v1/users/ben")).json().viewer, undefined);
});

test("what names no user, or no post, is not found", async (t) => {
  const { as } = await bff(t);
  for (const user of ["3", "nobody", "0", "1;x=1", "-1", "a", "9".repeat(30), "..%2fadmin", "an%20na"]) {
    assertProblem(await as("1", `/v1/users/${user}`), 404, "not-found");
    assertProblem(await as("1", `/v1/users/${user}/posts`), 404, "not-found");
  }
  for (const post of ["999", "abc", "0", "1;x=1", "1e3"])
    assertProblem(await as("1", `/v1/posts/${post}`), 404, "not-found");
});

test("following by name is one look-up and one call; oneself is refused", async (t) => {
  const { as, mesh } = await bff(t);
  const followed = await as("1", "/v1/users/ben/follow", "PUT");
  assert.deepEqual(mesh.calls, ["GetUser", "FollowUser"]);
  assert.deepEqual(followed.json(), { viewer: { ...strangers, following: true } });
  const ended = await as("1", "/v1/users/2/follow", "DELETE");
  assert.deepEqual(mesh.calls, ["UnfollowUser"]);
  assert.deepEqual(ended.json(), { viewer: strangers });
  assertProblem(await as("1", "/v1/users/1/follow", "PUT"), 400, "validation", ["{user}"]);
});

test("followers come as users, one batch a noun, and those who left are left out", async (t) => {
  const { as, mesh } = await bff(t);
  for (const id of ["1", "9"]) mesh.follows.add(`${id}>2`);
  const answer = await as("1", "/v1/users/2/followers");
  assert.deepEqual(mesh.calls.toSorted(), ["BatchGetAccounts", "BatchGetUsers", "ListFollowers"]);
  const { users, nextPageToken } = answer.json() as { users: { id: string }[]; nextPageToken: string };
  assert.deepEqual([users.map(({ id }) => id), nextPageToken], [["1"], ""]);
  const short = (await as("1", "/v1/users/2/followers?pageSize=1")).json();
  assert.equal(short.nextPageToken, "more");
  assert.equal(((await as("1", "/v1/users/1/following")).json().users as unknown[]).length, 1);
  assert.deepEqual((await as("1", "/v1/users/2/following")).json(), { users: [], nextPageToken: "" });
  assert.deepEqual(mesh.calls, ["ListFollowing"], "nothing to hydrate");
});

test("a post is answered as shown; the same key answers the same post", async (t) => {
  const { write, as, ask } = await bff(t);
  const first = await write("hello", "k1");
  assert.equal(first.status, 201);
  const post = first.json();
  assert.deepEqual(post.author, { id: "1", username: "anna", displayName: "ANNA" });
  assert.deepEqual(post.viewer, { own: true, liked: false });
  const again = await write("hello", "k1");
  assert.equal(again.headers["idempotency-replayed"], "true");
  assert.deepEqual([again.status, again.text], [201, first.text]);
  assertProblem(await write("other", "k1"), 422, "idempotency-key-reused");
  assert.deepEqual((await as("1", `/v1/posts/${post.id}`)).json(), post);
  assert.equal((await ask(`/v1/posts/${post.id}`)).json().viewer, undefined);
  assert.deepEqual((await as("2", `/v1/posts/${post.id}`)).json().viewer, { own: false, liked: false });
});

test("a home feed is one skeleton and one batch a noun, and then only the skeleton", async (t) => {
  const { write, as, mesh } = await bff(t);
  for (let at = 0; at < 5; at++) await write(`text ${at}`, `k${at}`, at % 2 === 0 ? "1" : "2");
  const first = await as("1", "/v1/feed");
  assert.deepEqual(mesh.calls, ["ListHomeFeed", "BatchGetContents", "BatchGetAuthors"]);
  const { items, nextPageToken } = first.json() as {
    items: { reason: string; post: { text: string } }[];
    nextPageToken: string;
  };
  assert.equal(nextPageToken, "next");
  assert.deepEqual(
    items.map(({ reason, post }) => `${reason} ${post.text}`),
    [0, 1, 2, 3, 4].map((at) => `FEED_REASON_${at % 2 === 0 ? "OWN" : "FOLLOWING"} text ${at}`),
  );
  assert.equal((await as("1", "/v1/feed")).text, first.text);
  assert.deepEqual(mesh.calls, ["ListHomeFeed"]);
});

test("an edit and a rename show at once, what is gone is left out, and the feed goes on", async (t) => {
  const { write, as, mesh } = await bff(t);
  for (let at = 0; at < 3; at++) await write(`text ${at}`, `k${at}`);
  await as("1", "/v1/feed");
  const [edited, gone] = mesh.posts;
  const [author] = mesh.users;
  assert.ok(edited && gone && author);
  Object.assign(edited, { version: 2n, text: "edited" });
  Object.assign(gone, { version: 2n, text: "" });
  Object.assign(author, { version: 2n, username: "anne" });
  const { items, nextPageToken } = (await as("1", "/v1/feed")).json() as {
    items: { post: { text: string; author: { username: string } } }[];
    nextPageToken: string;
  };
  assert.deepEqual(
    items.map(({ post }) => `${post.author.username}: ${post.text}`),
    ["anne: edited", "anne: text 2"],
  );
  assert.equal(nextPageToken, "next");
});

test("an author's posts come with the author, by id or by name", async (t) => {
  const { write, as, mesh } = await bff(t);
  await write("mine", "k1", "1");
  await write("yours", "k2", "2");
  const byName = await as("1", "/v1/users/ben/posts");
  assert.deepEqual(mesh.calls, ["GetUser", "ListAuthorFeed", "BatchGetContents"]);
  const { posts } = byName.json() as { posts: { text: string; author: { username: string } }[] };
  assert.deepEqual(
    posts.map(({ text, author }) => [text, author.username]),
    [["yours", "ben"]],
  );
  assert.equal((await as("1", "/v1/users/2/posts")).text, byName.text);
});

test("a deleted post is gone; somebody else's was never there", async (t) => {
  const { write, as } = await bff(t);
  const { id } = (await write("x", "k1")).json();
  assertProblem(await as("2", `/v1/posts/${id}`, "DELETE"), 404, "not-found");
  assert.equal((await as("1", `/v1/posts/${id}`, "DELETE")).text, "{}");
  assertProblem(await as("1", `/v1/posts/${id}`), 404, "not-found");
});

test("pages are 1 to 100, and tokens are not made up", async (t) => {
  const { as } = await bff(t);
  for (const path of ["/v1/feed", "/v1/users/1/posts", "/v1/users/1/followers", "/v1/users/1/following"]) {
    for (const size of ["-1", "0", "101", "1.5", "abc"]) {
      assertProblem(await as("1", `${path}?pageSize=${size}`), 400, "validation", ["?pageSize"]);
    }
    for (const token of ["", "%00", "a%20b", "%C3%A9", "a".repeat(10_240)]) {
      assertProblem(await as("1", `${path}?pageToken=${token}`), 400, "invalid-cursor");
    }
    assert.equal((await as("1", `${path}?pageSize=100&pageToken=abc`)).status, 200);
  }
});

test("a like is one call, is shown with its count, and lists who likes", async (t) => {
  const { write, as, ask, mesh } = await bff(t);
  const { id } = (await write("x", "k1")).json();
  assert.deepEqual((await as("2", `/v1/posts/${id}/like`, "PUT")).json(), { liked: true });
  assert.deepEqual(mesh.calls, ["Like"]);
  const shown = (await as("2", `/v1/posts/${id}`)).json();
  assert.deepEqual([shown.likeCount, shown.viewer], [1, { own: false, liked: true, reaction: "REACTION_KIND_LIKE" }]);
  const { users } = (await ask(`/v1/posts/${id}/likes`)).json() as { users: { username: string }[] };
  assert.deepEqual(
    users.map(({ username }) => username),
    ["ben"],
  );
  assert.deepEqual((await as("2", `/v1/posts/${id}/like`, "DELETE")).json(), { liked: false });
  assert.equal((await as("2", `/v1/posts/${id}`)).json().likeCount, 0);
  assertProblem(await as("2", "/v1/posts/999/like", "PUT"), 404, "not-found");
  assertProblem(await as("2", "/v1/posts/x/like", "PUT"), 404, "not-found");
  assertProblem(await ask(`/v1/posts/${id}/like`, { method: "PUT" }), 401, "unauthenticated");
});

test("every RPC of the public contracts is served, each once", async (t) => {
  const mesh = await meshOf(t, []);
  const served = publicRpcs(createClients(mesh.transport, memoryLog()), unlimited).map(({ method }) => method);
  const gen = path.resolve(import.meta.dirname, "../../gen/skein/api/v1");
  const modules = await Promise.all(globSync(`${gen}/*_pb.ts`).map((file): Promise<object> => import(file)));
  const services = modules
    .flatMap((module) => Object.values(module) as DescService[])
    .filter(({ kind }) => kind === "service");
  const promised = services.flatMap(({ methods }) => methods);
  const nameOf = (method: DescMethod) => `${method.parent.typeName}/${method.name}`;
  assert.deepEqual(served.map(nameOf).sort(), promised.map(nameOf).sort());
});

test("a post is edited in place, its versions are one call, and a pinned one stands beside the others", async (t) => {
  const { as, ask, mesh, write } = await bff(t);
  const { id } = (await write("one #tag", "k1")).json();
  mesh.calls.length = 0;
  const headers = { ...(await bearer("1")), "content-type": "application/json" };
  const edited = await ask(`/v1/posts/${id}`, { method: "PATCH", headers, body: '{"text":"two #tag"}' });
  assert.deepEqual([edited.status, edited.json().text, edited.json().version], [200, "two #tag", 2]);
  const asked = ["BatchGetCommentCounts", "BatchGetLikes", "BatchGetSaves", "BatchGetUsers", "EditPost"];
  assert.deepEqual(mesh.calls.toSorted(), asked);
  const { versions } = (await as("1", `/v1/posts/${id}/versions`)).json() as { versions: { text: string }[] };
  assert.deepEqual(
    versions.map(({ text }) => text),
    ["two #tag"],
  );
  assert.deepEqual(mesh.calls, ["ListPostVersions"]);
  await as("1", `/v1/posts/${id}/pin`, "PUT");
  type Page = { posts: { id: string }[]; pinnedPost?: { id: string } };
  const page = (await as("1", "/v1/users/1/posts")).json() as Page;
  assert.deepEqual([page.pinnedPost?.id, page.posts.length, page.posts[0]], [id, 1, page.pinnedPost]);
  assert.equal(mesh.calls.filter((name) => name === "BatchGetContents").length, 1, "one call for all content");
  const tagged = (await as("2", "/v1/tags/tag/posts")).json() as Page;
  assert.deepEqual([tagged.posts.length, mesh.calls], [1, ["ListTagFeed", "BatchGetAuthors"]]);
  assertProblem(await as("2", "/v1/posts/1%2f2/versions"), 404, "not-found");
});

test("a draft is kept, changed, listed and published", async (t) => {
  const { as, ask, post, mesh } = await bff(t);
  const headers = { ...(await bearer("1")), "content-type": "application/json" };
  assertProblem(await post("/v1/me/drafts", '{"text":"x"}', headers), 400, "idempotency-key-missing");
  const made = await post("/v1/me/drafts", '{"text":"x"}', { ...headers, "idempotency-key": "d" });
  assert.equal(made.status, 201);
  const { id } = made.json();
  const changed = await ask(`/v1/me/drafts/${id}`, { method: "PATCH", headers, body: '{"text":"y"}' });
  assert.equal(changed.json().text, "y");
  const { drafts } = (await as("1", "/v1/me/drafts")).json() as { drafts: { text: string }[] };
  assert.equal(drafts[0]?.text, "y");
  const published = await as("1", `/v1/me/drafts/${id}/publication`, "PUT");
  assert.deepEqual([published.json().text, mesh.calls[0]], ["y", "PublishDraft"]);
  assertProblem(await as("1", "/v1/me/drafts/abc/publication", "PUT"), 404, "not-found");
});

test("what a post quotes is in its slot, for one call a page", async (t) => {
  const { as, ask, mesh, write } = await bff(t);
  const { id } = (await write("quoted", "k1")).json() as { id: string };
  const headers = { ...(await bearer("2")), "content-type": "application/json", "idempotency-key": "q" };
  const body = JSON.stringify({ text: "look", quotedPostId: id });
  const made = (await ask("/v1/posts", { method: "POST", headers, body })).json() as { id: string; quote: unknown };
  const { quote } = made as { quote: { post: { id: string; text: string; author: { username: string } } } };
  assert.deepEqual([quote.post.id, quote.post.text, quote.post.author.username], [id, "quoted", "anna"]);
  await as("1", "/v1/feed");
  const { items } = (await as("1", "/v1/feed")).json() as { items: { post: { id: string; quote?: unknown } }[] };
  assert.deepEqual(
    items.map(({ post }) => [post.id, post.quote]),
    [
      [id, undefined],
      [made.id, quote],
    ],
  );
  assert.deepEqual(mesh.calls, ["ListHomeFeed", "BatchGetQuoted"], "its content is in memory");
  const slots = async () => {
    const page = (await as("1", "/v1/feed")).json() as { items: { post: { quote?: unknown } }[] };
    return page.items.map(({ post }) => post.quote);
  };
  const [, post] = mesh.posts;
  assert.ok(post);
  for (const [quoted, due] of [
    [{ postId: id, postVersion: 1n, authorId: "1" }, quote],
    [{}, {}],
  ] as const) {
    post.quoted = quoted;
    mesh.calls.length = 0;
    assert.deepEqual(await slots(), [undefined, due]);
    assert.deepEqual(mesh.calls, ["ListHomeFeed"], "what feed decided is not asked again");
  }
});

test("how a poll stands is in its slot, for one call a page, and a vote answers it", async (t) => {
  const { as, ask, mesh } = await bff(t);
  const headers = { ...(await bearer("2")), "content-type": "application/json" };
  const poll = { options: ["tea", "coffee"], durationSeconds: 300 };
  const body = JSON.stringify({ text: "which?", poll });
  const made = (
    await ask("/v1/posts", { method: "POST", headers: { ...headers, "idempotency-key": "p" }, body })
  ).json();
  const asks = {
    options: [{ text: "tea" }, { text: "coffee" }],
    multiple: false,
    ended: false,
    voterCount: 1,
    chosen: [],
  };
  assert.deepEqual(made.poll, asks);
  await as("1", "/v1/feed");
  const { items } = (await as("1", "/v1/feed")).json() as { items: { post: { poll?: unknown } }[] };
  assert.deepEqual(
    items.map(({ post }) => post.poll),
    [asks],
  );
  assert.deepEqual(mesh.calls, ["ListHomeFeed", "BatchGetPolls"]);
  const choose = { method: "PUT", headers, body: JSON.stringify({ options: [0] }) };
  assert.deepEqual((await ask(`/v1/posts/${made.id}/vote`, choose)).json(), {
    ...asks,
    options: [
      { text: "tea", voteCount: 1 },
      { text: "coffee", voteCount: 0 },
    ],
    chosen: [0],
  });
  assertProblem(await ask("/v1/posts/abc/vote", choose), 404, "not-found");
});
