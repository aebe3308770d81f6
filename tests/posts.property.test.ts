//! Any history of posts, edits, deletes, reactions, comments, saves, reposts, quotes, pins, drafts and schedules is, through the front
//! door, what a plain model says: each post with its text, version and history, what its reader did with it, how often what is done, and by
//! whom, the author's page with what is pinned, the pages of tags, what each keeps and did, and the drafts.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { type Person, register } from "./support/person.ts";
import { assertNow, compare } from "./support/posts/compare.ts";
import { fine, newModel, pageOf, type Shown, tagOf, tags } from "./support/posts/model.ts";
import { carryOut, kinds } from "./support/posts/step.ts";
import { type System, startSystem } from "./support/system.ts";

const histories = Number(process.env.HISTORIES ?? 3);
const operationsMin = 20;
const operationsMax = 50;
/** Steps between two looks at everything. */
const lookEach = 10;
const step = fc.record({ kind: fc.constantFrom(...kinds), nth: fc.nat(9), tag: fc.nat(tags.length) });

let system: System;
before(async () => {
  system = await startSystem();
});
after(() => system?.stop());

test(`any history of a person's posts is what a plain model says, ${histories} times`, {
  timeout: 300_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: operationsMin, maxLength: operationsMax, size: "max" }),
      async (steps) => {
        const [person, stranger] = [await register(system.edge), await register(system.edge)];
        const cast = { person, stranger };
        const model = newModel();
        for (const [at, one] of steps.entries()) {
          const text = `${person.username} ${at} #${tagOf(person, tags[one.tag])}`;
          const about = await carryOut(cast, one, model, text);
          if (about !== undefined) await assertNow(cast, about, model);
          if (at % lookEach === lookEach - 1) await compare(cast, model);
        }
        await compare(cast, model);
      },
    ),
    {
      numRuns: histories,
      endOnFailure: true,
      ...(process.env.SEED !== undefined && { seed: Number(process.env.SEED) }),
    },
  );
});

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
  assert.deepEqual(
    (await pageOf(reader, `/v1/users/${friend.id}/posts`)).posts.map((post) => [post.id, post.repostedBy?.id]),
    [[id, friend.id]],
    "on the page of who passed it on, too",
  );
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
