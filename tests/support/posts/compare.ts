import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { until } from "#lib/harness/until.ts";
import type { Person } from "../person.ts";
import {
  type Cast,
  type Draft,
  fine,
  type Model,
  type ModelPost,
  newPost,
  pageOf,
  type Shown,
  tagOf,
  tags,
} from "./model.ts";

/** Posts whose lists are read at each look: each has four. */
const listedMax = 4;

/** Every way to see a person's posts says what the model says, to them and to a stranger. */
export async function compare({ person, stranger }: Cast, model: Model): Promise<void> {
  await settle(person, model);
  const posts = newestFirst(model);
  const due = posts.map(dueOf);
  for (const viewer of [person, stranger]) {
    await assertBeside(viewer, person, model);
    await assertActivity(viewer, model);
    const page = await pageOf(viewer, `/v1/users/${person.id}/posts`);
    assert.deepEqual(
      page.posts.map((post) => [headOf(post), post.repostedBy?.id, slotIn(post)]),
      placesOf(person, model).map(({ post, by }) => [dueOf(post), by, slotOf(post, model)]),
    );
    assert.equal(page.pinnedPost?.id, model.pinned);
    for (const { version, editTime } of page.posts) assert.equal(editTime !== undefined, version > 1);
    for (const tag of tags.map((each) => tagOf(person, each))) {
      const tagged = await pageOf(viewer, `/v1/tags/${encodeURIComponent(tag.toUpperCase())}/posts`);
      assert.deepEqual(
        tagged.posts.map(headOf),
        due.filter(({ text }) => text.endsWith(`#${tag}`)),
        tag,
      );
    }
  }
  await Promise.all([
    ...posts.map((post) => assertVersions(stranger, post)),
    ...model.deleted.map((id) => assertGone(person, stranger, id)),
  ]);
  const { drafts } = await fine<{ drafts: Draft[] }>(person, "GET", "/v1/me/drafts?pageSize=100");
  assert.deepEqual(
    drafts.map(({ id, text }) => ({ id, text })),
    model.drafts.map(({ id, text }) => ({ id, text })),
  );
}

async function assertVersions(viewer: Person, { id, texts }: ModelPost): Promise<void> {
  const { versions } = await fine<{ versions: Shown[] }>(viewer, "GET", `/v1/posts/${id}/versions?pageSize=100`);
  assert.deepEqual(
    versions.map(({ text }) => text),
    texts.toReversed(),
  );
}

async function assertGone(author: Person, stranger: Person, id: string): Promise<void> {
  assert.equal((await stranger.call("GET", `/v1/posts/${id}/versions`)).status, 404);
  assert.equal((await author.call("PATCH", `/v1/posts/${id}`, { body: { text: "back" } })).status, 404);
}

const newestFirst = ({ posts }: Model): ModelPost[] => posts.toSorted((a, b) => (BigInt(a.id) > BigInt(b.id) ? -1 : 1));

const dueOf = ({ id, texts }: ModelPost) => ({ id, text: texts.at(-1) ?? "", version: texts.length });

/** An author's page: what they said and what they passed on, each post once, where it is newest. */
function placesOf(person: Person, { posts }: Model): { post: ModelPost; by: string | undefined }[] {
  const places = posts.flatMap((post) => {
    const activityId = post.reposts.get(person);
    const own = { at: BigInt(post.id), post, by: undefined as string | undefined };
    return activityId === undefined ? [own] : [own, { at: BigInt(activityId), post, by: person.id }];
  });
  const newest = new Map<string, (typeof places)[number]>();
  for (const place of places.sort((a, b) => (a.at > b.at ? -1 : 1))) {
    if (!newest.has(place.post.id)) newest.set(place.post.id, place);
  }
  return [...newest.values()];
}

/** What readers are told beside each post, how often and whether by themselves, is what its lists hold, and both are the model's. */
async function assertBeside(viewer: Person, author: Person, model: Model): Promise<void> {
  const posts = newestFirst(model);
  const quotesOf = (post: ModelPost) => posts.filter(({ quotes }) => quotes === post).map(({ id }) => id);
  const savesOf = (post: ModelPost) => [...model.saves.values()].filter((kept) => kept.includes(post)).length;
  const due = new Map(
    posts.map((post) => [
      post.id,
      [
        ...[post.reposts.size, quotesOf(post).length, savesOf(post), post.comments.length],
        ...["LIKE", "LOVE", "ANGRY"].map((kind) => reactionsOf(post, kind)),
        ...ownOf(post, viewer, model),
      ],
    ]),
  );
  await until("everything is counted", async () => {
    const page = await pageOf(viewer, `/v1/users/${author.id}/posts`);
    return page.posts.every((shown) => isDeepStrictEqual(besideOf(shown), due.get(shown.id)));
  });
  const assertLists = async (post: ModelPost) => {
    const path = `/v1/posts/${post.id}`;
    const [{ users }, quotes, { comments }, { reactors }] = await Promise.all([
      fine<{ users: { id: string }[] }>(viewer, "GET", `${path}/reposts`),
      pageOf(viewer, `${path}/quotes`),
      fine<{ comments: Shown[] }>(viewer, "GET", `${path}/comments?pageSize=100`),
      fine<{ reactors: { user: { id: string }; reaction: string }[] }>(viewer, "GET", `${path}/reactions`),
    ]);
    assert.deepEqual(new Set(users.map(({ id }) => id)), new Set([...post.reposts.keys()].map(({ id }) => id)));
    assert.deepEqual(
      quotes.posts.map(({ id }) => id),
      quotesOf(post),
    );
    assert.deepEqual(
      comments.map(({ id, text }) => `${id} ${text}`),
      post.comments.map(({ id, text }) => `${id} ${text}`).toReversed(),
    );
    assert.deepEqual(
      reactors.map(({ user, reaction }) => `${user.id} ${reaction}`).toSorted(),
      [...post.reactions].map(([by, reaction]) => `${by.id} ${reaction}`).toSorted(),
    );
  };
  await Promise.all(posts.slice(0, listedMax).map(assertLists));
}

/** The post in the slot of one that quotes; empty where that is gone, or was detached. */
const slotIn = ({ quote }: Shown): string | undefined => quote && (quote.post?.id ?? "empty");
const slotOf = ({ isQuote, quotes }: ModelPost, { posts }: Model): string | undefined =>
  isQuote && (quotes !== undefined && posts.includes(quotes) ? quotes.id : "empty");

const reactionsOf = ({ reactions }: ModelPost, kind: string): number =>
  [...reactions.values()].filter((one) => one === `REACTION_KIND_${kind}`).length;

/** In the order in which the model has it: counts, then the viewer's own. */
function besideOf(shown: Shown): unknown[] {
  const { repostCount = 0, quoteCount = 0, saveCount = 0, commentCount, likeCount, reactions = {} } = shown;
  const { love = 0, angry = 0 } = reactions;
  return [repostCount, quoteCount, saveCount, commentCount, likeCount, love, angry, ...ownIn(shown)];
}

const ownIn = ({ viewer: own }: Shown): unknown[] => [own?.reposted === true, own?.saved === true, own?.reaction];

const ownOf = (post: ModelPost, who: Person, { saves }: Model): unknown[] => [
  post.reposts.has(who),
  saves.get(who)?.includes(post) === true,
  post.reactions.get(who),
];

/** What each step was about is, at once, what the model says, to both; how often is counted a moment later. */
export async function assertNow({ person, stranger }: Cast, post: ModelPost, model: Model): Promise<void> {
  for (const who of [person, stranger]) {
    const { status, body } = await who.call<Shown>("GET", `/v1/posts/${post.id}`);
    if (model.deleted.includes(post.id)) assert.equal(status, 404);
    else
      assert.deepEqual(
        [headOf(body), slotIn(body), ...ownIn(body)],
        [dueOf(post), slotOf(post, model), ...ownOf(post, who, model)],
      );
  }
}

/** What each keeps and did, as their own lists have it: of what stands. */
async function assertActivity(who: Person, { posts, saves }: Model): Promise<void> {
  const ids = async (path: string, name: "posts" | "comments") =>
    (await fine<Record<typeof name, Shown[]>>(who, "GET", `/v1/me/${path}?pageSize=100`))[name].map(({ id }) => id);
  const kept = (saves.get(who) ?? []).filter((post) => posts.includes(post)).map(({ id }) => id);
  assert.deepEqual(await ids("saves", "posts"), kept);
  const reacted = posts.filter(({ reactions }) => reactions.has(who)).map(({ id }) => id);
  assert.deepEqual((await ids("activity/reactions", "posts")).toSorted(), reacted.toSorted());
  const reposted = posts.filter(({ reposts }) => reposts.has(who));
  const newest = reposted.toSorted((a, b) =>
    BigInt(a.reposts.get(who) ?? 0) > BigInt(b.reposts.get(who) ?? 0) ? -1 : 1,
  );
  assert.deepEqual(
    await ids("activity/reposted", "posts"),
    newest.map(({ id }) => id),
  );
  const said = posts.flatMap(({ comments }) => comments.filter(({ by }) => by === who)).map(({ id }) => BigInt(id));
  assert.deepEqual(
    (await ids("activity/comments", "comments")).map(BigInt),
    said.toSorted((a, b) => (a > b ? -1 : 1)),
  );
}

/** Waits until what is scheduled is public, and takes it over into the model: once each. */
async function settle(person: Person, model: Model): Promise<void> {
  for (const text of model.scheduled.splice(0)) {
    let found: Shown[] = [];
    await until("what is due is public", async () => {
      const { posts } = await pageOf(person, `/v1/users/${person.id}/posts`);
      found = posts.filter((post) => post.text === text && post.repostedBy === undefined);
      return found.length > 0;
    });
    assert.equal(found.length, 1);
    model.posts.push(newPost(found[0] as Shown, text));
  }
}

const headOf = ({ id, text, version }: Shown) => ({ id, text, version });
