//! The client that others write against, at the front door of a whole system: what it does unasked, uploads through the edge, and
//! every example of its page and of the first page.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import sharp from "sharp";
import { PostFilter } from "#gen/skein/api/v1/post_pb.ts";
import { until } from "#lib/harness/until.ts";
import { bomb, phonePhoto, picture } from "#lib/media/test/files.ts";
import { createSkein, MediaKind, type Options, type Skein, SkeinError } from "../sdk/index.ts";
import { caughtUp } from "./support/faults.ts";
import { type System, startSystem } from "./support/system.ts";

const root = path.resolve(import.meta.dirname, "..");
const run = promisify(execFile);
const dir = mkdtempSync(path.join(tmpdir(), "skein-sdk-"));
let system: System;
before(async () => {
  system = await startSystem();
});
after(async () => {
  rmSync(dir, { recursive: true, force: true });
  await system?.stop();
});

type Person = Skein & { readonly id: string; readonly username: string };
let people = 0;

async function person(more: Partial<Options> = {}): Promise<Person> {
  const skein = createSkein({ baseUrl: system.edge, ...more });
  const username = `p${Date.now().toString(36)}x${people++}`;
  const { accessToken, user } = await skein.auth.register({ username, password: "correct horse battery" });
  skein.signIn(accessToken);
  return { ...skein, id: user?.id ?? "", username };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const failsWith = (work: Promise<unknown>, reason: string, field?: string) =>
  assert.rejects(work, (error) => {
    assert.ok(error instanceof SkeinError, String(error));
    assert.equal(error.reason, reason);
    if (field !== undefined) assert.equal(error.fields[0]?.field, field);
    return true;
  });

test("a photo goes up through the edge, however often it is cut, and down with its post, without where it was taken", async () => {
  let cuts = 0;
  const cutting: typeof fetch = (url, init) => {
    if (init?.method !== "PATCH" || ++cuts > 3) return fetch(url, init);
    return Promise.reject(new TypeError("fetch failed"));
  };
  const [ada, ben] = [await person({ fetch: cutting }), await person()];
  await ben.users.followUser({ user: ada.id });
  const photo = await ada.upload({
    kind: MediaKind.PHOTO,
    bytes: new Uint8Array(await phonePhoto(1_600, 1_200)),
    alt: "Ein Haus 🏠",
  });
  assert.ok(cuts > 3, "it was cut");
  const { post } = await ada.posts.createPost({ text: "", mediaIds: [photo.id] });
  await caughtUp(system.instance.servers);
  const [item] = await all(ben.homeFeed());
  assert.deepEqual([item?.post?.id, item?.post?.media?.items], [post?.id, [photo]]);
  assert.deepEqual([photo.width, photo.height, photo.alt], [1_200, 1_600, "Ein Haus 🏠"]);
  for (const { url, width, height } of photo.variants) {
    const answer = await fetch(`${system.edge}${url}`);
    assert.equal(answer.headers.get("content-type"), "image/jpeg");
    assert.match(answer.headers.get("cache-control") ?? "", /immutable/);
    const shown = await sharp(Buffer.from(await answer.arrayBuffer())).metadata();
    assert.deepEqual([shown.width, shown.height, shown.exif], [width, height, undefined]);
  }
  await ada.posts.createPost({ text: "no picture" });
  const withMedia = async () =>
    (await ben.posts.listUserPosts({ user: ada.id, filter: PostFilter.MEDIA })).posts.map(({ id }) => id);
  assert.deepEqual(await withMedia(), [post?.id]);
  await ada.posts.deletePost({ post: post?.id ?? "" });
  assert.deepEqual(await withMedia(), []);
  const gone = photo.variants.map(({ url }) => `${system.edge}${url}`);
  await until("its bytes are gone", async () => (await fetch(gone[0] ?? "")).status === 404);
});

test("a profile that changes shows at the next read, wherever its person is; the picture before it goes", async () => {
  const [ada, ben] = [await person(), await person()];
  await ben.users.followUser({ user: ada.id });
  await ada.posts.createPost({ text: "who am I" });
  const author = async () => (await all(ben.homeFeed()))[0]?.post?.author;
  assert.deepEqual([(await author())?.displayName, (await author())?.avatarUrl], [ada.username, undefined]);
  const face = async (side: number) =>
    ada.upload({ kind: MediaKind.PHOTO, bytes: new Uint8Array(await picture(side, side).jpeg().toBuffer()) });
  const [first, second] = [await face(400), await face(200)];
  await ada.users.updateProfile({ displayName: "Ada 🧶", avatarMediaId: first.id });
  assert.deepEqual([(await author())?.displayName, (await author())?.avatarUrl], ["Ada 🧶", first.variants[0]?.url]);
  const { user } = await ada.users.updateProfile({ bio: "weaver", avatarMediaId: second.id });
  assert.deepEqual([user?.displayName, user?.bio, user?.avatar], ["Ada 🧶", "weaver", second]);
  assert.deepEqual((await ben.users.getUser({ user: ada.username })).user?.avatar, second);
  const before = `${system.edge}${first.variants[0]?.url}`;
  await until("the picture before is gone", async () => (await fetch(before)).status === 404);
  await failsWith(ada.users.updateProfile({ avatarMediaId: "1" }), "validation");
  await failsWith(ada.users.updateProfile({ displayName: "x".repeat(51) }), "validation", "display_name");
  await failsWith(ada.posts.createPost({ text: "", mediaIds: [second.id] }), "media-attached");
  assert.equal((await ada.users.updateProfile({ avatarMediaId: "" })).user?.avatar, undefined);
  assert.equal((await author())?.avatarUrl, undefined);
});

test("what is refused is refused with its reason, also by the door for bytes", async () => {
  const ada = await person();
  const send = (bytes: Buffer) => ada.upload({ kind: MediaKind.PHOTO, bytes: new Uint8Array(bytes) });
  await failsWith(send(bomb(30_000, 30_000)), "image-too-large");
  await failsWith(send(Buffer.from("hello")), "not-an-image");
  await failsWith(send(Buffer.alloc(10 * 1024 * 1024 + 1)), "payload-too-large", "size_bytes");
  await failsWith(ada.posts.createPost({ text: "" }), "validation", "text");
  await failsWith(ada.posts.getPost({ post: "1" }), "not-found");
  ada.signIn(undefined);
  await failsWith(ada.posts.createPost({ text: "x" }), "unauthenticated");
});

test("an upload goes on under its key in another process, and what is ready is answered as it is", async () => {
  const ada = await person();
  const bytes = new Uint8Array(await picture(500, 400).png().toBuffer());
  const giveUp = new AbortController();
  const options = { kind: MediaKind.PHOTO, bytes, key: "one-upload" };
  const leaving = ada.upload({ ...options, signal: giveUp.signal });
  giveUp.abort();
  await assert.rejects(leaving);
  const first = await ada.upload(options);
  assert.equal((await ada.upload(options)).id, first.id);
});

test("a create whose answer was lost happens once, by the key of its first try; a client reads what it wrote", async () => {
  const keys: (string | null)[] = [];
  const seen: (string | null)[] = [];
  let lost = 0;
  const losing: typeof fetch = async (url, init) => {
    const headers = new Headers(init?.headers);
    const answer = await fetch(url, init);
    if (String(url).endsWith("/ListUserPosts")) seen.push(headers.get("consistency-token"));
    if (!String(url).endsWith("/CreatePost")) return answer;
    keys.push(headers.get("idempotency-key"));
    if (lost++ < 2) throw new TypeError("fetch failed");
    return answer;
  };
  const ada = await person({ fetch: losing });
  const { post } = await ada.posts.createPost({ text: "once" });
  assert.equal(keys.length, 3);
  assert.deepEqual([new Set(keys).size, keys[0]?.length], [1, 36]);
  assert.deepEqual(
    (await all(ada.postsOf(ada.username))).map(({ id }) => id),
    [post?.id],
  );
  assert.ok(seen[0], "what it has seen goes along");
});

test("a feed is left and taken up again: where it was read to, what is new by arrival, and the gap between, filled upwards", async () => {
  const [author, late, reader] = await Promise.all([person(), person(), person()]);
  await reader.users.followUser({ user: author.id });
  const written = async (by: Person, text: string) => (await by.posts.createPost({ text })).post?.id ?? "";
  const news = async (...seen: string[]) => {
    const { count, more } = await reader.feed.countNewItems({ seen });
    return more ? `more than ${count}` : count;
  };
  const first = await written(author, "one");
  const older = await written(late, "older than what is seen, and not here yet");
  const second = await written(author, "two");
  assert.equal(await news(second, first), 0);
  await reader.users.followUser({ user: late.id });
  assert.equal(await news(second, first), 1, "it came late, so it counts");
  const [third, gone] = [await written(author, "three"), await written(author, "not for long")];
  assert.equal(await news(second, first), 3);
  await author.posts.deletePost({ post: gone });
  assert.equal(await news(second, first), 2);
  assert.equal(await news(third), 0, "nothing above what it shows");
  await reader.mutes.muteWord({ word: "older" });
  assert.equal(await news(second, first), 1, "what no page shows is not new");
  await reader.mutes.unmuteWord({ word: "older" });
  await reader.users.unfollowUser({ user: late.id });
  assert.equal(await news(second, first), 1);
  await reader.users.followUser({ user: late.id });
  for (const seen of [[], ["x"], Array.from({ length: 101 }, () => first)])
    await failsWith(news(...seen), "validation", "seen");

  assert.equal((await reader.feed.getReadPosition({})).activityId, undefined);
  const devices = [second, older, first, second].map((activityId) => reader.feed.setReadPosition({ activityId }));
  for (const { activityId } of await Promise.all(devices)) assert.ok(BigInt(activityId) >= BigInt(first));
  assert.equal((await reader.feed.setReadPosition({ activityId: first })).activityId, second, "never back");
  const { activityId: place = "" } = await reader.feed.getReadPosition({});
  assert.equal(place, second);
  await failsWith(reader.feed.setReadPosition({ activityId: String(2n ** 63n - 1n) }), "validation", "activity_id");
  await failsWith(reader.feed.setReadPosition({ activityId: "" }), "validation", "activity_id");

  const fourth = await written(late, "four");
  const page = await reader.feed.listHomeFeed({ after: place, pageSize: 1 });
  const idsOf = ({ items }: typeof page) => items.map(({ activityId }) => activityId);
  assert.deepEqual(idsOf(page), [third], "the nearest");
  const above = await reader.feed.listHomeFeed({ after: page.newerPageToken ?? "" });
  assert.deepEqual([idsOf(above), above.newerPageToken], [[fourth], undefined]);
  assert.deepEqual(idsOf(await reader.feed.listHomeFeed({ pageToken: page.nextPageToken })), [second, older, first]);
  const upwards = (await all(reader.homeFeedAbove(first, 1))).map(({ activityId }) => activityId);
  assert.deepEqual(upwards, [older, second, third, fourth]);
  const both = reader.feed.listHomeFeed({ after: place, pageToken: page.nextPageToken });
  await failsWith(both, "validation", "after");
  await failsWith(reader.feed.listHomeFeed({ after: "" }), "validation", "after");
});

test("lists are walked page by page, and no page is asked for that nobody looks at", async () => {
  let pages = 0;
  const counting: typeof fetch = (url, init) => {
    if (String(url).endsWith("/ListUserPosts")) pages++;
    return fetch(url, init);
  };
  const ada = await person({ fetch: counting });
  for (const text of ["1", "2", "3", "4", "5"]) await ada.posts.createPost({ text });
  assert.deepEqual(
    (await all(ada.postsOf(ada.id, 2))).map(({ text }) => text),
    ["5", "4", "3", "2", "1"],
  );
  assert.equal(pages, 3);
  for await (const { text } of ada.postsOf(ada.id, 2)) if (text === "5") break;
  assert.equal(pages, 4);
});

/** The blocks of one language on a page of ours. */
const blocksOf = (page: string, language: string): string[] =>
  [
    ...readFileSync(path.join(root, page), "utf8").matchAll(
      new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"),
    ),
  ].map(([, block = ""]) => block);

test("the examples of sdk/README.md do what they say", async () => {
  writeFileSync(path.join(dir, "photo.jpg"), await picture(800, 600).jpeg().toBuffer());
  const sdk = JSON.stringify(path.join(root, "sdk/index.ts"));
  writeFileSync(
    path.join(dir, "examples.ts"),
    blocksOf("sdk/README.md", "ts").join("\n").replaceAll('"skein/sdk"', sdk),
  );
  writeFileSync(path.join(dir, "package.json"), '{"type":"module"}');
  const env = { ...process.env, SKEIN_URL: system.edge };
  const { stdout } = await run(process.execPath, ["examples.ts"], { cwd: dir, env });
  assert.match(stdout, /^validation \[ \{ field: 'text', rule: 'must hold something to see' \} \]$/m);
  assert.match(stdout, /^ada_\w+ Hello 🧶$/m);
  assert.match(stdout, /^(\d+) of \1 bytes$/m);
  assert.match(stdout, /'\/media\/[\w-]{22}\/320\.jpg'/);
});

test("the five minutes of README.md do what they say", async () => {
  const [, afterwards = ""] = readFileSync(path.join(root, "README.md"), "utf8").split("## Five minutes");
  const [, script = ""] = /^```\n([\s\S]*?)^```/m.exec(afterwards) ?? [];
  const { stdout } = await run("bash", ["-c", script.replace("http://127.0.0.1:8080", system.edge)]);
  assert.match(stdout, /"likeCount":\d,"commentCount":\d/);
  assert.match(stdout, /\{"items":\[\{.*Hello 🧶/);
});
