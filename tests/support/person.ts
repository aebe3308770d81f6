import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

/** A post as clients see it; the fields the stories look at. */
export type ShownPost = {
  id: string;
  text: string;
  author: { id: string; username: string };
  likeCount: number;
  commentCount: number;
  repostCount?: number;
  quoteCount?: number;
  saveCount?: number;
  viewer?: { own: boolean; liked: boolean; reposted?: boolean };
};
/** A comment as clients see it; the fields the stories look at. */
export type ShownComment = { id: string; text: string; postId: string; author: { username: string } };
export type FeedPage = { items: { activityId: string; reason: string; post: ShownPost }[]; nextPageToken: string };
export type Answer<T = Record<string, unknown>> = { status: number; headers: Headers; body: T };

/** Somebody at the front door: signed in, speaking JSON as a browser would. */
export type Person = Awaited<ReturnType<typeof register>>;

/** While a process restarts behind the door, a call may be refused; it is asked again this often, then it has failed. */
const triesMax = 200;
const againMs = 50;

/** Asks the front door once. */
export async function ask<T = Record<string, unknown>>(
  edge: string,
  method: string,
  path: string,
  init: { token?: string; body?: unknown; key?: string } = {},
): Promise<Answer<T>> {
  const headers: Record<string, string> = {};
  if (init.token !== undefined) headers.authorization = `Bearer ${init.token}`;
  if (init.key !== undefined) headers["idempotency-key"] = init.key;
  if (init.body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(`${edge}${path}`, {
    method,
    headers,
    ...(init.body !== undefined && { body: JSON.stringify(init.body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text === "" ? {} : JSON.parse(text)) as T };
}

/** The same until the answer is not "unavailable": the condition a story waits on while something is restarted. */
async function insist<T = Record<string, unknown>>(...of: Parameters<typeof ask>): Promise<Answer<T>> {
  for (let tried = 1; ; tried++) {
    const answer = await ask<T>(...of).catch(() => undefined);
    if (answer !== undefined && answer.status < 502) return answer;
    if (tried === triesMax)
      throw new Error(`${of[1]} ${of[2]}: still ${answer?.status ?? "unreachable"} after ${tried} tries`);
    await new Promise((done) => setTimeout(done, againMs));
  }
}

/** Registers somebody new. */
export async function register(edge: string, username = `u${randomUUID().replaceAll("-", "").slice(0, 16)}`) {
  const { status, body } = await insist<{ accessToken: string; user: { id: string } }>(
    edge,
    "POST",
    "/v1/auth/register",
    {
      body: { username, password: "correct horse battery" },
    },
  );
  assert.equal(status, 201, JSON.stringify(body));
  const token = body.accessToken;
  const call = <T>(method: string, path: string, more: { body?: unknown; key?: string } = {}) =>
    insist<T>(edge, method, path, { token, ...more });
  const fine = async <T>(method: string, path: string, more: { body?: unknown; key?: string } = {}): Promise<T> => {
    const answer = await call<T>(method, path, more);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };

  return {
    id: body.user.id,
    username,
    token,
    call,
    follow: (who: { id: string }) => fine("PUT", `/v1/users/${who.id}/follow`),
    unfollow: (who: { id: string }) => fine("DELETE", `/v1/users/${who.id}/follow`),
    post: (text: string, key: string = randomUUID()) => fine<ShownPost>("POST", "/v1/posts", { body: { text }, key }),
    like: (postId: string) => fine<{ liked: boolean }>("PUT", `/v1/posts/${postId}/like`),
    unlike: (postId: string) => fine<{ liked: boolean }>("DELETE", `/v1/posts/${postId}/like`),
    comment: (postId: string, text: string, key: string = randomUUID()) =>
      fine<ShownComment>("POST", `/v1/posts/${postId}/comments`, { body: { text }, key }),
    removeComment: (commentId: string) => fine("DELETE", `/v1/comments/${commentId}`),
    remove: (postId: string) => fine("DELETE", `/v1/posts/${postId}`),
    feedPage: (pageSize: number, pageToken = "") =>
      fine<FeedPage>("GET", `/v1/feed?pageSize=${pageSize}${pageToken === "" ? "" : `&pageToken=${pageToken}`}`),

    /** The whole feed, page by page, newest first. What reposts bring to several pages is taken once, where it is newest. */
    async feedItems(pageSize = 100): Promise<FeedPage["items"]> {
      const items = new Map<string, FeedPage["items"][number]>();
      for (let token = ""; ; ) {
        const page = await this.feedPage(pageSize, token);
        assert.equal(new Set(page.items.map(({ post }) => post.id)).size, page.items.length, "a post once a page");
        for (const item of page.items) if (!items.has(item.post.id)) items.set(item.post.id, item);
        token = page.nextPageToken;
        if (token === "") return [...items.values()];
      }
    },

    /** The same as activity ids. */
    async feed(pageSize = 100): Promise<string[]> {
      return (await this.feedItems(pageSize)).map(({ activityId }) => activityId);
    },
  };
}
