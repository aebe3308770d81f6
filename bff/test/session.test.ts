import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { Auth } from "#gen/skein/options/v1/options_pb.ts";
import { createSession } from "../src/session.ts";
import { postApi } from "./post-api.ts";
import { assertProblem, bearer, keys, serve, tokenFor } from "./serve.ts";

const seconds = () => Math.floor(Date.now() / 1000);
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token nobody signed, or signed otherwise, under the header given. */
const unsigned = (header: unknown, signature = "") =>
  `${base64(header)}.${base64({ iss: "skein", aud: "skein-api", sub: "7", iat: seconds(), exp: seconds() + 600 })}.${signature}`;

test("a good token names the viewer, in any case of the scheme", async (t) => {
  const { rpcs, calls } = postApi();
  const { ask } = await serve(t, rpcs);
  const token = await tokenFor("7");
  for (const scheme of ["Bearer", "bearer", "BEARER"]) {
    await ask("/v1/posts/1", { headers: { authorization: `${scheme} ${token}` } });
    assert.equal(calls.pop()?.viewerId, "7");
  }
});

test("nobody is nobody where that is allowed, and 401 where not", async (t) => {
  const { rpcs, calls } = postApi();
  const { ask } = await serve(t, rpcs);
  await ask("/v1/posts/1");
  assert.equal(calls.pop()?.viewerId, undefined);
  const answer = await ask("/v1/posts/1", { method: "DELETE" });
  assertProblem(answer, 401, "unauthenticated");
  assert.equal(answer.headers["www-authenticate"], "Bearer");
  const inQuery = await ask(`/v1/posts/1?access_token=${await tokenFor("7")}`, { method: "DELETE" });
  assertProblem(inQuery, 401, "unauthenticated");
});

test("a bad token is 401 wherever it is sent", async (t) => {
  const { ask } = await serve(t, postApi().rpcs);
  const good = await tokenFor("7");
  const stranger = generateKeyPairSync("ed25519");
  const secret = Buffer.from(keys.publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const rows: [why: string, header: string, name?: string][] = [
    ["alg none", `Bearer ${unsigned({ alg: "none", typ: "at+jwt" })}`],
    ["alg nOnE", `Bearer ${unsigned({ alg: "nOnE", typ: "at+jwt" })}`],
    ["no signature", `Bearer ${unsigned({ alg: "EdDSA", typ: "at+jwt" })}`],
    ["the public key as a secret", `Bearer ${unsigned({ alg: "HS256", typ: "at+jwt" }, secret.toString("base64url"))}`],
    ["another key", `Bearer ${await tokenFor("7", { key: stranger.privateKey })}`],
    ["one bit flipped", `Bearer ${good.slice(0, -3)}${good.at(-3) === "A" ? "B" : "A"}${good.slice(-2)}`],
    ["a byte more", `Bearer ${good}A`],
    ["an id token", `Bearer ${await tokenFor("7", { typ: "JWT" })}`],
    ["another issuer", `Bearer ${await tokenFor("7", { claims: { iss: "other" } })}`],
    ["another audience", `Bearer ${await tokenFor("7", { claims: { aud: "other" } })}`],
    ["expired", `Bearer ${await tokenFor("7", { claims: { exp: seconds() - 61 } })}`, "token-expired"],
    ["not yet", `Bearer ${await tokenFor("7", { claims: { nbf: seconds() + 90 } })}`],
    ["from the future", `Bearer ${await tokenFor("7", { claims: { iat: seconds() + 90 } })}`],
    ["no expiry", `Bearer ${await tokenFor("7", { claims: { exp: undefined } })}`],
    ["expiry in words", `Bearer ${await tokenFor("7", { claims: { exp: "9999999999" as never } })}`],
    ["no subject", `Bearer ${await tokenFor("7", { claims: { sub: undefined } })}`],
    ["a subject that is no id", `Bearer ${await tokenFor("anna")}`],
    ["a list for claims", `Bearer ${base64({ alg: "EdDSA", typ: "at+jwt" })}.${base64([])}.AAAA`],
    ["one dot", "Bearer a.b"],
    ["no dot", "Bearer a"],
    ["three dots", "Bearer a.b.c.d"],
    ["not base64url", "Bearer a$.b.c"],
    ["long", `Bearer ${"a".repeat(10_000)}`],
    ["two spaces", `Bearer  ${good}`],
    ["no token", "Bearer"],
    ["Basic", "Basic YTpi"],
  ];
  for (const [why, authorization, name = "invalid-token"] of rows) {
    await t.test(why, async () => {
      for (const method of ["GET", "DELETE"]) {
        const answer = await ask("/v1/posts/1", { method, headers: { authorization } });
        assertProblem(answer, 401, name);
        assert.equal(answer.headers["www-authenticate"], "Bearer");
      }
    });
  }
});

test("two Authorization headers are refused", async (t) => {
  const { ask } = await serve(t, postApi().rpcs);
  const { authorization } = await bearer("7");
  const answer = await ask("/v1/posts/1", { headers: { authorization: [authorization, authorization] as never } });
  assertProblem(answer, 400, "validation", ["Authorization"]);
});

test("who is asking is settled before the body is read", async (t) => {
  const { post } = await serve(t, postApi().rpcs);
  assertProblem(await post("/v1/posts", '{"text":'), 401, "unauthenticated");
});

test("a remembered token is good until it expires, and not a second longer", async () => {
  let now = Date.now();
  const session = await createSession([keys.publicKey.export({ format: "jwk" })], () => now);
  const req = { headers: await bearer("7"), rawHeaders: [] } as never;
  assert.equal(await session.viewerOf(req, Auth.USER), "7");
  now += 629_000;
  assert.equal(await session.viewerOf(req, Auth.USER), "7", "within the leeway");
  now += 2_000;
  await assert.rejects(session.viewerOf(req, Auth.USER), /expired/);
  await assert.rejects(session.viewerOf(req, Auth.PUBLIC), /expired/);
});

test("while one key takes over from another, tokens of both are believed", async () => {
  const next = generateKeyPairSync("ed25519");
  const jwk = (pair: typeof next, kid: string) => ({ ...pair.publicKey.export({ format: "jwk" }), kid });
  const session = await createSession([jwk(keys, "old"), jwk(next, "new")]);
  const viewer = async (kid: string, key = keys.privateKey) =>
    session.viewerOf(
      { headers: { authorization: `Bearer ${await tokenFor("7", { key, kid })}` }, rawHeaders: [] },
      Auth.USER,
    );
  assert.equal(await viewer("old"), "7");
  assert.equal(await viewer("new", next.privateKey), "7");
  await assert.rejects(viewer("old", next.privateKey));
  await assert.rejects(viewer("other"));
});
