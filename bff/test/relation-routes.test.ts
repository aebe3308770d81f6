import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createClients } from "../src/clients.ts";
import { publicRpcs } from "../src/routes/routes.ts";
import { meshOf } from "./mesh.ts";
import { assertProblem, bearer, memoryLog, serve, strangers, unlimited } from "./serve.ts";

async function bff(t: TestContext) {
  const users = ["anna", "ben"].map((username, nth) => ({ id: String(nth + 1), version: 1n, username }));
  const mesh = await meshOf(t, users);
  const door = await serve(t, publicRpcs(createClients(mesh.transport, memoryLog()), unlimited));
  /** As anna. */
  const call = async (line: string, body?: object) => {
    mesh.calls.length = 0;
    const [method = "", path = ""] = line.split(" ");
    const headers = { ...(await bearer("1")), "idempotency-key": "k", "content-type": "application/json" };
    const request =
      body === undefined ? { method, headers: await bearer("1") } : { method, headers, body: JSON.stringify(body) };
    const answer = await door.ask(path, request);
    return { ...answer, calls: mesh.calls.toSorted() };
  };
  return { ...door, mesh, call };
}

test("each of the viewer's relations is one call, and one more where a name is to be found", async (t) => {
  const { call } = await bff(t);
  const rows: [line: string, calls: string[]][] = [
    ["PUT /v1/me/follow-requests/2", ["AcceptFollowRequest"]],
    ["DELETE /v1/me/follow-requests/ben", ["DeclineFollowRequest", "GetUser"]],
    ["DELETE /v1/me/followers/2", ["RemoveFollower"]],
    ["PUT /v1/users/ben/block", ["BlockUser", "GetUser"]],
    ["DELETE /v1/users/2/block", ["UnblockUser"]],
    ["PUT /v1/users/2/mute", ["MuteUser"]],
    ["DELETE /v1/users/2/mute", ["UnmuteUser"]],
  ];
  for (const [line, calls] of rows) {
    const answer = await call(line);
    const blocking = calls.includes("BlockUser");
    assert.deepEqual([answer.json(), answer.calls], [{ viewer: { ...strangers, blocking } }, calls], line);
    assertProblem(await call(line.replace(/\/(2|ben)/, "/a b".replace(" ", "%20"))), 404, "not-found");
  }
});

test("lists of people come as users, those who left are left out, and a page is one batch a noun", async (t) => {
  const { call } = await bff(t);
  const hydrated = ["BatchGetAccounts", "BatchGetUsers"];
  await call("PUT /v1/users/2/block");
  const rows: [line: string, calls: string[], ids: string[]][] = [
    ["GET /v1/me/follow-requests", [...hydrated, "ListFollowRequests"], ["2"]],
    ["GET /v1/me/blocks", [...hydrated, "ListBlocks"], ["2"]],
    ["GET /v1/me/lists/700/members", [...hydrated, "ListListMembers"], ["2"]],
    ["GET /v1/me/sent-follow-requests", ["ListSentFollowRequests"], []],
    ["GET /v1/me/mutes", ["ListMutes"], []],
    ["GET /v1/me/mutuals", ["ListMutuals"], []],
    ["GET /v1/users/ben/familiar-followers", ["GetUser", "ListFamiliarFollowers"], []],
  ];
  for (const [line, calls, ids] of rows) {
    const answer = await call(line);
    const { users } = answer.json() as { users: { id: string }[] };
    assert.deepEqual([users.map(({ id }) => id), answer.calls], [ids, calls], line);
    assertProblem(await call(`${line}?pageSize=101`), 400, "validation", ["?pageSize"]);
  }
});

test("relationships are asked by a parameter that repeats", async (t) => {
  const { call, mesh } = await bff(t);
  mesh.follows.add("1>2");
  const answer = await call("GET /v1/relationships?userIds=2&userIds=9");
  assert.deepEqual(answer.calls, ["BatchGetRelationships"]);
  assert.deepEqual(answer.json(), { relationships: [{ ...strangers, following: true }, strangers] });
  assert.deepEqual((await call("GET /v1/relationships")).json(), { relationships: [] });
  assertProblem(await call("GET /v1/relationships?userIds=2&userid=2"), 400, "validation", ["?userid"]);
});

test("threads are muted where the post may be seen, and words as they are written", async (t) => {
  const { call, mesh } = await bff(t);
  mesh.posts.push({ id: "100", version: 1n, authorId: "2", text: "hello", key: "k" });
  assert.deepEqual((await call("PUT /v1/posts/100/mute")).calls, ["BatchGetPosts", "MuteThread"]);
  const hidden = await call("PUT /v1/posts/101/mute");
  assertProblem(hidden, 404, "not-found");
  assert.deepEqual(hidden.calls, ["BatchGetPosts"]);
  assert.deepEqual((await call("DELETE /v1/posts/101/mute")).calls, ["UnmuteThread"]);
  for (const word of ["caf%C3%A9", "spoiler%20alert"]) await call(`PUT /v1/me/muted-words/${word}`);
  assert.deepEqual((await call("GET /v1/me/muted-words")).json(), { words: ["café", "spoiler alert"] });
  await call("DELETE /v1/me/muted-words/caf%C3%A9");
  assert.deepEqual((await call("GET /v1/me/muted-words")).json(), { words: ["spoiler alert"] });
});

test("lists are made with a key, and close friends are one of them", async (t) => {
  const { call } = await bff(t);
  const made = await call("POST /v1/me/lists", { name: "Friends" });
  assert.deepEqual([made.status, made.json()], [201, { id: "700", name: "Friends", memberCount: 1 }]);
  assert.equal((await call("POST /v1/me/lists", { name: "again" })).headers["idempotency-replayed"], "true");
  assert.deepEqual((await call("PATCH /v1/me/lists/700", { name: "Best" })).json().name, "Best");
  const { lists } = (await call("GET /v1/me/lists")).json() as { lists: { id: string }[] };
  assert.deepEqual(
    lists.map(({ id }) => id),
    ["close-friends", "700"],
  );
  assert.deepEqual((await call("PUT /v1/me/lists/close-friends/members/ben")).calls, ["AddListMember", "GetUser"]);
  assert.deepEqual((await call("DELETE /v1/me/lists/700/members/2")).calls, ["RemoveListMember"]);
  assert.deepEqual((await call("DELETE /v1/me/lists/700")).calls, ["DeleteList"]);
  assertProblem(await call("DELETE /v1/me/lists/friends"), 404, "not-found");
});

test("an account is made private, closed, opened and ended by its owner; what is not said stays as it is", async (t) => {
  const { call, ask } = await bff(t);
  const shown = (state: string, isPrivate: boolean) => ({
    userId: "1",
    state: `ACCOUNT_STATE_${state}`,
    private: isPrivate,
  });
  assert.deepEqual((await call("GET /v1/me/account")).json(), shown("ACTIVE", false));
  assert.deepEqual((await call("PATCH /v1/me/account", { private: true })).json(), shown("ACTIVE", true));
  const said = await call("PATCH /v1/me/account", {});
  assert.deepEqual([said.json(), said.calls], [shown("ACTIVE", true), ["GetAccount"]]);
  assert.deepEqual((await call("PUT /v1/me/account/deactivation")).json(), shown("DEACTIVATED", true));
  assert.deepEqual((await call("DELETE /v1/me/account/deactivation")).json(), shown("ACTIVE", true));
  assert.deepEqual((await call("DELETE /v1/me/account")).json(), {});
  assert.equal((await call("GET /v1/me/account")).json().state, "ACCOUNT_STATE_GONE");
  assertProblem(await ask("/v1/me/account"), 401, "unauthenticated");
});
