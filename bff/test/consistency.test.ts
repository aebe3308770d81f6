import assert from "node:assert/strict";
import { test } from "node:test";
import { callOf } from "#lib/mesh/call.ts";
import { type FactRef, newTold } from "#lib/mesh/facts.ts";
import { createConsistency } from "../src/door/consistency.ts";
import { postApi } from "./post-api.ts";
import { assertProblem, bearer, consistencyKey, serve } from "./serve.ts";

const fact = (id: number, noun = "like"): FactRef => ({ noun, shard: 7, id: BigInt(id) });

/** What `tell` sets on an answer. */
function told(
  consistency: ReturnType<typeof createConsistency>,
  ids: readonly number[],
  headers = {},
  after?: FactRef[],
) {
  const said = newTold("");
  for (const id of ids) said.facts.set(String(id), fact(id));
  const set = new Map<string, string>();
  consistency.tell({ headers }, { setHeader: (name, value) => set.set(name, value) }, said, after);
  return { token: set.get("Consistency-Token") ?? "", cookie: set.get("Set-Cookie") };
}

test("a token is read back as it was told, with what was seen before; the newest four stay", () => {
  const consistency = createConsistency(consistencyKey);
  const { token } = told(consistency, [5, 9], {}, [fact(1), fact(8, "comment"), fact(3)]);
  assert.deepEqual(consistency.after({ headers: { "consistency-token": token } }), [
    fact(9),
    fact(8, "comment"),
    fact(5),
    fact(3),
  ]);
});

test("nothing is said where nothing was told, and nothing is asked for where no token came", () => {
  const consistency = createConsistency(consistencyKey);
  assert.deepEqual(told(consistency, [], { origin: "https://a.example" }, [fact(1)]), { token: "", cookie: undefined });
  assert.equal(consistency.after({ headers: {} }), undefined);
  assert.equal(consistency.after({ headers: { cookie: "theme=dark" } }), undefined);
});

test("a token of five minutes ago asks for nothing", () => {
  let now = Date.now();
  const consistency = createConsistency(consistencyKey, () => now);
  const headers = { "consistency-token": told(consistency, [1]).token };
  now += 299_000;
  assert.deepEqual(consistency.after({ headers }), [fact(1)]);
  now += 2_000;
  assert.equal(consistency.after({ headers }), undefined);
});

test("browsers get a cookie, bound to this host where they came by TLS; the header counts before it", () => {
  const consistency = createConsistency(consistencyKey);
  assert.equal(told(consistency, [1]).cookie, undefined);
  const plain = { "sec-fetch-site": "same-origin" };
  assert.match(
    told(consistency, [1], plain).cookie ?? "",
    /^skein-consistency=[\w-]+; Path=\/; Max-Age=60; HttpOnly; SameSite=Lax$/,
  );
  const secure = { origin: "https://skein.example", "x-forwarded-proto": "https" };
  const { cookie = "" } = told(consistency, [1], secure);
  assert.match(cookie, /^__Host-skein-consistency=[\w-]+; .*; Secure$/);
  const sent = { ...secure, cookie: cookie.split(";")[0] ?? "" };
  assert.deepEqual(consistency.after({ headers: sent }), [fact(1)]);
  const both = { ...sent, "consistency-token": told(consistency, [2]).token };
  assert.deepEqual(consistency.after({ headers: both }), [fact(2)]);
});

test("a header that is not ours is refused and named; a cookie that is not ours is passed over", async (t) => {
  const { ask } = await serve(t, postApi().rpcs);
  const foreign = told(createConsistency(Buffer.alloc(32, 3).toString("base64url")), [1]).token;
  const ours = told(createConsistency(consistencyKey), [1]).token;
  const forged = `${ours.slice(0, -1)}${ours.endsWith("A") ? "B" : "A"}`;
  for (const token of ["", "x", "ü".repeat(30), "a".repeat(600), foreign, forged]) {
    const headers = { "consistency-token": Buffer.from(token).toString("latin1") };
    assertProblem(await ask("/v1/posts/1", { headers }), 400, "invalid-consistency-token", ["Consistency-Token"]);
  }
  const headers = { cookie: `skein-consistency=${foreign}; skein-consistency=${forged}` };
  assertProblem(await ask("/v1/posts/1", { headers }), 404, "not-found");
});

test("what a write told goes out with its answer, and what a token names goes in with a read", async (t) => {
  const seen: unknown[] = [];
  const { ask, post } = await serve(
    t,
    postApi({
      createPost(_, ctx) {
        callOf(ctx).told?.facts.set("post:1 1", fact(1, "post"));
        return { post: { id: "1" } };
      },
      getPost(_, ctx) {
        seen.push(callOf(ctx).after, callOf(ctx).told);
        return { post: { id: "1" } };
      },
    }).rpcs,
  );
  const answer = await post("/v1/posts", '{"text":"a"}', { ...(await bearer("7")), "idempotency-key": "k" });
  const token = String(answer.headers["consistency-token"]);
  await ask("/v1/posts/1", { headers: { "consistency-token": token } });
  await ask("/v1/posts/1");
  assert.deepEqual(seen, [[fact(1, "post")], undefined, undefined, undefined]);
});
