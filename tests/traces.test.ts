import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { receiveSpans } from "#lib/harness/otlp.ts";
import { until } from "#lib/harness/until.ts";
import type { Span } from "../infra/otel/spans.ts";
import { type TreeNode, treesOf, walk } from "../infra/otel/tree.ts";
import { type Answer, ask, type Person, register } from "./support/person.ts";
import { startSystem } from "./support/system.ts";

/** Requests of all kinds, each traced. */
const requests = 1_000;
const people = 12;
const secret = "correct horse battery";
const words = "a sentence nobody else should read";

const receiver = await receiveSpans();
const system = await startSystem({}, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, TRACE_PERCENT: "100" });
after(async () => {
  await system.stop();
  await receiver[Symbol.asyncDispose]();
});

/** Somebody who has done a little of everything, and may do it again. */
type Actor = Person & { posts: string[]; comments: string[] };
type Deed = { readonly what: string; readonly traceId: string; readonly status: number; readonly id: string };

const cast: Actor[] = [];
for (let nth = 0; nth < people; nth++) cast.push({ ...(await register(system.edge)), posts: [], comments: [] });

/** What people do, well and badly, through every public call that needs no password. */
const kinds: Record<string, (one: Actor, other: Actor) => Promise<Answer>> = {
  post: (one) => say(one, "POST", "/v1/posts", { text: words }),
  feed: (one) => say(one, "GET", "/v1/feed?pageSize=10"),
  "own posts": (one) => say(one, "GET", `/v1/users/${one.username}/posts`),
  "one post": (one, other) => say(one, "GET", `/v1/posts/${other.posts.at(-1) ?? 1}`),
  profile: (one, other) => say(one, "GET", `/v1/users/${other.id}`),
  followers: (one, other) => say(one, "GET", `/v1/users/${other.id}/followers`),
  following: (one, other) => say(one, "GET", `/v1/users/${other.id}/following`),
  follow: (one, other) => say(one, "PUT", `/v1/users/${other.id}/follow`),
  unfollow: (one, other) => say(one, "DELETE", `/v1/users/${other.id}/follow`),
  like: (one, other) => say(one, "PUT", `/v1/posts/${other.posts.at(-1) ?? 1}/like`),
  unlike: (one, other) => say(one, "DELETE", `/v1/posts/${other.posts.at(-1) ?? 1}/like`),
  likers: (one, other) => say(one, "GET", `/v1/posts/${other.posts.at(-1) ?? 1}/likes`),
  comment: (one, other) => say(one, "POST", `/v1/posts/${other.posts.at(-1) ?? 1}/comments`, { text: words }),
  comments: (one, other) => say(one, "GET", `/v1/posts/${other.posts.at(-1) ?? 1}/comments`),
  "delete comment": (one) => say(one, "DELETE", `/v1/comments/${one.comments.pop() ?? 1}`),
  "delete post": (one) => say(one, "DELETE", `/v1/posts/${one.posts.shift() ?? 1}`),
  "an empty post": (one) => say(one, "POST", "/v1/posts", { text: "" }),
  "no such path": (one) => say(one, "GET", "/v1/nothing"),
};

function say(one: Actor, method: string, path: string, body?: unknown): Promise<Answer> {
  const more = body === undefined ? {} : { body, key: randomUUID() };
  return ask(system.edge, method, path, { token: one.token, ...more });
}

const deeds: Deed[] = [];
const someone = () => cast[Math.floor(Math.random() * cast.length)] as Actor;

async function act(what: string): Promise<void> {
  const one = someone();
  const { status, headers, body } = await (kinds[what] as (typeof kinds)[string])(one, someone());
  const traceId = headers.get("traceresponse")?.slice(3, 35) ?? "";
  const id = String(body.id ?? "");
  if (what === "post" && status === 201) one.posts.push(id);
  if (what === "comment" && status === 201) one.comments.push(id);
  deeds.push({ what, traceId, status, id });
}

test(`${requests} requests of all kinds: each is one connected tree, and a post's holds its followers' timelines`, async () => {
  const names = Object.keys(kinds);
  for (let nth = 0; nth < requests; nth += 4) {
    await Promise.all([0, 1, 2, 3].map((lane) => act(names[(nth + lane) % names.length] as string)));
  }
  assert.equal(deeds.filter(({ traceId }) => traceId === "").length, 0, "every answer names its trace");
  assert.deepEqual(new Set(deeds.map(({ status }) => Math.floor(status / 100))), new Set([2, 4]));
  for (const what of names) assert.ok(deeds.filter((deed) => deed.what === what).length >= 50, what);

  const created = deeds.filter(({ what, status }) => what === "post" && status === 201);
  assert.ok(created.length >= 50);
  await until("every fan-out is told", () => {
    const reached = new Set(receiver.spans.filter(({ name }) => name === "fan-out").map(({ traceId }) => traceId));
    return created.every(({ traceId }) => reached.has(traceId));
  });
  await until("nothing hangs in the air", () => treesOf(receiver.spans).orphans.length === 0);

  const byTrace = Map.groupBy(receiver.spans, ({ traceId }) => traceId);
  for (const { what, traceId } of deeds) {
    const { roots, orphans } = treesOf(byTrace.get(traceId) ?? []);
    assert.equal(orphans.length, 0, what);
    assert.deepEqual(
      roots.map(({ span }) => [span.service, span.kind]),
      [["envoy-edge", "server"]],
      what,
    );
  }
  for (const { traceId } of created) assertPost(treesOf(byTrace.get(traceId) ?? []).roots[0] as TreeNode);
});

/** The way of a post, from the edge to its author's followers, each below who caused it. */
function assertPost(root: TreeNode): void {
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

test("spans tell ids and numbers: no text, name, secret or address of anybody", () => {
  const told = JSON.stringify(receiver.spans, (_, value) => (typeof value === "bigint" ? String(value) : value));
  for (const hidden of [words, secret, ...cast.flatMap(({ token, username }) => [token, username])]) {
    assert.ok(!told.includes(hidden), `a span tells ${hidden}`);
  }
  const ofClients = receiver.spans.filter(({ name }) => name === "ingress").map(({ attributes }) => attributes);
  for (const withheld of ["http.url", "peer.address", "user_agent"]) {
    assert.deepEqual(new Set(ofClients.map((attributes) => attributes[withheld])), new Set(["withheld"]));
  }
});
