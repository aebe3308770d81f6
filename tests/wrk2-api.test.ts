import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type System, startSystem } from "./support/system.ts";

// The paths of DeathStarBench's socialNetwork, asked as its loader and its wrk2 scripts ask them.

let system: System;
before(async () => {
  system = await startSystem({}, {}, ["wrk2-api"]);
});
after(() => system.stop());

type Shown = {
  post_id: string;
  creator: { user_id: string; username: string };
  req_id: string;
  text: string;
  user_mentions: { user_id: string; username: string }[];
  urls: { shortened_url: string; expanded_url: string }[];
  media: unknown[];
  timestamp: string;
  post_type: number;
};

const form = (fields: Record<string, string>) => ({
  method: "POST",
  body: new URLSearchParams(fields).toString(),
  headers: { "content-type": "application/x-www-form-urlencoded" },
});

async function send(path: string, fields: Record<string, string>): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${system.edge}/wrk2-api/${path}`, form(fields));
  return { status: answer.status, text: await answer.text() };
}

async function done(path: string, fields: Record<string, string>): Promise<void> {
  const { status, text } = await send(path, fields);
  assert.deepEqual([status, text.startsWith("Success")], [200, true], text);
}

const register = (user: number) =>
  done("user/register", {
    first_name: `first_name_${user}`,
    last_name: `last_name_${user}`,
    username: `username_${user}`,
    password: `password_${user}`,
    user_id: `${user}`,
  });
const follow = (user: number, other: number) =>
  done("user/follow", { user_name: `username_${user}`, followee_name: `username_${other}` });
const compose = (user: number, text: string) =>
  done("post/compose", {
    username: `username_${user}`,
    user_id: `${user}`,
    text,
    media_ids: '["123456789012345678"]',
    media_types: '["png"]',
    post_type: "0",
  });

async function timeline(kind: "home" | "user", user: number, start = 0, stop = 10): Promise<Shown[]> {
  const answer = await fetch(
    `${system.edge}/wrk2-api/${kind}-timeline/read?user_id=${user}&start=${start}&stop=${stop}`,
  );
  assert.equal(answer.status, 200);
  return (await answer.json()) as Shown[];
}
const texts = (posts: readonly Shown[]) => posts.map(({ text }) => text);

test("a graph is loaded and read as the benchmark's scripts do it", async () => {
  await Promise.all([0, 1, 2].map(register));
  await register(0);
  await follow(0, 1);
  await done("user/follow", { user_id: "2", followee_id: "1" });

  const text = "abc @username_0 @username_77 http://aaaa http://bbbb";
  await compose(1, text);
  const [shown, ...others] = await timeline("home", 0);
  assert.deepEqual(others, []);
  assert.match(shown?.post_id ?? "", /^[0-9]+$/);
  assert.match(shown?.timestamp ?? "", /^[0-9]{13}$/);
  assert.deepEqual(shown && { ...shown, post_id: "", timestamp: "", req_id: "" }, {
    post_id: "",
    creator: { user_id: "1", username: "username_1" },
    req_id: "",
    text,
    user_mentions: ["0", "77"].map((id) => ({ user_id: id, username: `username_${id}` })),
    media: [],
    urls: ["http://aaaa", "http://bbbb"].map((url) => ({ shortened_url: url, expanded_url: url })),
    timestamp: "",
    post_type: 0,
  });
  for (const reader of [1, 2]) assert.deepEqual(texts(await timeline("home", reader)), [text]);
  assert.deepEqual(texts(await timeline("user", 1)), [text]);
  assert.deepEqual(await timeline("user", 0), []);

  await done("user/unfollow", { user_name: "username_2", followee_name: "username_1" });
  assert.deepEqual(await timeline("home", 2), []);
  await compose(1, "after");
  assert.deepEqual(texts(await timeline("home", 0)), ["after", text]);
  assert.deepEqual(await timeline("home", 2), []);
});

test("offsets name the same posts as one long read, newest first, to beyond the end", async () => {
  await register(10);
  for (let nth = 0; nth < 25; nth++) await compose(10, `${nth}`);
  const whole = texts(await timeline("user", 10, 0, 100));
  assert.deepEqual(
    whole,
    Array.from({ length: 25 }, (_, nth) => `${24 - nth}`),
  );
  for (const [start, stop] of [
    [0, 10],
    [10, 20],
    [20, 30],
    [25, 35],
    [100, 110],
    [5, 5],
    [7, 3],
  ] as const) {
    assert.deepEqual(texts(await timeline("user", 10, start, stop)), whole.slice(start, stop), `${start}–${stop}`);
    assert.deepEqual(texts(await timeline("home", 10, start, stop)), whole.slice(start, stop), `${start}–${stop}`);
  }
});

test("who was never registered posts all the same, as the loader wants it, and has an empty home till then", async () => {
  assert.deepEqual(await timeline("home", 962), []);
  await compose(962, "nobody registered me");
  assert.deepEqual(texts(await timeline("home", 962)), ["nobody registered me"]);
});

test("what is missing or malformed is named", async () => {
  const fields = { username: "username_1", user_id: "1", text: "a", post_type: "0" };
  const refused = async (path: string, sent: Record<string, string>, pointer: string) => {
    const { status, text } = await send(path, sent);
    assert.equal(status, 400, text);
    assert.match(text, new RegExp(`"pointer":"/?${pointer}"`));
  };
  for (const field of Object.keys(fields)) await refused("post/compose", { ...fields, [field]: "" }, field);
  await refused(
    "user/register",
    { ...fields, first_name: "a", last_name: "b", password: "12345678", user_id: "2" },
    "username",
  );
  await refused("user/follow", { user_name: "alice", followee_name: "username_1" }, "user_name");
  assert.equal((await send("user/follow", { user_name: "username_1", followee_name: "username_999" })).status, 404);
  const statusOf = async (query: string, init = {}) => (await fetch(`${system.edge}/wrk2-api/${query}`, init)).status;
  assert.equal(await statusOf("home-timeline/read?user_id=1&start=0"), 400);
  assert.equal(await statusOf("home-timeline/read?user_id=1&start=0&stop=5000"), 400);
  assert.equal(await statusOf("home-timeline/read?user_id=1&start=0&stop=10", { method: "POST" }), 405);
  assert.equal(await statusOf("home-timeline/write"), 404);
});
