import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import type { DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import { AuthService } from "#gen/skein/api/v1/auth_pb.ts";
import { CommentService } from "#gen/skein/api/v1/comment_pb.ts";
import { FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { LikeService } from "#gen/skein/api/v1/like_pb.ts";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { UserService } from "#gen/skein/api/v1/user_pb.ts";
import { openBufDoors, openDoors } from "./support/doors.ts";
import type { Door, Head, Outcome } from "./support/outcome.ts";
import { roundTrip } from "./support/round-trip.ts";
import { type System, startSystem } from "./support/system.ts";

const names = [...openDoors("http://127.0.0.1:9"), ...openBufDoors("http://127.0.0.1:9")].map(({ name }) => name);
const password = "correct horse battery";
const { register, logIn } = AuthService.method;
const { getUser, followUser, unfollowUser, listFollowers } = UserService.method;
const { createPost, getPost, deletePost, listUserPosts } = PostService.method;
const { likePost, unlikePost, listPostLikes } = LikeService.method;
const { createComment, listComments, deleteComment } = CommentService.method;
const { listHomeFeed } = FeedService.method;

let system: System;
let doors: Map<string, Door>;
before(async () => {
  system = await startSystem();
  doors = new Map([...openDoors(system.edge), ...openBufDoors(system.edge)].map((door) => [door.name, door]));
});
after(async () => {
  for (const door of doors?.values() ?? []) door.close();
  await system?.stop();
});

type Shown = JsonObject & { id: string; text: string };

/** The story, written once: everything a client does, and what it must be refused. */
async function story({ call }: Door): Promise<void> {
  const fine = async (method: DescMethodUnary, request: JsonObject, head: Head = {}): Promise<JsonObject> => {
    const outcome = await call(method, request, head);
    assert.ok(outcome.ok, `${method.name}: ${JSON.stringify(outcome)}`);
    return outcome.message;
  };
  const refusedAs = async (method: DescMethodUnary, request: JsonObject, head: Head, due: Partial<Outcome>) => {
    const outcome = (await call(method, request, head)) as Record<string, unknown>;
    for (const [name, value] of Object.entries(due)) {
      if (name === "code" && outcome.code === undefined) continue;
      assert.deepEqual(outcome[name], value, `${method.name}: ${JSON.stringify(outcome)}`);
    }
  };
  const person = async () => {
    const username = `u${randomUUID().replaceAll("-", "").slice(0, 16)}`;
    const { accessToken, user } = await fine(register, { username, password });
    return { username, token: accessToken as string, id: (user as Shown).id };
  };

  const [ada, bob] = [await person(), await person()];
  const again = await fine(logIn, { username: ada.username, password });
  assert.equal((again.user as Shown).id, ada.id);
  const taken = { username: ada.username, password: "another horse" };
  await refusedAs(register, taken, {}, { code: "AlreadyExists", status: 409, reason: "handle-taken" });
  await refusedAs(logIn, taken, {}, { code: "Unauthenticated", reason: "invalid-credentials" });

  assert.deepEqual(await fine(followUser, { user: ada.username }, bob), {
    viewer: {
      following: true,
      followedBy: false,
      requested: false,
      requestedBy: false,
      blocking: false,
      muting: false,
      closeFriend: false,
    },
  });
  const head = { token: ada.token, key: randomUUID() };
  const text = "Hello 🧶 Привет שלום";
  const first = await call(createPost, { text }, head);
  const repeat = await call(createPost, { text }, head);
  assert.ok(first.ok && repeat.ok);
  assert.deepEqual([first.replayed, repeat.replayed], [false, true]);
  assert.deepEqual(repeat.message, first.message, "the same key answers the same post");
  const post = first.message.post as Shown;
  assert.equal(post.text, text);
  const reused = { code: "FailedPrecondition", status: 422, reason: "idempotency-key-reused" };
  await refusedAs(createPost, { text: "other" }, head, reused);

  const { items } = (await fine(listHomeFeed, { pageSize: 5 }, bob)) as { items: { reason: string; post: Shown }[] };
  assert.deepEqual([items[0]?.post.id, items[0]?.reason], [post.id, "FEED_REASON_FOLLOWING"]);
  const { posts } = (await fine(listUserPosts, { user: ada.id })) as { posts: Shown[] };
  assert.deepEqual(
    posts.map(({ id }) => id),
    [post.id],
  );
  const { users } = (await fine(listFollowers, { user: ada.id }, ada)) as { users: Shown[] };
  assert.deepEqual(
    users.map(({ id }) => id),
    [bob.id],
  );

  assert.deepEqual(await fine(likePost, { post: post.id }, bob), { liked: true });
  const seen = (await fine(getPost, { post: post.id }, bob)).post as JsonObject;
  assert.deepEqual(seen.viewer, { own: false, liked: true, reaction: "REACTION_KIND_LIKE" });
  assert.equal(((await fine(listPostLikes, { post: post.id })).users as Shown[])[0]?.id, bob.id);
  const said = { post: post.id, text: "well said 🧵" };
  const comment = (await fine(createComment, said, { ...bob, key: "c" })).comment as Shown;
  assert.deepEqual(
    await fine(createComment, said, { ...bob, key: "c" }),
    { comment },
    "the same key, the same comment",
  );
  const { comments } = (await fine(listComments, { post: post.id }, ada)) as { comments: Shown[] };
  assert.deepEqual(
    comments.map(({ id, text }) => [id, text]),
    [[comment.id, said.text]],
  );
  assert.deepEqual(await fine(deleteComment, { comment: comment.id }, ada), {}, "it stands under ada's post");
  await refusedAs(deleteComment, { comment: "1" }, ada, { code: "NotFound", status: 404, reason: "not-found" });
  assert.deepEqual(await fine(unlikePost, { post: post.id }, bob), { liked: false });

  await refusedAs(deletePost, { post: post.id }, bob, { code: "NotFound", status: 404, reason: "not-found" });
  assert.deepEqual(await fine(deletePost, { post: post.id }, ada), {});
  await refusedAs(getPost, { post: post.id }, ada, { code: "NotFound", reason: "not-found" });
  assert.deepEqual(((await fine(listHomeFeed, {}, bob)) as { items: unknown[] }).items, []);
  await fine(unfollowUser, { user: ada.id }, bob);

  await refusedAs(listHomeFeed, {}, {}, { code: "Unauthenticated", status: 401, reason: "unauthenticated" });
  await refusedAs(getUser, { user: ada.id }, { token: "a.b.c" }, { code: "Unauthenticated", reason: "invalid-token" });
  await refusedAs(createPost, { text }, { token: ada.token }, { status: 400, reason: "idempotency-key-missing" });
  const empty = { code: "InvalidArgument", status: 400, reason: "validation", fields: ["text"] };
  await refusedAs(createPost, { text: " " }, { ...ada, key: "k" }, empty);
  await refusedAs(listHomeFeed, { pageSize: 101 }, ada, { reason: "validation", fields: ["pageSize"] });
  await refusedAs(listHomeFeed, { pageToken: "abc" }, ada, { status: 400, reason: "invalid-cursor" });
  await refusedAs(followUser, { user: ada.id }, ada, { reason: "validation", fields: ["user"] });
}

for (const name of names) {
  test(`the story by ${name}`, { timeout: 240_000 }, async () => {
    await story(doors.get(name) as Door);
  });
}

test("every text comes back byte for byte, written at any door and read at any, wherever it is shown", {
  timeout: 240_000,
}, async () => {
  const all = ["JSON", "connect-web, Connect", "connect-node, Connect", "connect-web, gRPC-web", "grpc-js, gRPC"];
  await roundTrip(all.map((name) => doors.get(name) as Door) as [Door, ...Door[]]);
});
