//! Who calls, what they may, and where a page goes on.

import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import * as grpc from "@grpc/grpc-js";
import { type JWTPayload, SignJWT } from "jose";
import { type Person, register } from "../support/person.ts";
import {
  as,
  connectCall,
  connectError,
  envelope,
  grpcCall,
  post,
  problem,
  type Rows,
  raw,
  send,
  type World,
} from "./wire.ts";

const seconds = () => Math.floor(Date.now() / 1000);
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Signed as the system signs, with claims of ours. */
async function signed({ system, ada }: World, claims: Record<string, unknown>): Promise<string> {
  const { access } = JSON.parse(readFileSync(path.join(system.dir, "keys.json"), "utf8")) as {
    access: { private: object };
  };
  const key = createPrivateKey({ key: access.private as never, format: "jwk" });
  const all = { iss: "skein", aud: "skein-api", sub: ada.id, iat: seconds(), exp: seconds() + 600, ...claims };
  return await new SignJWT(all as JWTPayload).setProtectedHeader({ alg: "EdDSA", typ: "at+jwt" }).sign(key);
}

const feed = (world: World, authorization: string) => send(world, "/v1/feed", { headers: { authorization } });

async function refusedTokens(world: World, tokens: readonly string[], name?: string): Promise<void> {
  for (const token of tokens) problem(await feed(world, `Bearer ${token}`), 401, name);
}

/** Somebody with posts, and the token of their second page. */
async function paged(world: World, posts = 4): Promise<{ person: Person; ids: string[]; token: string }> {
  const person = await register(world.system.edge);
  const ids: string[] = [];
  for (let n = 0; n < posts; n++) ids.unshift((await person.post(`page ${n}`)).id);
  return { person, ids, token: (await person.feedPage(2)).nextPageToken };
}
const page = (world: World, person: Person, token: string, where = "/v1/feed") =>
  send(world, `${where}?pageSize=2&pageToken=${encodeURIComponent(token)}`, { headers: as(person) });

export const accessRows: Rows = {
  "T-01": async (world) => {
    const answer = await send(world, "/v1/feed");
    problem(answer, 401, "unauthenticated");
    assert.equal(answer.headers["www-authenticate"], "Bearer");
    const nobody = { authorization: "" };
    connectError(await connectCall(world, "FeedService/ListHomeFeed", "", nobody), 401, "unauthenticated");
    assert.equal((await grpcCall(world, "FeedService/ListHomeFeed", envelope(Buffer.alloc(0)), nobody)).status, "16");
  },
  "T-02": async (world) => {
    const claims = base64({ iss: "skein", aud: "skein-api", sub: world.ada.id, iat: seconds(), exp: seconds() + 600 });
    const algs = ["none", "None", "nOnE", "EdDSA"].map((alg) => `${base64({ alg, typ: "at+jwt" })}.${claims}.`);
    await refusedTokens(world, algs, "invalid-token");
  },
  "T-05": async (world) => {
    await refusedTokens(world, [await signed(world, { exp: seconds() - 61 })], "token-expired");
    const odd = [{ nbf: seconds() + 90 }, { iat: seconds() + 90 }, { exp: undefined }, { exp: "9999999999" }];
    await refusedTokens(world, await Promise.all(odd.map((claims) => signed(world, claims))), "invalid-token");
    assert.equal(
      (await feed(world, `Bearer ${await signed(world, { exp: seconds() - 5 })}`)).status,
      200,
      "the leeway",
    );
  },
  "T-07": async (world) => {
    assert.equal((await feed(world, `Bearer ${"a".repeat(65_536)}`)).status, 431);
    const list = `${base64({ alg: "EdDSA", typ: "at+jwt" })}.${base64([])}.AAAA`;
    await refusedTokens(world, ["a.b.c.d", "a.b", "a$.b.c", list], "invalid-token");
  },
  "T-12": async (world) => {
    const logIn = async (username: string) => {
      const answer = await post(world, "/v1/auth/login", JSON.stringify({ username, password: "wrong horse" }));
      problem(answer, 401, "invalid-credentials");
      const { instance: _, traceId: __, ...told } = answer.json();
      // One request in a hundred is traced and says so, whoever logs in.
      const { traceresponse: ___, ...headers } = answer.headers;
      return { told, names: Object.keys(headers).sort() };
    };
    assert.deepEqual(await logIn("nobody_at_all"), await logIn(world.ada.username));
  },
  "T-18": async (world) => {
    const { token } = world.ada;
    for (const odd of [`Basic ${token}`, `Bearer  ${token}`, "Bearer"]) problem(await feed(world, odd), 401);
    assert.equal((await feed(world, `bearer ${token}`)).status, 200);
    problem(await send(world, `/v1/feed?access_token=${token}`), 401, "unauthenticated");
    const twice = `Authorization: Bearer ${token}\r\n`.repeat(2);
    assert.match(await raw(world, `GET /v1/feed HTTP/1.1\r\nHost: localhost\r\n${twice}\r\n`), /^HTTP\/1.1 40[01] /);
  },
  "Z-01": async (world) => {
    const { id } = await world.ada.post("mine");
    const remove = (postId: string) => send(world, `/v1/posts/${postId}`, { method: "DELETE", headers: as(world.ben) });
    problem(await remove(id), 404, "not-found");
    problem(await remove(String(BigInt(id) + 1n)), 404, "not-found");
    const message = Buffer.concat([Buffer.from([0x0a, id.length]), Buffer.from(id)]);
    connectError(await connectCall(world, "PostService/DeletePost", message, as(world.ben)), 404, "not_found");
    assert.equal((await grpcCall(world, "PostService/DeletePost", envelope(message), as(world.ben))).status, "5");
    assert.equal((await send(world, `/v1/posts/${id}`)).status, 200, "it is still there");

    const theirs = await world.ben.post("theirs");
    const comment = `/v1/comments/${(await world.ada.comment(theirs.id, "mine")).id}`;
    const cleo = await register(world.system.edge);
    const headers = as(cleo, { "content-type": "application/json" });
    const patch = { method: "PATCH", body: '{"text":"not mine"}', headers };
    problem(await send(world, comment, patch), 404, "not-found");
    problem(await send(world, comment, { method: "DELETE", headers: as(cleo) }), 404, "not-found");
    problem(await send(world, `${comment}/hidden`, { method: "PUT", headers: as(cleo) }), 404, "not-found");
    problem(await send(world, `/v1/posts/${id}/thread`, { ...patch, body: '{"locked":true}' }), 404, "not-found");
    assert.equal((await send(world, comment)).json().text, "mine");
  },
  "Z-03": async (world) => {
    const body = JSON.stringify({ text: "as ben", authorId: world.ben.id });
    problem(await post(world, "/v1/posts", body), 400, "validation", "/authorId");
  },
  "Z-05": async (world) => {
    const { processes } = await world.system.instance.status();
    const address = processes.find(({ name }) => name === "user-1")?.address.replace("grpc://", "") ?? "";
    const client = new grpc.Client(address, grpc.credentials.createInsecure());
    for (const headers of [{}, { authorization: `Bearer ${world.ada.token}` }, { "skein-token": world.ada.token }]) {
      const metadata = new grpc.Metadata();
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      const whole = (bytes: Buffer) => bytes;
      const code = await new Promise((resolve) =>
        client.makeUnaryRequest(
          "/skein.user.v1.UserService/BatchGetUsers",
          whole,
          whole,
          Buffer.alloc(0),
          metadata,
          (err) => resolve(err?.code),
        ),
      );
      assert.equal(code, grpc.status.UNAUTHENTICATED);
    }
    client.close();
  },
  "Z-06": async (world) => {
    const forged = { "x-user-id": world.ada.id, "x-forwarded-user": world.ada.username, "x-envoy-internal": "true" };
    problem(await send(world, "/v1/feed", { headers: { ...forged, "x-forwarded-for": "127.0.0.1" } }), 401);
  },
  "K-01": async (world) => {
    const { person, token } = await paged(world);
    const flipped = `${token.slice(0, 10)}${token[10] === "A" ? "B" : "A"}${token.slice(11)}`;
    for (const bad of [flipped, token.slice(0, -1), `${token}A`])
      problem(await page(world, person, bad), 400, "invalid-cursor");
  },
  "K-02": async (world) => {
    const { person, token } = await paged(world);
    problem(await page(world, world.ben, token), 400, "invalid-cursor");
    problem(await page(world, person, token, `/v1/users/${person.id}/posts`), 400, "invalid-cursor");
    problem(await page(world, person, token, `/v1/users/${person.id}/followers`), 400, "invalid-cursor");
  },
  "K-03": async (world) => {
    const offset = Buffer.from('{"offset":-1}').toString("base64url");
    for (const bad of ["", "0", offset, "a".repeat(10_240), "\u0000", "a+b/c=", "ü"]) {
      problem(await page(world, world.ada, bad), 400, "invalid-cursor");
    }
  },
  "K-04": async (world) => {
    const { person, ids, token } = await paged(world, 5);
    await person.remove(ids[2] as string);
    const { items } = (await page(world, person, token)).json() as { items: { post: { id: string } }[] };
    assert.deepEqual(
      items.map((item) => item.post.id),
      ids.slice(3),
    );
    for (const id of ids.slice(3)) await person.remove(id);
    const beyond = await page(world, person, token);
    assert.deepEqual([beyond.status, beyond.json()], [200, { items: [], nextPageToken: "" }]);
  },
  "K-05": async (world) => {
    problem(await send(world, "/v1/feed?before=1&after=2", { headers: as(world.ada) }), 400, "validation", "?before");
  },
  "K-06": async (world) => {
    const { person, ids } = await paged(world, 12);
    const writing = Promise.all(Array.from({ length: 40 }, (_, n) => person.post(`meanwhile ${n}`)));
    const seen = await person.feed(3);
    await writing;
    assert.equal(new Set(seen).size, seen.length, "twice");
    for (const id of ids) assert.ok(seen.includes(id), `${id} is missing`);
  },
};
