import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Span } from "../../infra/otel/spans.ts";
import { type TreeNode, treesOf, walk } from "../../infra/otel/tree.ts";
import { type Answer, ask, type Person, register } from "./person.ts";

/** Somebody who has done a little of everything, and may do it again. */
type Actor = Person & { posts: string[]; comments: string[] };
type Say = (method: string, path: string, body?: unknown) => Promise<Answer>;
/** One request, and the trace its answer names; `id` is of what it made. */
type Deed = { readonly what: string; readonly traceId: string; readonly status: number; readonly id: string };

/** What they write: no span may tell it. */
export const words = "a sentence nobody else should read";

/** What people do, well and badly, through every public call that needs no password. */
const kinds: Record<string, (one: Actor, other: Actor, say: Say) => Promise<Answer>> = {
  post: (_one, _other, say) => say("POST", "/v1/posts", { text: words }),
  feed: (_one, _other, say) => say("GET", "/v1/feed?pageSize=10"),
  "own posts": (one, _, say) => say("GET", `/v1/users/${one.username}/posts`),
  "one post": (_, other, say) => say("GET", `/v1/posts/${other.posts.at(-1) ?? 1}`),
  profile: (_, other, say) => say("GET", `/v1/users/${other.id}`),
  followers: (_, other, say) => say("GET", `/v1/users/${other.id}/followers`),
  following: (_, other, say) => say("GET", `/v1/users/${other.id}/following`),
  follow: (_, other, say) => say("PUT", `/v1/users/${other.id}/follow`),
  unfollow: (_, other, say) => say("DELETE", `/v1/users/${other.id}/follow`),
  like: (_, other, say) => say("PUT", `/v1/posts/${other.posts.at(-1) ?? 1}/like`),
  unlike: (_, other, say) => say("DELETE", `/v1/posts/${other.posts.at(-1) ?? 1}/like`),
  likers: (_, other, say) => say("GET", `/v1/posts/${other.posts.at(-1) ?? 1}/likes`),
  comment: (_, other, say) => say("POST", `/v1/posts/${other.posts.at(-1) ?? 1}/comments`, { text: words }),
  comments: (_, other, say) => say("GET", `/v1/posts/${other.posts.at(-1) ?? 1}/comments`),
  "delete comment": (one, _, say) => say("DELETE", `/v1/comments/${one.comments.pop() ?? 1}`),
  "delete post": (one, _, say) => say("DELETE", `/v1/posts/${one.posts.shift() ?? 1}`),
  "an empty post": (_one, _other, say) => say("POST", "/v1/posts", { text: "" }),
  "no such path": (_one, _other, say) => say("GET", "/v1/nothing"),
};
export const kindNames = Object.keys(kinds);

/** People at a front door, and everything they did. */
export async function openDeeds(edge: string, people: number) {
  const cast: Actor[] = [];
  for (let nth = 0; nth < people; nth++) cast.push({ ...(await register(edge)), posts: [], comments: [] });
  const deeds: Deed[] = [];
  const someone = () => cast[Math.floor(Math.random() * cast.length)] as Actor;

  async function act(what: string): Promise<void> {
    const one = someone();
    const say: Say = (method, path, body) =>
      ask(edge, method, path, { token: one.token, ...(body !== undefined && { body, key: randomUUID() }) });
    const { status, headers, body } = await (kinds[what] as (typeof kinds)[string])(one, someone(), say);
    const traceId = headers.get("traceresponse")?.slice(3, 35) ?? "";
    const id = String(body.id ?? "");
    if (what === "post" && status === 201) one.posts.push(id);
    if (what === "comment" && status === 201) one.comments.push(id);
    deeds.push({ what, traceId, status, id });
  }

  return {
    deeds,
    /** Names and tokens: no span may tell them. */
    secrets: cast.flatMap(({ token, username }) => [token, username]),
    posts: () => deeds.filter(({ what, status }) => what === "post" && status === 201),
    /** So many requests of all kinds in turn, a few at once. */
    async run(requests: number, atOnce = 8): Promise<void> {
      let next = 0;
      const lane = async () => {
        while (next < requests) await act(kindNames[next++ % kindNames.length] as string);
      };
      await Promise.all(Array.from({ length: atOnce }, lane));
    },
  };
}

/** One connected tree that the edge began. */
export function treeOf({ what }: Deed, spans: readonly Span[]): TreeNode {
  const { roots, orphans } = treesOf(spans);
  assert.equal(orphans.length, 0, what);
  assert.deepEqual(
    roots.map(({ span }) => [span.service, span.kind]),
    [["envoy-edge", "server"]],
    what,
  );
  return roots[0] as TreeNode;
}

/** The way of a post, from the edge to its author's followers, each below who caused it. */
export function assertPost(root: TreeNode): void {
  const way: [service: string, name: RegExp][] = [
    ["envoy-edge", /^/],
    ["bff", /CreatePost/],
    ["envoy-mesh", /^/],
    ["post", /^CreatePost$/],
    ["post", /^tell PostCreated$/],
    ["feed", /^hear PostCreated$/],
    ["feed", /^fan-out$/],
    ["feed", /^redis/],
  ];
  assert.ok(
    leads(root, way),
    [...walk(root)].map(({ node, depth }) => " ".repeat(depth) + label(node.span)).join("\n"),
  );
  const below = [...walk(root)].map(({ node }) => node.span);
  for (const name of ["INSERT post", "INSERT outbox", "COMMIT", "redis ×3"]) {
    assert.ok(
      below.some((span) => span.service === "post" && span.name === name),
      `${name} in ${below.map(label)}`,
    );
  }
}

/** Whether a path down a tree passes these spans, in this order. */
function leads({ span, children }: TreeNode, way: readonly [string, RegExp][]): boolean {
  const [next, ...rest] = way;
  const isNext = next !== undefined && span.service === next[0] && next[1].test(span.name);
  const left = isNext ? rest : way;
  return left.length === 0 || children.some((child) => leads(child, left));
}

const label = ({ service, name }: Span) => `${service} ${name}`;
