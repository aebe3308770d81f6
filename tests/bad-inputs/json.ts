//! The JSON door.

import assert from "node:assert/strict";
import { until } from "#lib/harness/until.ts";
import { caughtUp } from "../support/faults.ts";
import { register } from "../support/person.ts";
import { as, post, problem, type Rows, send, type World, write } from "./wire.ts";

const create = (world: World, body: string | Buffer, headers = {}) => post(world, "/v1/posts", body, headers);

/** A body that must be refused, with this reason. */
const body =
  (text: string | Buffer, name: string, status = 400, headers = {}) =>
  async (world: World) =>
    problem(await create(world, text, headers), status, name);

/** Stored, and read back byte for byte. */
async function kept(world: World, text: string): Promise<void> {
  const answer = await write(world, text);
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.headers["x-content-type-options"], "nosniff");
  const read = await send(world, `/v1/posts/${answer.json().id}`);
  assert.equal(read.json().text, text);
}

const signUp = (world: World, username: string, more = {}) =>
  post(world, "/v1/auth/register", JSON.stringify({ username, password: "correct horse", ...more }));

let names = 0;
const fresh = () => `bad${Date.now().toString(36)}${names++}`;

export const jsonRows: Rows = {
  "J-01": body('{"text":', "malformed-json"),
  "J-02": body("", "malformed-json"),
  "J-04": body('{"text":"a","text":"b"}', "duplicate-key"),
  "J-05": async (world) => {
    const answer = await create(world, '{"text":"a","isAdmin":true,"authorId":"1","likeCount":9}');
    for (const pointer of ["/isAdmin", "/authorId", "/likeCount"]) problem(answer, 400, "validation", pointer);
  },
  "J-06": async (world) => {
    problem(await create(world, '{"__proto__":{"isAdmin":true}}'), 400, "validation");
    problem(await create(world, '{"constructor":{"prototype":{}}}'), 400, "validation");
  },
  "J-08": body("[".repeat(1e5) + "]".repeat(1e5), "too-deep"),
  "J-09": body(JSON.stringify({ text: "a".repeat(2 ** 21) }), "payload-too-large", 413),
  "J-12": body("corrupt", "bad-encoding", 400, { "content-encoding": "br" }),
  "J-14": body('{"text":"a"}', "unsupported-media-type", 415, { "content-type": "text/plain" }),
  "J-15": async (world) => {
    for (const type of ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
      await body('{"text":"a"}', "unsupported-media-type", 415, { "content-type": type })(world);
    }
  },
  "J-17": async (world) => {
    for (const charset of ["utf-99", "utf-16"]) {
      await body('{"text":"a"}', "unsupported-charset", 415, {
        "content-type": `application/json; charset=${charset}`,
      })(world);
    }
  },
  "J-19": body(Buffer.from([...Buffer.from('{"text":"'), 0xff, ...Buffer.from('"}')]), "invalid-utf8"),
  "J-24": async (world) => {
    for (const number of ["1e400", "-0", "1.5"]) await body(`{"text":${number}}`, "validation")(world);
    for (const word of ["NaN", "Infinity"]) await body(`{"text":${word}}`, "malformed-json")(world);
    for (const size of ["1e400", "-0", "1.5", "NaN", "Infinity"]) {
      const answer = await send(world, `/v1/feed?pageSize=${size}`, { headers: as(world.ada) });
      problem(answer, 400, "validation", "?pageSize");
    }
  },
  "J-25": async (world) => {
    for (const query of ["-1", "0", "1.5", "1e9", "abc", "101", "10&pageSize=20"]) {
      const answer = await send(world, `/v1/feed?pageSize=${query}`, { headers: as(world.ada) });
      problem(answer, 400, "validation", "?pageSize");
    }
    const get = (path: string) => send(world, path, { headers: as(world.ada) });
    for (const place of ["", "0", "-1", "x", "9223372036854775808", "%00", "a".repeat(1_000)]) {
      problem(await get(`/v1/feed?after=${place}`), 400, "validation", "?after");
      problem(await get(`/v1/users/${world.ada.id}/posts?after=${place}`), 400, "validation", "?after");
      problem(await get(`/v1/feed/new?seen=${place}`), 400, "validation", "?seen");
      const headers = as(world.ada, { "content-type": "application/json" });
      const sent = { method: "PUT", headers, body: JSON.stringify({ activityId: decodeURIComponent(place) }) };
      problem(await send(world, "/v1/feed/position", sent), 400, "validation", "/activityId");
    }
    problem(await get("/v1/feed/new"), 400, "validation", "?seen");
    problem(await get(`/v1/users/${world.ada.id}/posts?filter=POST_FILTER_NONE`), 400, "validation", "?filter");
  },
  "J-27": async (world) => {
    // Slashes are merged before routes and rules see the path, so the second is /v1/auth/login for all of us: 405, as it is.
    for (const path of ["/v1/posts/..%2f..%2fadmin", "/v1//auth/login", "/v1/posts/1;x=1", "/v1/posts/1%00"]) {
      problem(await send(world, path), [400, 404, 405]);
    }
  },
  "J-28": async (world) => {
    const { status } = await send(world, `/v1/feed?q=${"a".repeat(65_536)}`);
    assert.ok(status === 414 || status === 431, String(status));
  },
  "J-29": async (world) => {
    assert.equal((await send(world, "/v1/feed", { headers: { big: "a".repeat(20_000) } })).status, 431);
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`h${n}`, "1"]));
    assert.equal((await send(world, "/v1/feed", { headers: many })).status, 431);
    const large = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`h${n}`, "a".repeat(8_000)]));
    assert.equal((await send(world, "/v1/feed", { headers: large })).status, 431);
  },
  "J-30": async (world) => {
    const put = await send(world, "/v1/posts", { method: "PUT" });
    problem(put, 405, "method-not-allowed");
    assert.equal(put.headers.allow, "POST, GET, HEAD");
    problem(await send(world, "/v1/posts", { method: "TRACE" }), 405, "method-not-allowed");
    const head = await send(world, `/v1/users/${world.ada.id}`, { method: "HEAD" });
    assert.deepEqual([head.status, head.text], [200, ""]);
  },
  "J-34": async (world) => {
    const answer = await create(world, '{"text":"kept"}', { "x-http-method-override": "DELETE" });
    assert.equal(answer.status, 201);
  },
  "J-36": async (world) => {
    const made = (await write(world, "fine")).json() as { id: string };
    for (const text of ["", "   ", "\u200b\u200b", "\u0301\u0301"]) {
      problem(await write(world, text), 400, "validation", "/text");
      const headers = as(world.ada, { "content-type": "application/json" });
      const edit = { method: "PATCH", body: JSON.stringify({ text }), headers };
      problem(await send(world, `/v1/posts/${made.id}`, edit), 400, "validation", "/text");
      if (text === "") continue;
      problem(await post(world, "/v1/me/drafts", JSON.stringify({ text })), 400, "validation", "/text");
    }
    for (const [name, value] of Object.entries({
      contentWarning: "\u200b",
      language: "no such tag",
      replySetting: 9,
    })) {
      problem(await create(world, JSON.stringify({ text: "fine", [name]: value })), 400, "validation");
    }
    problem(await create(world, '{"text":"fine","quotedPostId":"1"}'), 404, "not-found");
    for (const tag of ["%20", "12", "%23", "a%20b"]) problem(await send(world, `/v1/tags/${tag}/posts`), [400, 404]);
  },
  "J-37": async (world) => {
    for (const text of ["👍".repeat(5_000), "x".repeat(5_000), "ü".repeat(5_000)]) await kept(world, text);
    for (const text of ["x".repeat(5_001), "👍🏽".repeat(2_501), `${"👍".repeat(5_000)}x`, "e\u0301".repeat(10_000)]) {
      problem(await write(world, text), 400, "validation", "/text");
    }
  },
  "J-40": (world) => kept(world, "👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 👍🏽 𝒳 🧶"),
  "J-42": async (world) => {
    const name = fresh();
    assert.equal((await signUp(world, name)).status, 201);
    problem(await signUp(world, name.toUpperCase(), { password: "another horse" }), 409, "handle-taken");
    for (const odd of ["adm\u0131n", "\u0430dmin", "admin ", " admin", "\u00fcser", "u\u0308ser"]) {
      problem(await signUp(world, odd), 400, "validation", "/username");
    }
  },
  "J-43": async (world) => {
    for (const text of ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>"]) await kept(world, text);
  },
  "J-44": async (world) => {
    // A statement that slept would be given up after 2 s, and answered with none of these.
    for (const text of ["' OR 1=1-- ", "\\'; DROP TABLE posts; --", "%' AND SLEEP(5)#"]) {
      await kept(world, text);
      problem(await signUp(world, text), 400, "validation");
      // A hidden backslash ends at the edge, 400.
      problem(await send(world, `/v1/users/${encodeURIComponent(text)}`), [400, 404]);
      const logIn = await post(world, "/v1/auth/login", JSON.stringify({ username: text, password: text }));
      problem(logIn, 401, "invalid-credentials");
    }
  },
  "J-45": async (world) => {
    const bodies = [
      '{"username":{"$ne":null},"password":"x"}',
      '{"username":"a","password":{"password":1}}',
      '{"username[]":"a"}',
    ];
    for (const text of bodies) problem(await post(world, "/v1/auth/login", text), 400, "validation");
  },
  "J-47": async (world) => {
    const answer = await signUp(world, fresh(), { displayName: "a\r\nSet-Cookie: x=1" });
    problem(answer, 400, "validation", "/displayName");
    assert.equal((await send(world, "/v1/users/x%0d%0aSet-Cookie:%20x=1")).headers["set-cookie"], undefined);
  },
  "J-48": (world) => kept(world, "$\u007bjndi:ldap://127.0.0.1:9/x} {{7*7}} %s%s%n"),

  "I-01": async (world) => {
    const headers = as(world.ada, { "content-type": "application/json" });
    const answer = await send(world, "/v1/posts", { method: "POST", body: '{"text":"a"}', headers });
    problem(answer, 400, "idempotency-key-missing");
    const follow = await send(world, `/v1/users/${world.ben.id}/follow`, { method: "PUT", headers: as(world.ada) });
    assert.equal(follow.status, 200, "PUT needs none");
  },
  "I-02": async (world) => {
    const key = { "idempotency-key": fresh() };
    const [first, second] = [await create(world, '{"text":"once"}', key), await create(world, '{"text":"once"}', key)];
    assert.deepEqual([second.status, second.text], [first.status, first.text]);
    assert.equal(second.headers["idempotency-replayed"], "true");
    const listed = await send(world, `/v1/users/${world.ada.id}/posts?pageSize=100`);
    const { posts } = listed.json() as { posts: { id: string }[] };
    assert.equal(posts.filter(({ id }) => id === first.json().id).length, 1);
  },
  "I-09": async (world) => {
    const [one, two] = await Promise.all([register(world.system.edge), register(world.system.edge)]);
    for (let time = 0; time < 2; time++) await one.follow(two);
    await caughtUp(world.system.instance.servers);
    const counted = async () => (await send(world, `/v1/users/${two.id}`)).json().followerCount;
    await until("one follower is counted", async () => (await counted()) === 1);
    for (let time = 0; time < 2; time++) await one.unfollow(two);
    await until("none is counted any more", async () => (await counted()) === 0);
  },
};
