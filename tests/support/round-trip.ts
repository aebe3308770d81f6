import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { DescMethodUnary, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { AuthService } from "#gen/skein/api/v1/auth_pb.ts";
import { CommentService } from "#gen/skein/api/v1/comment_pb.ts";
import { FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { ListService } from "#gen/skein/api/v1/list_pb.ts";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { UserService } from "#gen/skein/api/v1/user_pb.ts";
import { scripts } from "#lib/harness/texts.ts";
import type { Door } from "./outcome.ts";

/** What a comment may hold; a post may hold more. */
const commentBytesMax = 9_000;

/** Texts of all kinds, twins that only their composition tells apart, marks and controls alone, and the longest there may be. */
const texts: readonly string[] = [
  ...scripts,
  "twin \u00e9",
  "twin e\u0301",
  "\u0301\u0308 marks with nothing below",
  "\u200f\u202b\u2066 turned \u2069\u202c\u200e",
  "\u0001\u001f\u007f\u0085 controls",
  '{"text":"\\u0000","a":[1,null]}\u2028\u2029</script>',
  "🧶".repeat(5_000),
];

type Shown = {
  readonly id: string;
  readonly text: string;
  readonly quote?: { readonly post?: { readonly text: string } };
};

/** One person's calls at some door, each of which must be answered. */
const asking =
  (token?: string) =>
  async ({ name, call }: Door, method: DescMethodUnary, request: JsonObject): Promise<JsonObject> => {
    const outcome = await call(method, request, { token, key: randomUUID() });
    assert.ok(outcome.ok, `${method.name} by ${name}: ${JSON.stringify(outcome)}`);
    return outcome.message;
  };

async function register(door: Door) {
  const username = `t${randomUUID().replaceAll("-", "").slice(0, 16)}`;
  const { accessToken, user } = await asking()(door, AuthService.method.register, {
    username,
    password: "correct horse battery",
  });
  return { username, id: (user as JsonObject).id as string, ask: asking(accessToken as string) };
}

/** Every page of a list. */
async function whole(
  ask: Awaited<ReturnType<typeof register>>["ask"],
  door: Door,
  method: DescMethodUnary,
  request: JsonObject,
): Promise<JsonObject[]> {
  const pages: JsonObject[] = [];
  for (let pageToken: JsonValue = ""; ; ) {
    const page = await ask(door, method, { ...request, pageSize: 100, ...(pageToken && { pageToken }) });
    pages.push(page);
    pageToken = page.nextPageToken ?? "";
    if (pageToken === "") return pages;
  }
}

const postsIn = (pages: readonly JsonObject[]): Shown[] =>
  pages.flatMap(({ posts, items }) =>
    posts === undefined ? (items as { post: Shown }[]).map(({ post }) => post) : (posts as Shown[]),
  );

/**
 * Writes every text at every door, as posts; and, each at one of them, as the text of a quote with a tag, as a version and as
 * a comment. Then reads all of it at every door, wherever it is shown, and holds it to what was written.
 */
export async function roundTrip(doors: readonly [Door, ...Door[]]): Promise<void> {
  const [author, reader] = [await register(doors[0]), await register(doors[0])];
  const doorAt = (nth: number) => doors[nth % doors.length] as Door;
  const { id: list } = (await reader.ask(doors[0], ListService.method.createList, { name: "texts" })).list as Shown;
  await reader.ask(doors[0], ListService.method.addListMember, { list, user: author.id });
  await reader.ask(doors[0], UserService.method.followUser, { user: author.id });

  const create = async (door: Door, request: JsonObject) =>
    (await author.ask(door, PostService.method.createPost, request)).post as Shown;
  const due = new Map<string, string>();
  const quoted = new Map<string, string>();
  const tag = `t${randomUUID().replaceAll("-", "")}`;
  const edited = await create(doors[0], { text: "the first version" });
  const versions = [edited.text];
  const comments: Shown[] = [];
  const write = async (text: string, nth: number) => {
    const made = await Promise.all(doors.map((door) => create(door, { text })));
    for (const { id } of made) due.set(id, text);
    const isLong = Buffer.byteLength(text) > commentBytesMax;
    const words = `#${tag} ${isLong ? "and a long one" : text}`;
    const quote = await create(doorAt(nth), { text: words, quotedPostId: made[0]?.id ?? "" });
    due.set(quote.id, words);
    quoted.set(quote.id, text);
    if (isLong) return;
    const asked = { post: edited.id, text };
    const { comment } = await author.ask(doorAt(nth + 2), CommentService.method.createComment, asked);
    comments.push({ ...(comment as Shown), text });
  };
  const edit = async () => {
    for (const [nth, text] of texts.entries()) {
      await author.ask(doorAt(nth + 1), PostService.method.editPost, { post: edited.id, text });
      versions.unshift(text);
    }
  };
  await Promise.all([edit(), ...texts.map(write)]);
  due.set(edited.id, versions[0] ?? "");

  const isNewer = (a: string, b: string) => (BigInt(a) > BigInt(b) ? -1 : 1);
  const newestFirst = [...due].sort(([a], [b]) => isNewer(a, b));
  comments.sort((a, b) => isNewer(a.id, b.id));
  const readAll = async (door: Door, at: number) => {
    const read = async (method: DescMethodUnary, request: JsonObject, posts = newestFirst) => {
      const shown = postsIn(await whole(reader.ask, door, method, request));
      const what = `${method.name} by ${door.name}`;
      assert.deepEqual(
        shown.map(({ id, text }) => [id, text]),
        posts,
        what,
      );
      const slots = shown.filter(({ id }) => quoted.has(id));
      for (const { id, quote } of slots) assert.equal(quote?.post?.text, quoted.get(id), `a quote in ${what}`);
    };
    await read(FeedService.method.listHomeFeed, {});
    await read(PostService.method.listUserPosts, { user: author.username });
    await read(FeedService.method.listListFeed, { list });
    await read(
      PostService.method.listTagPosts,
      { tag },
      newestFirst.filter(([id]) => quoted.has(id)),
    );
    const own = newestFirst.filter((_, nth) => nth % doors.length === at);
    for (const [id, text] of own) {
      const { post } = await reader.ask(door, PostService.method.getPost, { post: id });
      assert.equal((post as Shown).text, text, `GetPost by ${door.name}`);
    }
    const said = await whole(reader.ask, door, PostService.method.listPostVersions, { post: edited.id });
    assert.deepEqual(
      said.flatMap((page) => (page.versions as Shown[]).map(({ text }) => text)),
      versions,
      door.name,
    );
    const under = await whole(reader.ask, door, CommentService.method.listComments, { post: edited.id });
    assert.deepEqual(
      under.flatMap((page) => (page.comments as Shown[]).map(({ text }) => text)),
      comments.map(({ text }) => text),
      door.name,
    );
  };
  await Promise.all(doors.map(readAll));
}
