import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type AudienceName, audiences, type Forbidden } from "./forbidden.ts";
import type { Person } from "./person.ts";

/** Whoever takes part, what they may not see, and how an operator suspends and restores. */
export type World = {
  readonly people: readonly Person[];
  readonly forbidden: Forbidden;
  readonly suspend: (userId: string, suspended: boolean) => Promise<void>;
};

/** One thing that one person does: to another where it takes two, to the nth last post where it is about one. */
export type Step = { readonly what: Change | Read; readonly who: number; readonly whom: number; readonly nth: number };

const changes = {
  post: (world, one, other, nth) => publish(world, one, audiences[nth % audiences.length] as AudienceName, other),
  delete: (world, one, _, nth) => remove(world, one, nth),
  follow,
  unfollow: ({ forbidden }, one, other) =>
    forbidden.alone([`f ${one.id} ${other.id}`], async () => {
      if (await ok(one, "DELETE", `/v1/users/${other.id}/follow`)) forbidden.begins(`unfollowed ${one.id} ${other.id}`);
    }),
  accept: ({ forbidden }, one, other) =>
    forbidden.alone([`f ${other.id} ${one.id}`], async () => {
      forbidden.mayEnd(`unfollowed ${other.id} ${one.id}`);
      await ok(one, "PUT", `/v1/me/follow-requests/${other.id}`);
    }),
  decline: ({ forbidden }, one, other) =>
    forbidden.alone([`f ${other.id} ${one.id}`], () => ok(one, "DELETE", `/v1/me/follow-requests/${other.id}`)),
  "remove follower": ({ forbidden }, one, other) =>
    forbidden.alone([`f ${other.id} ${one.id}`], async () => {
      if (await ok(one, "DELETE", `/v1/me/followers/${other.id}`)) forbidden.begins(`unfollowed ${other.id} ${one.id}`);
    }),
  block: ({ forbidden }, one, other) =>
    forbidden.alone(
      [`b ${one.id} ${other.id}`, `f ${one.id} ${other.id}`, `f ${other.id} ${one.id}`, `c ${one.id}`, `c ${other.id}`],
      async () => {
        if (!(await ok(one, "PUT", `/v1/users/${other.id}/block`))) return;
        forbidden.begins(`blocked ${one.id} ${other.id}`);
        forbidden.begins(`unfollowed ${one.id} ${other.id}`, `unfollowed ${other.id} ${one.id}`);
        forbidden.begins(`unlisted ${one.id} ${other.id}`, `unlisted ${other.id} ${one.id}`);
      },
    ),
  unblock: ({ forbidden }, one, other) =>
    forbidden.alone([`b ${one.id} ${other.id}`], async () => {
      forbidden.mayEnd(`blocked ${one.id} ${other.id}`);
      await ok(one, "DELETE", `/v1/users/${other.id}/block`);
    }),
  mute: ({ forbidden }, one, other) =>
    forbidden.alone([`m ${one.id} ${other.id}`], async () => {
      if (await ok(one, "PUT", `/v1/users/${other.id}/mute`)) forbidden.begins(`muted ${one.id} ${other.id}`);
    }),
  unmute: ({ forbidden }, one, other) =>
    forbidden.alone([`m ${one.id} ${other.id}`], async () => {
      forbidden.mayEnd(`muted ${one.id} ${other.id}`);
      await ok(one, "DELETE", `/v1/users/${other.id}/mute`);
    }),
  befriend: ({ forbidden }, one, other) =>
    forbidden.alone([`c ${one.id}`], async () => {
      forbidden.mayEnd(`unlisted ${one.id} ${other.id}`);
      await ok(one, "PUT", `/v1/me/lists/close-friends/members/${other.id}`);
    }),
  unfriend: ({ forbidden }, one, other) =>
    forbidden.alone([`c ${one.id}`], async () => {
      if (await ok(one, "DELETE", `/v1/me/lists/close-friends/members/${other.id}`))
        forbidden.begins(`unlisted ${one.id} ${other.id}`);
    }),
  hide: ({ forbidden }, one) =>
    forbidden.alone([`a ${one.id}`], async () => {
      if (await ok(one, "PATCH", "/v1/me/account", { private: true })) forbidden.begins(`private ${one.id}`);
    }),
  show: ({ forbidden }, one) =>
    forbidden.alone([`a ${one.id}`], async () => {
      forbidden.mayEnd(`private ${one.id}`);
      await ok(one, "PATCH", "/v1/me/account", { private: false });
    }),
  "leave and come back": ({ forbidden }, one, other) =>
    forbidden.alone([`a ${one.id}`], async () => {
      if (!(await ok(one, "PUT", "/v1/me/account/deactivation"))) return;
      forbidden.begins(`closed ${one.id}`);
      await lookAt({ forbidden }, other, one);
      forbidden.mayEnd(`closed ${one.id}`);
      await ok(one, "DELETE", "/v1/me/account/deactivation");
    }),
  "be suspended for a while": ({ forbidden, suspend }, one, other) =>
    forbidden.alone([`a ${one.id}`], async () => {
      await suspend(one.id, true);
      forbidden.begins(`closed ${one.id}`);
      await lookAt({ forbidden }, other, one);
      forbidden.mayEnd(`closed ${one.id}`);
      await suspend(one.id, false);
    }),
  like: ({ forbidden }, one, other, nth) =>
    withPost(forbidden, other, nth, (id) => ok(one, "PUT", `/v1/posts/${id}/like`)),
  comment: ({ forbidden }, one, other, nth) =>
    withPost(forbidden, other, nth, (id) => ok(one, "POST", `/v1/posts/${id}/comments`, { text: "a word" })),
} satisfies Record<string, (world: World, one: Person, other: Person, nth: number) => Promise<unknown>>;

type Change = keyof typeof changes;

type Seen = Pick<World, "forbidden">;

const reads = {
  "read feed": async ({ forbidden }: Seen, one: Person) => {
    const began = performance.now();
    const { items } = await one.feedPage(10);
    const ids = items.map(({ post }) => post.id);
    forbidden.assertPosts(one, ids, began, true, "the feed");
  },
  "read posts of": async ({ forbidden }: Seen, one: Person, other: Person) => {
    const began = performance.now();
    const { status, body } = await one.call<{ posts: { id: string }[] }>("GET", `/v1/users/${other.id}/posts`);
    if (status !== 404)
      forbidden.assertPosts(
        one,
        body.posts.map(({ id }) => id),
        began,
        false,
        "an author's posts",
      );
  },
  "read post": async ({ forbidden }, one, other, nth) => {
    await withPost(forbidden, other, nth, async (id) => {
      const began = performance.now();
      const { status } = await one.call("GET", `/v1/posts/${id}`);
      if (status === 200) forbidden.assertPosts(one, [id], began, false, "the post");
    });
  },
  "read under post": async ({ forbidden }, one, other, nth) => {
    await withPost(forbidden, other, nth, async (id) => {
      const began = performance.now();
      const said = await one.call<{ comments: { author: { id: string } }[] }>("GET", `/v1/posts/${id}/comments`);
      const liked = await one.call<{ users: { id: string }[] }>("GET", `/v1/posts/${id}/likes`);
      if (said.status === 200) {
        forbidden.assertPosts(one, [id], began, false, "its comments");
        forbidden.assertPeople(
          one,
          said.body.comments.map(({ author }) => author.id),
          began,
          "comments",
        );
      }
      if (liked.status === 200)
        forbidden.assertPeople(
          one,
          liked.body.users.map(({ id: who }) => who),
          began,
          "likes",
        );
    });
  },
  "read profile": async ({ forbidden }, one, other) => {
    const began = performance.now();
    const { status } = await one.call("GET", `/v1/users/${other.id}`);
    const hidden = forbidden.isHidden(one, other.id, began);
    assert.ok(status === 404 || !hidden, `${one.username} finds ${other.username}`);
  },
  "read followers": async ({ forbidden }, one, other) => {
    const began = performance.now();
    const { status, body } = await one.call<{ users: { id: string }[] }>("GET", `/v1/users/${other.id}/followers`);
    if (status === 200)
      forbidden.assertPeople(
        one,
        body.users.map(({ id }) => id),
        began,
        "followers",
      );
  },
} satisfies Record<string, (world: World, one: Person, other: Person, nth: number) => Promise<unknown>>;

type Read = keyof typeof reads;

export const changeNames = Object.keys(changes) as Change[];
export const readNames = Object.keys(reads) as Read[];

/** After these somebody may see less than before. */
const forbidding: ReadonlySet<string> = new Set<Change>([
  "delete",
  "unfollow",
  "remove follower",
  "block",
  "mute",
  "unfriend",
  "hide",
]);

/** Does one step; what takes two is left out where both are the same. */
export async function take(world: World, { what, who, whom, nth }: Step): Promise<void> {
  const [one, other] = [world.people[who] as Person, world.people[whom] as Person];
  const isAlone = one === other && !["post", "delete", "hide", "show"].includes(what) && !(what in reads);
  if (isAlone) return;
  await { ...changes, ...reads }[what](world, one, other, nth);
  // Whom it concerns looks at once: what a change would leave behind lasts for milliseconds.
  if (forbidding.has(what)) await Promise.all([lookAt(world, one, other), lookAt(world, other, one)]);
}

/** Somebody reads their feed, and what somebody else published. */
async function lookAt(world: Seen, viewer: Person, author: Person): Promise<void> {
  await Promise.all([reads["read feed"](world, viewer), reads["read posts of"](world, viewer, author)]);
}

/** One's own account is not open; the other is not there, for oneself; one blocks them oneself. */
const refusals: ReadonlySet<number> = new Set([403, 404, 400]);

/** Asks; a change that was refused for what the other or oneself is at this moment was not made. */
async function ok(person: Person, method: string, path: string, body?: unknown): Promise<boolean> {
  const more = body === undefined ? {} : { body, ...(method === "POST" && { key: randomUUID() }) };
  const { status, body: answer } = await person.call(method, path, more);
  assert.ok(status < 300 || refusals.has(status), `${method} ${path}: ${status} ${JSON.stringify(answer)}`);
  return status < 300;
}

async function publish({ forbidden }: World, one: Person, audience: AudienceName, other: Person): Promise<void> {
  const mentioned = audience === "AUDIENCE_MENTIONED" && other !== one ? [other.id] : [];
  const body = { text: `for ${audience}`, audience, mentionedUserIds: mentioned };
  const { status, body: made } = await one.call<{ id: string }>("POST", "/v1/posts", { body, key: randomUUID() });
  if (status === 403) return;
  assert.equal(status, 201, JSON.stringify(made));
  forbidden.posts.set(made.id, { id: made.id, authorId: one.id, audience, mentioned });
}

async function remove({ forbidden }: World, one: Person, nth: number): Promise<void> {
  await withPost(forbidden, one, nth, async (id) => {
    if (await ok(one, "DELETE", `/v1/posts/${id}`)) forbidden.begins(`deleted ${id}`);
  });
}

async function follow({ forbidden }: World, one: Person, other: Person): Promise<void> {
  const name = `unfollowed ${one.id} ${other.id}`;
  await forbidden.alone([`f ${one.id} ${other.id}`], async () => {
    forbidden.mayEnd(name);
    const { status, body } = await one.call<{ viewer?: { following: boolean } }>("PUT", `/v1/users/${other.id}/follow`);
    assert.ok(status < 300 || refusals.has(status), `follow: ${status} ${JSON.stringify(body)}`);
    // A request is none yet; who may answer it has to wait for this.
    if (status === 200 && body.viewer?.following === false) forbidden.begins(name);
  });
}

async function withPost(
  forbidden: Forbidden,
  author: Person,
  nth: number,
  work: (id: string) => Promise<unknown>,
): Promise<void> {
  const own = [...forbidden.posts.values()].filter(({ authorId }) => authorId === author.id);
  const post = own.at(-1 - (nth % Math.max(1, own.length)));
  if (post !== undefined) await work(post.id);
}
