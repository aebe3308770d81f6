import assert from "node:assert/strict";
import { test } from "node:test";
import type { ListUserPostsRequest } from "#gen/skein/api/v1/post_pb.ts";
import { bind } from "../src/door/binding.ts";
import { createMatcher } from "../src/door/match.ts";
import { postApi } from "./post-api.ts";
import { assertProblem, bearer, raw, serve } from "./serve.ts";

const write = async (extra = {}) => ({ ...(await bearer("7")), "idempotency-key": "k1", ...extra });

test("a create answers 201 with the field the contract names, zeros written out", async (t) => {
  const { post } = await serve(t, postApi().rpcs);
  const answer = await post("/v1/posts", '{"text":"hello"}', await write());
  assert.equal(answer.status, 201);
  assert.equal(answer.headers["content-type"], "application/json");
  assert.deepEqual(answer.json(), {
    id: "1",
    version: 1,
    text: "hello",
    likeCount: 0,
    commentCount: 0,
    audience: "AUDIENCE_UNSPECIFIED",
  });
});

test("every answer names the request and hides the server", async (t) => {
  const { ask } = await serve(t, postApi().rpcs);
  const { headers } = await ask("/v1/users/anna/posts", { headers: { "x-request-id": "edge-1" } });
  assert.equal(headers["x-request-id"], "edge-1");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["cache-control"], "no-store");
  assert.equal(headers.server, undefined);
  assert.equal(headers["x-powered-by"], undefined);
  const odd = await ask("/v1/users/anna/posts", { headers: { "x-request-id": "a b" } });
  assert.match(String(odd.headers["x-request-id"]), /^[0-9a-f-]{36}$/);
});

test("the handler works inside a call: viewer, deadline, trace and request id", async (t) => {
  const { rpcs, calls } = postApi();
  const { ask, post } = await serve(t, rpcs);
  const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-00`;
  const before = Date.now();
  await post("/v1/posts", '{"text":"x"}', await write({ traceparent, "x-request-id": "r1" }));
  await ask("/v1/posts/1", { headers: { traceparent: "nonsense" } });
  const [first, second] = calls;
  assert.equal(first?.viewerId, "7");
  assert.equal(first?.caller, "bff");
  assert.equal(first?.requestId, "r1");
  assert.equal(first?.traceparent.slice(0, 36), traceparent.slice(0, 36));
  assert.ok(first && first.deadline >= before + 3_000 && first.deadline <= Date.now() + 3_000);
  assert.equal(second?.viewerId, undefined);
  assert.match(second?.traceparent ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
});

test("a handler reads request headers and writes response headers", async (t) => {
  const { post } = await serve(t, postApi().rpcs);
  const answer = await post("/v1/posts", '{"text":"x"}', await write({ "idempotency-key": "again" }));
  assert.equal(answer.headers["idempotency-replayed"], "true");
});

test("path and query become fields, given or not", async (t) => {
  const { rpcs, requests } = postApi();
  const { ask } = await serve(t, rpcs);
  await ask("/v1/users/anna/posts?pageSize=5&pageToken=a%2Bb");
  await ask("/v1/users/anna/posts?pageToken=");
  const [full, empty] = requests as ListUserPostsRequest[];
  assert.deepEqual([full?.user, full?.pageSize, full?.pageToken], ["anna", 5, "a+b"]);
  assert.deepEqual([empty?.pageSize, empty?.pageToken], [undefined, ""]);
});

test("parameters the contract does not know, or not like this, are refused and named", async (t) => {
  const { ask } = await serve(t, postApi().rpcs);
  const rows = [
    ["pageSize=abc", "?pageSize"],
    ["pageSize=1.5", "?pageSize"],
    ["pageSize=1e9", "?pageSize"],
    ["pageSize=99999999999", "?pageSize"],
    ["pageSize=", "?pageSize"],
    ["pageSize=10&pageSize=20", "?pageSize"],
    ["page_size=10", "?page_size"],
    ["user=other", "?user"],
    ["before=1", "?before"],
    ["__proto__=1", "?__proto__"],
    ["pageToken=%ff", "?pageToken"],
    ["pageToken=%", "?pageToken"],
  ];
  for (const [query, pointer = ""] of rows) {
    assertProblem(await ask(`/v1/users/anna/posts?${query}`), 400, "validation", [pointer]);
  }
});

test("DELETE answers 200 with an empty object; again is the same", async (t) => {
  const { ask } = await serve(t, postApi().rpcs);
  for (let round = 0; round < 2; round++) {
    const answer = await ask("/v1/posts/1", { method: "DELETE", headers: await bearer("7") });
    assert.deepEqual([answer.status, answer.text], [200, "{}"]);
  }
});

test("HEAD is GET without the body", async (t) => {
  const { ask } = await serve(t, postApi().rpcs);
  const get = await ask("/v1/users/anna/posts");
  const head = await ask("/v1/users/anna/posts", { method: "HEAD" });
  assert.deepEqual([head.status, head.text], [200, ""]);
  assert.equal(head.headers["content-length"], get.headers["content-length"]);
  assert.equal((await ask("/v1/posts/1", { method: "HEAD" })).status, 404);
});

test("a known path with another method is 405 with Allow", async (t) => {
  const { ask } = await serve(t, postApi().rpcs);
  for (const method of ["PUT", "PATCH", "TRACE", "OPTIONS", "DELETE"]) {
    const answer = await ask("/v1/posts", { method, headers: { "x-http-method-override": "POST" } });
    assertProblem(answer, 405, "method-not-allowed");
    assert.equal(answer.headers.allow, "POST, GET, HEAD");
  }
  assert.equal((await ask("/v1/posts/1", { method: "POST" })).headers.allow, "GET, HEAD, PATCH, DELETE");
});

test("an unknown path is 404, however it is spelled", async (t) => {
  const { ask, port } = await serve(t, postApi().rpcs);
  const paths = [
    "/",
    "/v1",
    "/v1/nothing",
    "/v1/posts/",
    "/v1//posts",
    "//v1/posts",
    "/V1/posts/1",
    "/v1/posts/..%2f..%2fadmin",
    "/v1/posts/1%00",
    "/v1/posts/%ff",
    "/v1/posts/1/2",
    "/v1/posts/./1",
    "/healthz/",
  ];
  for (const path of paths) assertProblem(await ask(path), 404, "not-found");
  assert.match(await raw(port, "GET http://other/v1/posts/1 HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1.1 404 /);
});

test("oversized heads are refused before us", async (t) => {
  const { ask, port } = await serve(t, postApi().rpcs);
  assert.equal((await ask("/v1/posts/1", { headers: { "x-big": "a".repeat(20_000) } })).status, 431);
  assert.match(
    await raw(port, `GET /v1/feed?q=${"a".repeat(17_000)} HTTP/1.1\r\nHost: x\r\n\r\n`),
    /^HTTP\/1.1 4[13]\d /,
  );
});

test("a path that two RPCs claim fails the start", () => {
  const bindings = bind(postApi().rpcs);
  assert.throws(() => createMatcher([...bindings, ...bindings]), /POST \/v1\/posts is taken/);
});
