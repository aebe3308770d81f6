import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { create } from "@bufbuild/protobuf";
import { PostContentSchema } from "#gen/skein/post/v1/content_pb.ts";
import { openMysql } from "#lib/storage/mysql.ts";
import { contentBytes } from "../services/post/src/store/content.ts";
import { caughtUp, redisCommand } from "./support/faults.ts";
import { ask, type Person, register, type ShownComment, type ShownPost } from "./support/person.ts";
import { assertCounts, assertFeeds, type System, startSystem } from "./support/system.ts";

let system: System;
before(async () => {
  // The auditor would mend what the audit is to find.
  system = await startSystem({}, { AUDIT_MS: "0" });
});
after(() => system.stop());

type Problem = { type: string; status: number; title: string; errors?: { pointer: string }[] };

test("people register, follow and post, and every follower's home feed shows it at once", async () => {
  const author = await register(system.edge);
  const followers = await Promise.all(Array.from({ length: 20 }, () => register(system.edge)));
  await Promise.all(followers.map((follower) => follower.follow(author)));
  for (const text of [
    "Hello 🧶",
    "Привет, мир",
    "שלום עולם",
    "नमस्ते",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "line\nline",
    "<b>'; DROP TABLE post; --",
  ]) {
    const post = await author.post(text);
    assert.equal(post.text, text);
    const pages = await Promise.all([author, ...followers].map((person) => person.feedPage(5)));
    for (const { items } of pages) {
      assert.deepEqual(
        [items[0]?.post.id, items[0]?.post.text, items[0]?.post.author.username],
        [post.id, text, author.username],
      );
    }
  }
  await caughtUp(system.instance.servers);
  await assertFeeds(system.oracle, [author, ...followers], 3);
});

test("what was unfollowed or deleted is gone at the next read, and what is followed is there", async () => {
  const [author, reader] = (await Promise.all([register(system.edge), register(system.edge)])) as [Person, Person];
  const old = await author.post("before the follow");
  assert.deepEqual(await reader.feed(), []);
  await reader.follow(author);
  assert.deepEqual(await reader.feed(), [old.id]);
  const next = await author.post("after the follow");
  await author.remove(old.id);
  assert.deepEqual(await reader.feed(), [next.id]);
  assert.equal((await reader.call("GET", `/v1/posts/${old.id}`)).status, 404);
  await reader.unfollow(author);
  assert.deepEqual(await reader.feed(), []);
});

test("likes and comments are seen at once by whoever made them, and counted for everyone", async () => {
  const [author, reader] = (await Promise.all([register(system.edge), register(system.edge)])) as [Person, Person];
  await reader.follow(author);
  const post = await author.post("like me");
  const seen = async () => (await reader.feedPage(1)).items[0]?.post.viewer?.liked;
  assert.deepEqual(await reader.like(post.id), { liked: true });
  assert.equal(await seen(), true);
  await reader.like(post.id);
  const key = randomUUID();
  const [comment, replayed] = [
    await reader.comment(post.id, "nice 🧶", key),
    await reader.comment(post.id, "nice 🧶", key),
  ];
  assert.deepEqual(replayed, comment);
  await author.comment(post.id, "thanks");
  await assertCounts(system.oracle, [author, reader]);
  const [shown] = (await author.feedPage(1)).items;
  assert.deepEqual([shown?.post.likeCount, shown?.post.commentCount, shown?.post.viewer?.liked], [1, 2, false]);

  const { body: likers } = await author.call<{ users: { id: string }[] }>("GET", `/v1/posts/${post.id}/likes`);
  assert.deepEqual(
    likers.users.map(({ id }) => id),
    [reader.id],
  );
  const texts = async () => {
    const { body } = await author.call<{ comments: ShownComment[] }>("GET", `/v1/posts/${post.id}/comments`);
    return body.comments.map(({ text, author: by }) => `${by.username}: ${text}`);
  };
  assert.deepEqual(await texts(), [`${author.username}: thanks`, `${reader.username}: nice 🧶`]);
  await author.removeComment(comment.id);
  assert.deepEqual(await texts(), [`${author.username}: thanks`], "an author may remove what stands under their post");
  assert.deepEqual(await reader.unlike(post.id), { liked: false });
  assert.equal(await seen(), false);
  await assertCounts(system.oracle, [author, reader]);

  await author.remove(post.id);
  for (const [method, path] of [
    ["PUT", `/v1/posts/${post.id}/like`],
    ["GET", `/v1/posts/${post.id}/likes`],
    ["GET", `/v1/posts/${post.id}/comments`],
  ] as const)
    assert.equal((await reader.call(method, path)).status, 404, `${method} ${path}`);
});

test("a create happens once for its key", async () => {
  const author = await register(system.edge);
  const key = randomUUID();
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => author.call<ShownPost>("POST", "/v1/posts", { body: { text: "once" }, key })),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
  assert.equal(new Set(answers.map(({ body }) => JSON.stringify(body))).size, 1);
  assert.equal((await author.feed()).length, 1);
  const other = await author.call<Problem>("POST", "/v1/posts", { body: { text: "twice" }, key });
  assert.deepEqual([other.status, other.body.type], [422, "/problems/idempotency-key-reused"]);
});

test("log in answers a token and the user, and the same refusal for a wrong name and a wrong password", async () => {
  const person = await register(system.edge);
  const logIn = (username: string, password: string) =>
    ask<{ accessToken?: string; user?: { id: string } } & Problem>(system.edge, "POST", "/v1/auth/login", {
      body: { username, password },
    });
  const right = await logIn(person.username.toUpperCase(), "correct horse battery");
  assert.deepEqual([right.status, right.body.user?.id], [200, person.id]);
  const [wrong, unknown] = await Promise.all([
    logIn(person.username, "wrong horse"),
    logIn("nobody_at_all", "wrong horse"),
  ]);
  assert.deepEqual(
    [wrong.status, wrong.body.type, wrong.body.title],
    [401, "/problems/invalid-credentials", unknown.body.title],
  );
  const taken = await ask<Problem>(system.edge, "POST", "/v1/auth/register", {
    body: { username: person.username, password: "another horse" },
  });
  assert.deepEqual([taken.status, taken.body.type], [409, "/problems/handle-taken"]);
});

test("profiles and lists show counts and how the viewer stands", async () => {
  const [a, b, c] = (await Promise.all(Array.from({ length: 3 }, () => register(system.edge)))) as [
    Person,
    Person,
    Person,
  ];
  await Promise.all([b.follow(a), c.follow(a)]);
  await a.follow(b);
  await caughtUp(system.instance.servers);
  type User = {
    id: string;
    followerCount: number;
    followingCount: number;
    viewer?: { following: boolean; followedBy: boolean };
  };
  const untilCounted = async (): Promise<User> => {
    for (;;) {
      const { body } = await a.call<User>("GET", `/v1/users/${a.username}`);
      if (body.followerCount === 2) return body;
    }
  };
  assert.equal((await untilCounted()).followingCount, 1);
  const { viewer = {} } = (await a.call<User>("GET", `/v1/users/${b.id}`)).body;
  assert.partialDeepStrictEqual(viewer, { following: true, followedBy: true, requested: false, blocking: false });
  const followers = await ask<{ users: User[]; nextPageToken: string }>(
    system.edge,
    "GET",
    `/v1/users/${a.id}/followers?pageSize=1`,
  );
  const rest = await ask<{ users: User[]; nextPageToken: string }>(
    system.edge,
    "GET",
    `/v1/users/${a.id}/followers?pageToken=${followers.body.nextPageToken}`,
  );
  assert.deepEqual(new Set([...followers.body.users, ...rest.body.users].map(({ id }) => id)), new Set([b.id, c.id]));
  assert.equal(rest.body.nextPageToken, "");
});

test("a feed is read to its end in any page size, also below what is kept ready", { timeout: 120_000 }, async () => {
  const [author, reader] = (await Promise.all([register(system.edge), register(system.edge)])) as [Person, Person];
  await reader.follow(author);
  await reader.feed();
  for (let from = 0; from < 960; from += 48)
    await Promise.all(Array.from({ length: 48 }, (_, nth) => author.post(`post ${from + nth}`)));
  await caughtUp(system.instance.servers);
  for (const pageSize of [100, 33])
    assert.deepEqual(await reader.feed(pageSize), await system.oracle.home(BigInt(reader.id)));
  assert.equal((await reader.feed(100)).length, 960);
});

test("what is wrong is refused by name, and nothing of it happens", async () => {
  const person = await register(system.edge);
  const stranger = await register(system.edge);
  const post = await person.post("mine");
  const cases: [string, string, { body?: unknown; key?: string }, number, string, string?][] = [
    ["POST", "/v1/posts", { body: { text: "x" } }, 400, "idempotency-key-missing"],
    ["POST", "/v1/posts", { body: { text: " \u200b\n" }, key: "k1" }, 400, "validation", "/text"],
    ["POST", "/v1/posts", { body: { text: "x".repeat(5001) }, key: "k2" }, 400, "validation", "/text"],
    ["POST", "/v1/posts", { body: { text: "x", authorId: "1" }, key: "k3" }, 400, "validation", "/authorId"],
    ["GET", "/v1/feed?pageSize=101", {}, 400, "validation", "?pageSize"],
    ["GET", "/v1/feed?pageToken=AAAA", {}, 400, "invalid-cursor"],
    ["GET", "/v1/posts/1", {}, 404, "not-found"],
    ["GET", "/v1/users/no_such_user", {}, 404, "not-found"],
    ["PUT", `/v1/users/${person.id}/follow`, {}, 400, "validation", "{user}"],
    ["PUT", "/v1/users/12345/follow", {}, 404, "not-found"],
    ["PUT", "/v1/posts", {}, 405, "method-not-allowed"],
  ];
  for (const [method, path, more, status, reason, pointer] of cases) {
    const answer = await person.call<Problem>(method, path, more);
    assert.deepEqual(
      [answer.status, answer.body.type],
      [status, `/problems/${reason}`],
      `${method} ${path} ${JSON.stringify(answer.body)}`,
    );
    assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/);
    if (pointer !== undefined) assert.equal(answer.body.errors?.[0]?.pointer, pointer);
  }
  assert.equal((await stranger.call("DELETE", `/v1/posts/${post.id}`)).status, 404);
  assert.equal((await ask(system.edge, "GET", "/v1/feed")).status, 401);
  assert.deepEqual(await person.feed(), [post.id]);
});

test("a page token works for its viewer alone", async () => {
  const [person, other] = (await Promise.all([register(system.edge), register(system.edge)])) as [Person, Person];
  for (let nth = 0; nth < 3; nth++) await person.post(`post ${nth}`);
  const { nextPageToken } = await person.feedPage(1);
  assert.notEqual(nextPageToken, "");
  assert.equal(
    (await other.call<Problem>("GET", `/v1/feed?pageToken=${nextPageToken}`)).body.type,
    "/problems/invalid-cursor",
  );
});

/** What one person finds of another's, by each way to look. */
async function foundBy(one: Person, other: Person, postId: string) {
  const [feed, profile, posts, post, followers] = await Promise.all([
    one.feed(),
    one.call("GET", `/v1/users/${other.username}`),
    one.call<{ posts?: { id: string }[] }>("GET", `/v1/users/${other.id}/posts`),
    one.call("GET", `/v1/posts/${postId}`),
    one.call("GET", `/v1/users/${other.id}/followers`),
  ]);
  const found = {
    feed: feed.includes(postId),
    profile: profile.status === 200,
    posts: posts.body.posts?.some(({ id }) => id === postId) ?? false,
    post: post.status === 200,
    followers: followers.status === 200,
  };
  return Object.entries(found).flatMap(([name, is]) => (is ? [name] : []));
}
const everything = ["feed", "profile", "posts", "post", "followers"];
const exceptFeed = everything.slice(1);

test("a private account lets people in one by one; what was written before is there at once, and gone when they go", async () => {
  const [owner, fan] = (await Promise.all([register(system.edge), register(system.edge)])) as [Person, Person];
  const { id } = await owner.post("for friends");
  const set = (isPrivate: boolean) => owner.call("PATCH", "/v1/me/account", { body: { private: isPrivate } });
  const found = () => foundBy(fan, owner, id);
  assert.deepEqual(await found(), exceptFeed);
  await set(true);
  assert.deepEqual(await found(), ["profile"]);
  const asked = await fan.call<{ viewer: object }>("PUT", `/v1/users/${owner.username}/follow`);
  assert.partialDeepStrictEqual(asked.body.viewer, { following: false, requested: true });
  assert.deepEqual(await found(), ["profile"]);
  const { users } = (await owner.call<{ users: { id: string }[] }>("GET", "/v1/me/follow-requests")).body;
  assert.deepEqual(
    users.map((user) => user.id),
    [fan.id],
  );
  await owner.call("DELETE", `/v1/me/follow-requests/${fan.id}`);
  await fan.follow(owner);
  await owner.call("PUT", `/v1/me/follow-requests/${fan.username}`);
  assert.deepEqual(await found(), everything);
  await owner.call("DELETE", `/v1/me/followers/${fan.id}`);
  assert.deepEqual(await found(), ["profile"]);
  await set(false);
  assert.deepEqual(await found(), exceptFeed);
});

test("a block hides two people from each other, a mute only from the feed, and words what they name", async () => {
  const [one, other] = (await Promise.all([register(system.edge), register(system.edge)])) as [Person, Person];
  await one.follow(other);
  await other.follow(one);
  const [mine, theirs] = [await one.post("mine"), await other.post("About CATS")];
  const both = async () => [await foundBy(one, other, theirs.id), await foundBy(other, one, mine.id)];
  assert.deepEqual(await both(), [everything, everything]);
  await one.call("PUT", `/v1/users/${other.username}/mute`);
  assert.deepEqual(await both(), [exceptFeed, everything]);
  await one.call("DELETE", `/v1/users/${other.id}/mute`);
  await one.call("PUT", "/v1/me/muted-words/cats");
  assert.deepEqual(await both(), [exceptFeed, everything]);
  await one.call("DELETE", "/v1/me/muted-words/Cats");
  assert.deepEqual(await both(), [everything, everything]);
  await one.call("PUT", `/v1/users/${other.username}/block`);
  assert.deepEqual(await both(), [["profile"], []]);
  await one.call("DELETE", `/v1/users/${other.username}/block`);
  assert.deepEqual(await both(), [exceptFeed, exceptFeed], "follows do not come back");
});

/** `npm run account` on the story's system. */
const account = (...args: string[]) =>
  promisify(execFile)(process.execPath, ["tools/account.ts", ...args, "--dir", system.dir, "--json"]).then(
    ({ stdout }) => ({ code: 0, told: JSON.parse(stdout) as object }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, told: stderr.trim() }),
  );

test("an account that is closed or suspended is there for its owner alone, and comes back whole", async () => {
  const [owner, fan] = (await Promise.all([register(system.edge), register(system.edge)])) as [Person, Person];
  await fan.follow(owner);
  const { id } = await owner.post("here");
  const refusal = async (method: string, path: string, body?: object) => {
    const answer = await owner.call<{ type: string }>(method, path, { body, key: randomUUID() });
    return [answer.status, answer.body.type];
  };
  const closings: [name: string, close: () => Promise<unknown>, open: () => Promise<unknown>][] = [
    [
      "deactivated",
      () => owner.call("PUT", "/v1/me/account/deactivation"),
      () => owner.call("DELETE", "/v1/me/account/deactivation"),
    ],
    ["suspended", () => account("suspend", owner.username), () => account("restore", owner.username)],
  ];
  for (const [name, close, open] of closings) {
    await close();
    assert.deepEqual(await foundBy(fan, owner, id), []);
    assert.deepEqual(await foundBy(owner, owner, id), everything);
    assert.deepEqual(await refusal("POST", "/v1/posts", { text: "no" }), [403, `/problems/account-${name}`]);
    assert.deepEqual(await refusal("PUT", `/v1/users/${fan.id}/follow`), [403, `/problems/account-${name}`]);
    await open();
    assert.deepEqual(await foundBy(fan, owner, id), everything);
  }
  const done = await account("suspend", owner.username);
  assert.deepEqual(done, { code: 0, told: { userId: owner.id, username: owner.username, state: "suspended" } });
  assert.deepEqual(await refusal("DELETE", "/v1/me/account/deactivation"), [403, "/problems/account-suspended"]);
  await account("restore", owner.id);
  await owner.call("DELETE", "/v1/me/account");
  assert.deepEqual(await foundBy(fan, owner, id), []);
  const credentials = { username: owner.username, password: "correct horse battery" };
  assert.equal((await ask(system.edge, "POST", "/v1/auth/login", { body: credentials })).status, 401);
  assert.equal((await account("restore", owner.username)).code, 1);
  assert.equal((await account("suspend", "nobody_is_this")).code, 1);
  assert.equal((await account("open", owner.username)).code, 2);
});

/** `npm run audit` on the story's system, and what its sums are. */
async function audit(...more: string[]): Promise<{ code: number; sums: Record<string, number> }> {
  const args = ["tools/audit.ts", "--dir", system.dir, "--json", ...more];
  return promisify(execFile)(process.execPath, args).then(
    ({ stdout }) => ({ code: 0, sums: JSON.parse(stdout) }),
    ({ code, stdout }) => ({ code, sums: JSON.parse(stdout) }),
  );
}

test("the audit finds what is shown wrong, of everyone, and has it made anew", async () => {
  const [author, reader] = (await Promise.all([register(system.edge), register(system.edge)])) as [Person, Person];
  await reader.follow(author);
  const [first, post] = [await author.post("one"), await author.post("two")];
  await reader.like(post.id);
  await caughtUp(system.instance.servers);
  await assertCounts(system.oracle, [author, reader]);
  const right = await audit();
  assert.deepEqual([right.code, right.sums.right], [0, right.sums.users], JSON.stringify(right.sums));

  const { redisUrl } = system.instance.servers;
  const keyOf = async (family: string, id: string) =>
    ((await redisCommand(redisUrl, "KEYS", `*:${family}:${id}`)) as string[])[0] as string;
  await redisCommand(redisUrl, "LPOP", await keyOf("tl", reader.id));
  await redisCommand(redisUrl, "SET", await keyOf("cnt.like", post.id), "\0\0\0\x63\0\0\0\x63");
  const wrong = await audit();
  assert.deepEqual(
    [wrong.code, wrong.sums.users, wrong.sums.right],
    [1, right.sums.users, Number(right.sums.users) - 2],
  );
  assert.deepEqual([wrong.sums.missing, wrong.sums.extra, wrong.sums.reactions], [1, 0, 1]);

  const rows = openMysql({ url: system.instance.servers.mysqlUrl, database: "skein_post" });
  const content = contentBytes(create(PostContentSchema, { media: [{ id: "1234567890123456" }] }));
  await rows.exec("UPDATE post SET content = ? WHERE id = ?", [content, BigInt(first.id)]);
  await rows.exec("INSERT INTO post_media (author_id, post_id) VALUES (?)", [[BigInt(author.id), BigInt(post.id)]]);
  const repaired = await audit("--repair");
  assert.deepEqual([repaired.sums.media, repaired.sums.missing], [2, 1]);
  // Mending the reader's feed may be what corrects the count, before its author is looked at.
  assert.ok(Number(repaired.sums.reactions) <= 1, String(repaired.sums.reactions));
  await rows.exec("UPDATE post SET content = NULL WHERE id = ?", [BigInt(first.id)]);
  await rows.exec("DELETE FROM post_media WHERE author_id = ?", [BigInt(author.id)]);
  await rows.close();
  assert.equal((await audit()).code, 0);
});

test("the paths of load tests, which sign nobody in, are not there where nobody asked for them", async () => {
  const read = await fetch(`${system.edge}/wrk2-api/home-timeline/read?user_id=1&start=0&stop=10`);
  const body = new URLSearchParams({ username: "username_1", user_id: "1", text: "a", post_type: "0" });
  const composed = await fetch(`${system.edge}/wrk2-api/post/compose`, { method: "POST", body });
  assert.deepEqual([read.status, composed.status], [404, 404]);
});
