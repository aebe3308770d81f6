//! Any history of posts, edits, deletes, pins, drafts and schedules is, through the front door, what a plain model says: each post
//! with its text, version and history, the author's page with what is pinned, the pages of tags, and the drafts.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { until } from "#lib/harness/until.ts";
import { type Person, register } from "./support/person.ts";
import { type System, startSystem } from "./support/system.ts";

const histories = Number(process.env.HISTORIES ?? 4);
const operationsMax = 40;
/** How soon what is scheduled is due: it overlaps with what comes after it. */
const aheadMs = 250;
const tags = ["moss", "größe", "苔"] as const;

type Kind = "post" | "edit" | "delete" | "pin" | "unpin" | "draft" | "redraft" | "discard" | "publish" | "schedule";
type Operation = { readonly kind: Kind; readonly nth: number; readonly tag: number };

const kinds: readonly Kind[] = [
  ...(["post", "post", "post", "edit", "edit", "edit", "delete", "pin", "unpin"] as const),
  ...(["draft", "draft", "redraft", "discard", "publish", "schedule"] as const),
];
const operation = fc.record({ kind: fc.constantFrom(...kinds), nth: fc.nat(9), tag: fc.nat(tags.length) });

let system: System;
before(async () => {
  system = await startSystem();
});
after(() => system?.stop());

type Shown = { id: string; text: string; version: number; editTime?: string; facets?: { hashtags: { tag: string }[] } };
type Page = { posts: Shown[]; pinnedPost?: Shown; nextPageToken: string };
type Draft = { id: string; text: string };

/** What must be there: posts oldest first, each with all it ever said; drafts newest first. */
type Model = {
  readonly posts: { id: string; readonly texts: string[] }[];
  readonly deleted: string[];
  drafts: Draft[];
  pinned: string | undefined;
  /** Texts of scheduled posts that were not seen yet. */
  readonly scheduled: string[];
};

test(`any history of a person's posts is what a plain model says, ${histories} times`, {
  timeout: 300_000,
}, async () => {
  const stranger = await register(system.edge);
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 10, maxLength: operationsMax, size: "max" }), async (steps) => {
      const person = await register(system.edge);
      const model: Model = { posts: [], deleted: [], drafts: [], pinned: undefined, scheduled: [] };
      for (const [at, step] of steps.entries()) {
        await carryOut(person, step, model, `${person.username} ${at} #${tagOf(person, tags[step.tag])}`);
        if (at % 10 === 9) await compare(person, stranger, model);
      }
      await compare(person, stranger, model);
    }),
    {
      numRuns: histories,
      endOnFailure: true,
      ...(process.env.SEED !== undefined && { seed: Number(process.env.SEED) }),
    },
  );
});

/** Tags of one's own; some texts have none. */
const tagOf = ({ username }: Person, tag: string | undefined): string => (tag === undefined ? "" : `${tag}${username}`);

async function fine<T>(
  person: Person,
  method: string,
  path: string,
  more?: { body?: unknown; key?: string },
): Promise<T> {
  const { status, body } = await person.call<T>(method, path, more);
  assert.ok(status < 300, `${method} ${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}

async function carryOut(person: Person, { kind, nth }: Operation, model: Model, text: string): Promise<void> {
  const { posts, drafts } = model;
  const post = posts[nth % Math.max(1, posts.length)];
  const draft = drafts[nth % Math.max(1, drafts.length)];
  const key = randomUUID();
  if (kind === "post") {
    posts.push({ id: (await fine<Shown>(person, "POST", "/v1/posts", { body: { text }, key })).id, texts: [text] });
  } else if (kind === "draft") {
    drafts.unshift(await fine<Draft>(person, "POST", "/v1/me/drafts", { body: { text }, key }));
  } else if (kind === "schedule") {
    const publishTime = new Date(Date.now() + aheadMs).toISOString();
    await fine(person, "POST", "/v1/me/drafts", { body: { text, publishTime }, key });
    model.scheduled.push(text);
  } else if (post !== undefined && ["edit", "delete", "pin", "unpin"].includes(kind)) {
    await toPost(person, kind, post, model, text);
  } else if (draft !== undefined) {
    await toDraft(person, kind, draft, model, text);
  }
}

async function toPost(
  person: Person,
  kind: Kind,
  post: Model["posts"][number],
  model: Model,
  text: string,
): Promise<void> {
  const path = `/v1/posts/${post.id}`;
  if (kind === "edit") {
    await fine(person, "PATCH", path, { body: { text, ifVersion: post.texts.length } });
    post.texts.push(text);
  } else if (kind === "delete") {
    await fine(person, "DELETE", path);
    model.deleted.push(post.id);
    model.posts.splice(model.posts.indexOf(post), 1);
    if (model.pinned === post.id) model.pinned = undefined;
  } else if (kind === "pin") {
    await fine(person, "PUT", `${path}/pin`);
    model.pinned = post.id;
  } else {
    await fine(person, "DELETE", `${path}/pin`);
    if (model.pinned === post.id) model.pinned = undefined;
  }
}

async function toDraft(person: Person, kind: Kind, draft: Draft, model: Model, text: string): Promise<void> {
  const path = `/v1/me/drafts/${draft.id}`;
  if (kind === "redraft") {
    await fine(person, "PATCH", path, { body: { text } });
    draft.text = text;
  } else if (kind === "discard" || kind === "publish") {
    model.drafts = model.drafts.filter((one) => one !== draft);
    if (kind === "discard") await fine(person, "DELETE", path);
    else model.posts.push({ id: (await fine<Shown>(person, "PUT", `${path}/publication`)).id, texts: [draft.text] });
  }
}

/** Every way to see a person's posts says what the model says, to them and to a stranger. */
async function compare(person: Person, stranger: Person, model: Model): Promise<void> {
  await settle(person, model);
  const newestFirst = [...model.posts].sort((a, b) => (BigInt(a.id) > BigInt(b.id) ? -1 : 1));
  const due = newestFirst.map(({ id, texts }) => ({ id, text: texts.at(-1) ?? "", version: texts.length }));
  for (const viewer of [person, stranger]) {
    const { posts, pinnedPost } = await pageOf(viewer, `/v1/users/${person.id}/posts`);
    assert.deepEqual(posts.map(headOf), due);
    assert.equal(pinnedPost?.id, model.pinned);
    for (const { version, editTime } of posts) assert.equal(editTime !== undefined, version > 1);
    for (const tag of tags.map((each) => tagOf(person, each))) {
      const tagged = await pageOf(viewer, `/v1/tags/${encodeURIComponent(tag.toUpperCase())}/posts`);
      assert.deepEqual(
        tagged.posts.map(headOf),
        due.filter(({ text }) => text.endsWith(`#${tag}`)),
        tag,
      );
    }
  }
  for (const { id, texts } of newestFirst) {
    const { versions } = await fine<{ versions: Shown[] }>(stranger, "GET", `/v1/posts/${id}/versions?pageSize=100`);
    assert.deepEqual(
      versions.map(({ text }) => text),
      [...texts].reverse(),
    );
  }
  for (const id of model.deleted) {
    assert.equal((await stranger.call("GET", `/v1/posts/${id}/versions`)).status, 404);
    assert.equal((await person.call("PATCH", `/v1/posts/${id}`, { body: { text: "back" } })).status, 404);
  }
  const { drafts } = await fine<{ drafts: Draft[] }>(person, "GET", "/v1/me/drafts?pageSize=100");
  assert.deepEqual(
    drafts.map(({ id, text }) => ({ id, text })),
    model.drafts.map(({ id, text }) => ({ id, text })),
  );
}

/** Waits until what is scheduled is public, and takes it over into the model: once each. */
async function settle(person: Person, model: Model): Promise<void> {
  for (const text of model.scheduled.splice(0)) {
    let found: Shown[] = [];
    await until("what is due is public", async () => {
      const { posts } = await pageOf(person, `/v1/users/${person.id}/posts`);
      found = posts.filter((post) => post.text === text);
      return found.length > 0;
    });
    assert.equal(found.length, 1);
    model.posts.push({ id: found[0]?.id ?? "", texts: [text] });
  }
}

const pageOf = (viewer: Person, path: string) => fine<Page>(viewer, "GET", `${path}?pageSize=100`);
const headOf = ({ id, text, version }: Shown) => ({ id, text, version });

type Item = { activityId: string; reason: string; post: Shown & { likeCount: number }; repostedBy?: { id: string } };

test("a repost is the post as it stands, under who passed it on, once a page, for who may see the post", async () => {
  const [author, friend, other, reader] = (await Promise.all(
    Array.from({ length: 4 }, () => register(system.edge)),
  )) as [Person, Person, Person, Person];
  await Promise.all([reader.follow(friend), reader.follow(other)]);
  const feed = async () =>
    (await fine<{ items: Item[] }>(reader, "GET", "/v1/feed")).items.map(({ reason, post, repostedBy }) => [
      reason,
      post.text,
      repostedBy?.id,
    ]);
  const { id } = await author.post("worth it");
  const repost = (person: Person, method = "PUT") =>
    person.call<{ activityId: string }>(method, `/v1/posts/${id}/repost`);
  const { body } = await repost(friend);
  assert.equal((await repost(friend)).body.activityId, body.activityId, "once");
  const due = ["FEED_REASON_REPOST", "worth it", friend.id];
  assert.deepEqual(await feed(), [due]);
  for (const [method, path] of [
    ["GET", `/v1/posts/${body.activityId}`],
    ["PUT", `/v1/posts/${body.activityId}/like`],
    ["PUT", `/v1/posts/${body.activityId}/repost`],
    ["PATCH", `/v1/posts/${body.activityId}`],
    ["PUT", `/v1/posts/${body.activityId}/pin`],
  ] as const) {
    const more = method === "PATCH" ? { body: { text: "x" } } : {};
    assert.equal((await friend.call(method, path, more)).status, 404, `${method} of the activity: it is no post`);
  }
  assert.deepEqual((await pageOf(reader, `/v1/users/${friend.id}/posts`)).posts, []);
  await fine(author, "PATCH", `/v1/posts/${id}`, { body: { text: "worth more" } });
  await repost(other);
  const { users } = await fine<{ users: { id: string }[] }>(reader, "GET", `/v1/posts/${id}/reposts`);
  assert.deepEqual(
    users.map((user) => user.id),
    [other.id, friend.id],
  );
  assert.deepEqual(await feed(), [["FEED_REASON_REPOST", "worth more", other.id]], "once a page, where it is newest");
  await repost(other, "DELETE");
  await repost(other, "DELETE");
  assert.deepEqual(await feed(), [["FEED_REASON_REPOST", "worth more", friend.id]]);
  await fine(reader, "PUT", `/v1/users/${author.id}/mute`);
  assert.deepEqual(await feed(), [], "of somebody muted");
  await fine(reader, "DELETE", `/v1/users/${author.id}/mute`);
  await fine(author, "PUT", `/v1/users/${reader.id}/block`);
  assert.deepEqual(await feed(), [], "of somebody who blocks the reader");
  await fine(author, "DELETE", `/v1/users/${reader.id}/block`);
  assert.equal((await feed()).length, 1);
  await author.remove(id);
  assert.deepEqual(await feed(), []);
});
