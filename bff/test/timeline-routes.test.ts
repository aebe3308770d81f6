import assert from "node:assert/strict";
import { test } from "node:test";
import { bff } from "./reception.ts";
import { assertProblem, bearer } from "./serve.ts";

type Home = { items: { activityId: string }[]; newerPageToken?: string };

test("what is new is what a first page shows above the oldest seen, one home read, and no words that the viewer mutes", async (t) => {
  const { write, as, mesh } = await bff(t);
  for (let at = 0; at < 4; at++) await write(at === 2 ? "cats" : `text ${at}`, `k${at}`, "2");
  const news = async (...seen: string[]) =>
    (await as("1", `/v1/feed/new?${seen.map((id) => `seen=${id}`).join("&")}`)).json();
  assert.deepEqual(await news("101", "100"), { count: 2, more: false });
  assert.deepEqual(mesh.calls, ["ListHomeFeed", "BatchGetContents", "BatchGetAuthors"]);
  assert.deepEqual(await news("103", "100"), { count: 2, more: false }, "what is between");
  assert.deepEqual(mesh.calls, ["ListHomeFeed"]);
  assert.deepEqual(await news("99"), { count: 4, more: true }, "the page ends above what was seen");
  await as("1", "/v1/me/muted-words/cats", "PUT");
  assert.deepEqual(await news("103", "100"), { count: 1, more: false });
  for (let at = 4; at < 104; at++) await write(`text ${at}`, `k${at}`, "2");
  assert.deepEqual(await news("103"), { count: 99, more: true });
  for (const query of ["", "?seen=", "?seen=x", `?${"seen=100&".repeat(101).slice(0, -1)}`])
    assertProblem(await as("1", `/v1/feed/new${query}`), 400, "validation");
});

test("a page above a place says whether there is more; one from the top does not", async (t) => {
  const { write, as } = await bff(t);
  for (let at = 0; at < 3; at++) await write(`text ${at}`, `k${at}`);
  const { items, newerPageToken } = (await as("1", "/v1/feed?after=100")).json() as Home;
  assert.deepEqual([items.map(({ activityId }) => activityId), newerPageToken], [["101", "102"], "newer"]);
  assert.equal("newerPageToken" in (await as("1", "/v1/feed")).json(), false);
  assertProblem(await as("1", "/v1/feed?after="), 400, "validation");
});

test("a read position is absent until it is set", async (t) => {
  const { as, ask } = await bff(t);
  assert.deepEqual((await as("1", "/v1/feed/position")).json(), {});
  const headers = { ...(await bearer("1")), "content-type": "application/json" };
  const put = (activityId: unknown) =>
    ask("/v1/feed/position", { method: "PUT", headers, body: JSON.stringify({ activityId }) });
  assert.deepEqual((await put("100")).json(), { activityId: "100" });
  assert.deepEqual((await put("99")).json(), { activityId: "100" });
  assert.deepEqual((await as("1", "/v1/feed/position")).json(), { activityId: "100" });
  assertProblem(await put(100.5), 400, "validation");
});

test("an author's tabs: what has media, what is above a place, and what they said, each with the post it is under, once", async (t) => {
  const { write, as, ask, post, mesh } = await bff(t);
  const { id } = (await write("a post", "k1", "2")).json();
  for (const text of ["one", "two"]) {
    const headers = { ...(await bearer("1")), "idempotency-key": text };
    assert.equal((await post(`/v1/posts/${id}/comments`, JSON.stringify({ text }), headers)).status, 201);
  }
  type Replies = { comments: { text: string; postId: string }[]; posts: { id: string; text: string }[] };
  const { comments, posts } = (await as("2", "/v1/users/anna/replies")).json() as Replies;
  assert.deepEqual(
    comments.map(({ text, postId }) => [text, postId]),
    [
      ["one", id],
      ["two", id],
    ],
  );
  assert.deepEqual(
    posts.map(({ id: under, text }) => [under, text]),
    [[id, "a post"]],
  );
  assert.equal(mesh.calls.filter((call) => call === "BatchGetPosts").length, 1);
  assertProblem(await ask("/v1/users/nobody/replies"), 404, "not-found");
  assert.deepEqual((await as("1", "/v1/users/2/posts?filter=POST_FILTER_MEDIA")).json(), {
    posts: [],
    nextPageToken: "",
  });
  assertProblem(await as("1", "/v1/users/2/posts?filter=ALL"), 400, "validation");
  const above = { posts: [], nextPageToken: "next", newerPageToken: "newer" };
  assert.deepEqual((await as("1", "/v1/users/2/posts?after=5")).json(), above);
});

test("a list's feed says why an item is there; everybody's posts need nobody signed in", async (t) => {
  const { write, as, ask } = await bff(t);
  await write("hello", "k1", "2");
  const { items } = (await as("1", "/v1/me/lists/close-friends/feed")).json() as {
    items: { reason: string; post: { text: string } }[];
  };
  assert.deepEqual(
    items.map(({ reason, post }) => [reason, post.text]),
    [["FEED_REASON_LIST", "hello"]],
  );
  assertProblem(await as("1", "/v1/me/lists/x/feed"), 404, "not-found");
  assertProblem(await ask("/v1/me/lists/7/feed"), 401, "unauthenticated");
  const { posts } = (await ask("/v1/posts")).json() as { posts: { text: string }[] };
  assert.deepEqual(
    posts.map(({ text }) => text),
    ["hello"],
  );
});
