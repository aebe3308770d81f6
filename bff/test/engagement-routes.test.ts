import assert from "node:assert/strict";
import { test } from "node:test";
import { bff } from "./reception.ts";
import { assertProblem, bearer } from "./serve.ts";

test("a reaction is one call, changes, is counted by kind where it is no like, and lists who reacts how", async (t) => {
  const { write, as, ask, mesh } = await bff(t);
  const { id } = (await write("x", "k1")).json();
  const react = async (path: string, viewerId: string, kind: string) => {
    const headers = { ...(await bearer(viewerId)), "content-type": "application/json" };
    return ask(path, { method: "PUT", headers, body: JSON.stringify({ kind }) });
  };
  const path = `/v1/posts/${id}/reaction`;
  assert.equal((await ask(`/v1/posts/${id}`)).json().reactions, undefined, "a plain post has no counts by kind");
  mesh.calls.length = 0;
  assert.deepEqual((await react(path, "2", "REACTION_KIND_LOVE")).json(), { reaction: "REACTION_KIND_LOVE" });
  assert.deepEqual(mesh.calls, ["Like"]);
  await react(path, "1", "REACTION_KIND_LIKE");
  const shown = (await as("2", `/v1/posts/${id}`)).json();
  assert.deepEqual(shown.viewer, { own: false, liked: false, reaction: "REACTION_KIND_LOVE" });
  const { like, love, angry } = shown.reactions as Record<string, number>;
  assert.deepEqual([shown.likeCount, like, love, angry], [1, 1, 1, 0]);
  const listed = async (query = "") =>
    (
      (await ask(`/v1/posts/${id}/reactions${query}`)).json().reactors as { user: { id: string }; reaction: string }[]
    ).map(({ user, reaction }) => `${user.id} ${reaction}`);
  assert.deepEqual((await listed()).sort(), ["1 REACTION_KIND_LIKE", "2 REACTION_KIND_LOVE"]);
  assert.deepEqual(await listed("?kind=REACTION_KIND_LOVE"), ["2 REACTION_KIND_LOVE"]);
  await as("2", `/v1/posts/${id}/like`, "DELETE");
  assert.equal((await listed()).length, 2, "what is no like is not taken back as one");
  await as("2", path, "DELETE");
  assert.deepEqual(await listed(), ["1 REACTION_KIND_LIKE"]);
  for (const kind of ["REACTION_KIND_UNSPECIFIED", "REACTION_KIND_NONE"]) {
    assertProblem(await react(path, "2", kind), 400, "validation");
  }
  assertProblem(await react("/v1/posts/x/reaction", "2", "REACTION_KIND_SAD"), 404, "not-found");
  assertProblem(await react("/v1/comments/x/reaction", "2", "REACTION_KIND_SAD"), 404, "not-found");
});

test("a comment is answered as shown, once for its key, counted, listed and deleted by its author", async (t) => {
  const { write, as, ask, post } = await bff(t);
  const { id } = (await write("x", "k1")).json();
  const path = `/v1/posts/${id}/comments`;
  const say = async (text: string, key: string, viewerId = "2") =>
    post(path, JSON.stringify({ text }), { ...(await bearer(viewerId)), "idempotency-key": key });
  const first = await say("well said", "c1");
  assert.equal(first.status, 201);
  const comment = first.json();
  assert.deepEqual(comment, {
    id: comment.id,
    version: 1,
    postId: id,
    author: { id: "2", username: "ben", displayName: "BEN" },
    text: "well said",
    viewer: { own: true },
    likeCount: 0,
    depth: 0,
    replyCount: 0,
    removed: false,
    hidden: false,
  });
  const again = await say("well said", "c1");
  assert.deepEqual([again.headers["idempotency-replayed"], again.text], ["true", first.text]);
  await say("thanks", "c2", "1");
  assert.equal((await ask(`/v1/posts/${id}`)).json().commentCount, 2);
  const { comments } = (await ask(path)).json() as { comments: { text: string; viewer?: unknown }[] };
  assert.deepEqual(
    comments.map(({ text, viewer }) => [text, viewer]),
    [
      ["thanks", undefined],
      ["well said", undefined],
    ],
  );
  assert.equal((await as("1", `/v1/comments/${comment.id}`)).json().text, "well said");
  assertProblem(await as("1", `/v1/comments/${comment.id}`, "DELETE"), 404, "not-found");
  assert.equal((await as("2", `/v1/comments/${comment.id}`, "DELETE")).text, "{}");
  assertProblem(await as("2", `/v1/comments/${comment.id}`), 404, "not-found");
  assertProblem(await as("2", "/v1/comments/x"), 404, "not-found");
  assertProblem(await post(path, '{"text":"x"}', await bearer("2")), 400, "idempotency-key-missing");
});

test("a reply is listed under its comment, an edit is marked, hiding and the thread are one call each", async (t) => {
  const { write, as, ask, post, mesh } = await bff(t);
  const { id } = (await write("x", "k1")).json();
  const say = async (key: string, more: object) => {
    const headers = { ...(await bearer("2")), "idempotency-key": key };
    return (await post(`/v1/posts/${id}/comments`, JSON.stringify({ text: key, ...more }), headers)).json();
  };
  const patch = async (path: string, viewerId: string, body: object) =>
    ask(path, {
      method: "PATCH",
      headers: { ...(await bearer(viewerId)), "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const top = await say("c1", {});
  const reply = await say("c2", { parent: top.id });
  assert.deepEqual([top.parentId, reply.parentId], [undefined, top.id]);
  const { comments } = (await as("1", `/v1/comments/${top.id}/replies`)).json() as { comments: { id: string }[] };
  assert.deepEqual(mesh.calls, ["ListComments", "BatchGetUsers", "BatchGetLikes"]);
  assert.deepEqual(
    comments.map((one) => one.id),
    [reply.id],
  );
  const edited = (await patch(`/v1/comments/${reply.id}`, "2", { text: "better" })).json();
  assert.deepEqual([edited.text, edited.version, typeof edited.editTime], ["better", 2, "string"]);
  assertProblem(await patch(`/v1/comments/${reply.id}`, "1", { text: "mine" }), 404, "not-found");
  for (const method of ["PUT", "DELETE"])
    assert.equal((await as("1", `/v1/comments/${reply.id}/hidden`, method)).status, 200);
  assert.deepEqual([...mesh.hides], [`${reply.id} true`, `${reply.id} false`]);
  const thread = { locked: true, repliers: "REPLIERS_FOLLOWERS", mayReply: true };
  assert.deepEqual((await ask(`/v1/posts/${id}/thread`)).json(), thread);
  assert.equal((await patch(`/v1/posts/${id}/thread`, "1", { locked: true })).json().locked, true);
  const stray = { ...(await bearer("2")), "idempotency-key": "c3" };
  assertProblem(await post(`/v1/posts/${id}/comments`, '{"text":"x","parent":"x"}', stray), 404, "not-found");
});

test("a post is kept, in a collection or in none, and listed by one call a noun; collections are named", async (t) => {
  const { write, as, ask, post, mesh } = await bff(t);
  const [{ id: one }, { id: two }] = [(await write("x", "k1")).json(), (await write("y", "k2")).json()];
  const put = async (path: string, body: object) =>
    ask(path, {
      method: "PUT",
      headers: { ...(await bearer("2")), "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  assert.deepEqual((await as("2", `/v1/posts/${one}/save`, "PUT")).json(), { saved: true }, "without a body, too");
  assert.deepEqual((await put(`/v1/posts/${one}/save`, {})).json(), { saved: true });
  assertProblem(await as("2", `/v1/posts/${one}/reaction`, "PUT"), 400, "malformed-json");
  await put(`/v1/posts/${two}/save`, { collection: "900" });
  assert.deepEqual((await as("2", `/v1/posts/${one}`)).json().viewer, { own: false, liked: false, saved: true });
  assert.deepEqual((await as("1", `/v1/posts/${one}`)).json().viewer, { own: true, liked: false });
  const kept = async (query = "") => {
    const { posts } = (await as("2", `/v1/me/saves${query}`)).json() as { posts: { id: string }[] };
    return posts.map(({ id }) => id);
  };
  assert.deepEqual(await kept(), [one, two]);
  const batches = [
    "BatchGetCommentCounts",
    "BatchGetLikes",
    "BatchGetPosts",
    "BatchGetSaves",
    "BatchGetUsers",
    "ListSaves",
  ];
  assert.deepEqual(mesh.calls.toSorted(), batches);
  assert.deepEqual(await kept("?collection=900"), [two]);
  assert.deepEqual((await as("2", `/v1/posts/${one}/save`, "DELETE")).json(), { saved: false });
  assert.deepEqual(await kept(), [two]);
  assertProblem(await put("/v1/posts/x/save", {}), 404, "not-found");
  assertProblem(await put(`/v1/posts/${one}/save`, { collection: "x" }), 404, "not-found");
  const headers = { ...(await bearer("2")), "idempotency-key": "n1" };
  const made = await post("/v1/me/collections", '{"name":"Recipes"}', headers);
  assert.deepEqual([made.status, made.json()], [201, { id: "900", name: "Recipes", postCount: 1 }]);
  assert.equal(((await as("2", "/v1/me/collections")).json().collections as unknown[]).length, 1);
  assert.equal((await as("2", "/v1/me/collections/900", "DELETE")).text, "{}");
});

test("what the viewer did is one call for ids, and one a noun for what is shown", async (t) => {
  const { write, as, ask, post, mesh } = await bff(t);
  const { id } = (await write("x", "k1")).json();
  await as("2", `/v1/posts/${id}/like`, "PUT");
  await post(`/v1/posts/${id}/comments`, '{"text":"said"}', { ...(await bearer("2")), "idempotency-key": "c1" });
  const list = async (path: string, name: "posts" | "comments") => {
    const answer = (await as("2", `/v1/me/activity/${path}`)).json();
    return (answer[name] as { id: string; text: string }[]).map((one) => one.text);
  };
  const batches = ["BatchGetCommentCounts", "BatchGetLikes", "BatchGetPosts", "BatchGetSaves", "BatchGetUsers"];
  assert.deepEqual(await list("reactions", "posts"), ["x"]);
  assert.deepEqual(mesh.calls.toSorted(), [...batches, "ListReactedPosts"]);
  assert.deepEqual(await list("reactions?kind=REACTION_KIND_LOVE", "posts"), []);
  assert.deepEqual(await list("comments", "comments"), ["said"]);
  assert.deepEqual(mesh.calls.toSorted(), ["BatchGetLikes", "BatchGetUsers", "ListOwnComments"]);
  assert.deepEqual(await list("mentions", "posts"), ["x"]);
  assertProblem(await ask("/v1/me/activity/comments"), 401, "unauthenticated");
});
