//! Nobody who says what they have seen is shown anything older: at each door, each BFF and each feed, while every relay stands
//! still and so no count, card or place is brought up to date.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import mysql from "mysql2/promise";
import { FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { LikeService } from "#gen/skein/api/v1/like_pb.ts";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { UserService } from "#gen/skein/api/v1/user_pb.ts";
import { until } from "#lib/harness/until.ts";
import { kindOf } from "../tools/launcher/kinds.ts";
import { readState } from "../tools/launcher/state.ts";
import { caughtUp } from "./support/faults.ts";
import { type FeedPage, type Person, register, type ShownPost } from "./support/person.ts";
import { type System, startSystem } from "./support/system.ts";

type Numbers = { readonly likes: number; readonly comments: number; readonly followers: number };
type Place = { readonly http: string; readonly grpc: string };

let system: System;
let author: Person;
let fan: Person;
let post: string;
before(
  async () => {
    system = await startSystem({ bff: 2, feed: 2 });
    author = await register(system.edge);
    fan = await register(system.edge);
    const other = await register(system.edge);
    post = (await author.post("to be liked")).id;
    // Each relay has a row to be locked.
    await other.like(post);
    await other.comment(post, "first");
    await other.follow(author);
    await fan.follow(author);
    await fan.unfollow(author);
    await until("the first ones count", async () => String(await asked({})) === String([1, 1, 1]));
    await caughtUp(system.instance.servers);
  },
  { timeout: 120_000 },
);
after(() => system.stop());

const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: unknown) =>
  fetch(`${system.edge}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${fan.token}`,
      ...(body !== undefined && { "content-type": "application/json", "idempotency-key": randomUUID() }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

/** How often liked, commented on and followed, by JSON. */
async function asked(headers: Record<string, string>): Promise<number[]> {
  const one = (await (await ask("GET", `/v1/posts/${post}`, headers)).json()) as ShownPost;
  const who = (await (await ask("GET", `/v1/users/${author.id}`, headers)).json()) as { followerCount: number };
  return [one.likeCount, one.commentCount, who.followerCount];
}

/** The same by the protocols of RPC, the post as it is alone, in its author's list and in the home feed. */
async function askedBy(transport: Transport, token: string): Promise<Numbers[]> {
  const options = { headers: { authorization: `Bearer ${fan.token}`, "consistency-token": token } };
  const posts = createClient(PostService, transport);
  const [{ user }, { post: one }, { posts: list }, { items }] = await Promise.all([
    createClient(UserService, transport).getUser({ user: author.id }, options),
    posts.getPost({ post }, options),
    posts.listUserPosts({ user: author.id }, options),
    createClient(FeedService, transport).listHomeFeed({}, options),
  ]);
  const shown = [one, list.find(({ id }) => id === post), items.find((item) => item.post?.id === post)?.post];
  return shown.map((each) => ({
    likes: each?.likeCount ?? -1,
    comments: each?.commentCount ?? -1,
    followers: Number(user?.followerCount),
  }));
}

const protocols: Record<string, (at: Place) => Transport> = {
  "Connect, JSON": ({ http }) => createConnectTransport({ baseUrl: http, httpVersion: "1.1", useBinaryFormat: false }),
  "gRPC-web": ({ http }) => createGrpcWebTransport({ baseUrl: http, httpVersion: "1.1" }),
  gRPC: ({ grpc }) => createGrpcTransport({ baseUrl: grpc }),
};

/** The front door, and each BFF behind it. */
function places(): Place[] {
  const bffs = (readState(system.dir)?.processes ?? []).filter(({ name }) => kindOf(name) === "bff");
  return [
    { http: system.edge, grpc: system.edge },
    ...bffs.map(({ address, grpcAddress = "" }) => ({ http: address, grpc: grpcAddress.replace("grpc:", "http:") })),
  ];
}

/** Holds what every relay needs to number a fact, so that nothing is folded, projected or published meanwhile. */
async function whileRelaysStand(meanwhile: () => Promise<void>): Promise<void> {
  const connection = await mysql.createConnection({ uri: system.instance.servers.mysqlUrl });
  try {
    await connection.query("START TRANSACTION");
    for (const noun of ["graph", "post", "like", "comment"]) {
      await connection.query(`SELECT shard FROM skein_${noun}.relay FOR UPDATE`);
    }
    await meanwhile();
  } finally {
    await connection.end();
  }
}

/** Likes, comments and follows, carrying what was answered on to the next; answers what the last one said. */
async function write(more: Record<string, string> = {}): Promise<Response> {
  const liked = await ask("PUT", `/v1/posts/${post}/like`, more);
  const carried = { ...more, "consistency-token": liked.headers.get("consistency-token") ?? "" };
  const said = await ask("POST", `/v1/posts/${post}/comments`, carried, { text: "seen" });
  carried["consistency-token"] = said.headers.get("consistency-token") ?? "";
  const followed = await ask("PUT", `/v1/users/${author.id}/follow`, carried);
  assert.deepEqual([liked.status, said.status, followed.status], [200, 201, 200]);
  return followed;
}

test("what was written is read at every door with its token, though no relay moves; without it, it is older", {
  timeout: 60_000,
}, async () => {
  let token = "";
  await whileRelaysStand(async () => {
    const answer = await write({ "sec-fetch-site": "same-origin" });
    token = answer.headers.get("consistency-token") ?? "";
    assert.deepEqual(await asked({}), [1, 1, 1], "nobody else sees it yet");
    assert.deepEqual(await asked({ "consistency-token": token }), [2, 2, 2]);
    const again = (await write()).headers.get("consistency-token") ?? "";
    assert.deepEqual(await asked({ "consistency-token": again }), [2, 3, 2], "what was done already is named, too");
    token = again;
    const [cookie = ""] = answer.headers.getSetCookie();
    assert.match(cookie, /^skein-consistency=[\w-]+; Path=\/; Max-Age=60; HttpOnly; SameSite=Lax$/);
    assert.deepEqual(await asked({ cookie: `theme=dark; ${cookie.split(";")[0]}` }), [2, 3, 2]);
    const due = { likes: 2, comments: 3, followers: 2 };
    const ways = places().flatMap((place) => Object.entries(protocols).map(([name, open]) => ({ name, place, open })));
    const answers = await Promise.all(ways.map(({ place, open }) => askedBy(open(place), token)));
    for (const [nth, { name, place }] of ways.entries()) {
      assert.deepEqual(answers[nth], [due, due, due], `${name} at ${place.http}`);
    }
  });
  await until("everybody sees it", async () => String(await asked({})) === String([2, 3, 2]));
  const feed = () => ask("GET", "/v1/feed", { "consistency-token": token });
  await until("feeds need no truth for it", async () => (await feed()).headers.get("skein-degraded") === null);
  const { items } = (await (await feed()).json()) as FeedPage;
  assert.equal(items.find((item) => item.post.id === post)?.post.likeCount, 2);
});

test("each protocol answers a write with the token", { timeout: 30_000 }, async () => {
  for (const [name, open] of Object.entries(protocols)) {
    let token: string | null = null;
    const options = {
      headers: { authorization: `Bearer ${fan.token}` },
      onHeader: (headers: Headers) => {
        token = headers.get("consistency-token");
      },
    };
    const likes = createClient(LikeService, open({ http: system.edge, grpc: system.edge }));
    await likes.unlikePost({ post }, options);
    assert.match(String(token), /^[\w-]{24,}$/, name);
    await likes.likePost({ post }, options);
  }
});

test("a reader who saw a new post finds it again, whichever replica answers", { timeout: 30_000 }, async () => {
  await whileRelaysStand(async () => {
    const answer = await fetch(`${system.edge}/v1/posts`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${author.token}`,
        "content-type": "application/json",
        "idempotency-key": randomUUID(),
      },
      body: JSON.stringify({ text: "new" }),
    });
    const { id } = (await answer.json()) as ShownPost;
    const headers = { "consistency-token": answer.headers.get("consistency-token") ?? "" };
    for (let nth = 0; nth < 4; nth++) {
      const { items } = (await (await ask("GET", "/v1/feed", headers)).json()) as FeedPage;
      assert.equal(items[0]?.post.id, id);
    }
  });
});
