import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { invalid, notFound, problem, unavailable } from "#lib/mesh/errors.ts";
import { postApi } from "./post-api.ts";
import { assertProblem, bearer, serve } from "./serve.ts";

const rows: [thrown: unknown, status: number, name: string][] = [
  [invalid("text", "must not be empty"), 400, "validation"],
  [problem(Code.OutOfRange, "out-of-range", "x"), 400, "out-of-range"],
  [problem(Code.FailedPrecondition, "draft-only", "x"), 400, "draft-only"],
  [problem(Code.FailedPrecondition, "idempotency-key-reused", "x"), 422, "idempotency-key-reused"],
  [problem(Code.InvalidArgument, "invalid-cursor", "x"), 400, "invalid-cursor"],
  [problem(Code.Unauthenticated, "invalid-credentials", "x"), 401, "invalid-credentials"],
  [problem(Code.PermissionDenied, "forbidden", "x"), 403, "forbidden"],
  [notFound("post"), 404, "not-found"],
  [problem(Code.AlreadyExists, "username-taken", "x"), 409, "username-taken"],
  [problem(Code.Aborted, "aborted", "x"), 409, "aborted"],
  [problem(Code.ResourceExhausted, "rate-limited", "x"), 429, "rate-limited"],
  [new ConnectError("without a reason", Code.AlreadyExists), 409, "already-exists"],
  [new ConnectError("without a reason", Code.FailedPrecondition), 400, "failed-precondition"],
  [problem(Code.Internal, "secret-reason", "SELECT secret"), 500, "internal"],
  [problem(Code.DataLoss, "secret-reason", "SELECT secret"), 500, "internal"],
  [new ConnectError("secret", Code.Unknown), 500, "internal"],
  [new TypeError("secret is not a function"), 500, "internal"],
  ["secret", 500, "internal"],
  [problem(Code.Unimplemented, "unimplemented", "secret"), 501, "unimplemented"],
  [unavailable("secret", new Error("secret")), 503, "unavailable"],
  [problem(Code.Unavailable, "overloaded", "secret"), 503, "overloaded"],
  [problem(Code.DeadlineExceeded, "deadline-exceeded", "secret"), 504, "deadline-exceeded"],
];

test("each code has its status and each reason its type; our faults tell nothing and are logged once", async (t) => {
  for (const [thrown, status, name] of rows) {
    await t.test(`${status} ${name}`, async (t) => {
      const { ask, log } = await serve(
        t,
        postApi({
          getPost: () => {
            throw thrown;
          },
        }).rpcs,
      );
      const answer = await ask("/v1/posts/1");
      assertProblem(answer, status, name);
      assert.equal(answer.headers["retry-after"], status === 503 ? "1" : undefined);
      assert.equal(answer.headers["www-authenticate"], status === 401 ? "Bearer" : undefined);
      const isFault = status >= 500 && name !== "overloaded";
      assert.equal(log.lines.length, isFault ? 1 : 0);
      if (!isFault) return;
      assert.doesNotMatch(answer.text, /secret|SELECT/i);
      const [line] = log.lines;
      assert.equal(line?.fields.rpc, "PostService.GetPost");
      assert.equal(line?.fields.request, answer.headers["x-request-id"]);
      assert.equal(line?.fields.trace, answer.json().traceId);
    });
  }
});

test("a field at fault is named where the client wrote it", async (t) => {
  const violated = (field: string) => () => {
    throw problem(Code.InvalidArgument, "validation", "no", [{ field, rule: "must be nicer" }]);
  };
  let create = violated("text");
  const { rpcs } = postApi({
    createPost: () => create(),
    getPost: violated("post_id"),
    listUserPosts: violated("page_size"),
    deletePost: violated("shard_hint"),
  });
  const { ask, post } = await serve(t, rpcs);
  const headers = { ...(await bearer("7")), "idempotency-key": "k" };
  const wrong: [field: string, pointer: string][] = [
    ["text", "/text"],
    ["poll.options[1]", "/poll/options/1"],
    ["poll.duration_seconds", "/poll/durationSeconds"],
    ["media_ids[0]", "/mediaIds/0"],
    ["poll.shard_hint", "/poll"],
    ["media_ids[0].name", "/mediaIds/0"],
    ["text.poll[0]", "/text"],
  ];
  for (const [field, pointer] of wrong) {
    create = violated(field);
    assertProblem(await post("/v1/posts", '{"text":"a"}', headers), 400, "validation", [pointer]);
  }
  assertProblem(await ask("/v1/posts/1"), 400, "validation", ["{post}"]);
  assertProblem(await ask("/v1/users/a/posts"), 400, "validation", ["?pageSize"]);
  const hidden = await ask("/v1/posts/1", { method: "DELETE", headers });
  assertProblem(hidden, 400, "validation");
  assert.equal(hidden.json().errors, undefined, "a field of ours that the client never wrote");
});

test("a create needs a key, and one that can be kept", async (t) => {
  const { rpcs, posts } = postApi();
  const { post } = await serve(t, rpcs);
  const as = async (key: Record<string, string | string[]>) =>
    await post("/v1/posts", '{"text":"a"}', { ...(await bearer("7")), ...key });
  assertProblem(await as({}), 400, "idempotency-key-missing");
  assertProblem(await as({ "idempotency-key": "" }), 400, "idempotency-key-missing");
  for (const key of ["a b", "k\u00e9y", "a".repeat(256), ["a", "b"]]) {
    assertProblem(await as({ "idempotency-key": key }), 400, "validation", ["Idempotency-Key"]);
  }
  assert.equal(posts.size, 0);
  assert.equal((await as({ "idempotency-key": "a".repeat(255) })).status, 201);
});
