import assert from "node:assert/strict";
import { test } from "node:test";
import {
  create,
  type DescMessage,
  equals,
  fromBinary,
  type MessageInitShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { type FeedReason, ListHomeFeedResponseSchema } from "#gen/skein/api/v1/feed_pb.ts";
import { GetPostResponseSchema, ListUserPostsResponseSchema } from "#gen/skein/api/v1/post_pb.ts";
import {
  type Audience,
  type MediaKind,
  ReactionKind,
  type ReplyRefusal,
  type ReplySetting,
  PostSchema as ShownPostSchema,
} from "#gen/skein/api/v1/resources_pb.ts";
import type { ReplyRefusal as SentReplyRefusal } from "#gen/skein/comment/v1/comment_pb.ts";
import type { Reaction } from "#gen/skein/like/v1/like_pb.ts";
import type { Kind, LinkPreview, Media } from "#gen/skein/media/v1/media_pb.ts";
import type { PostContentSchema, PostPoll } from "#gen/skein/post/v1/content_pb.ts";
import { PollStateSchema } from "#gen/skein/post/v1/poll_pb.ts";
import {
  PostSchema,
  type Audience as SentAudience,
  type ReplySetting as SentReplySetting,
} from "#gen/skein/post/v1/post_pb.ts";
import type { TextRange } from "#gen/skein/text/v1/text_pb.ts";
import { UserSchema } from "#gen/skein/user/v1/user_pb.ts";
import { noReactions } from "../src/compose/posts.ts";
import { messageOf, type Rendered } from "../src/door/rendered.ts";
import { withNewer } from "../src/view/newer.ts";
import { type AuthorPiece, authorPiece, itemsMax, postPiece } from "../src/view/piece.ts";
import { shownPoll } from "../src/view/poll.ts";
import { homePage, onePost, postsPage, type Reactions, type ShownItem } from "../src/view/post.ts";

const viewerId = "7";
/** Quotes, escapes, controls, separators, surrogate pairs: all that a text may hold, and what a text is mostly made of. */
const texts = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 300 }),
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.constantFrom("", '"\\/\b\f\n\r\t\u0000\u001f', "\u2028\u2029", "🧶👩‍👩‍👧", "ñ猫", "a".repeat(20_000)),
);
const ids = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String);
const versions = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n });
const counts = fc.oneof(fc.constant(0n), fc.constantFrom(1n, 127n, 128n, 16_384n), versions);

const oneMedia = fc.record({
  id: ids,
  kind: fc.integer({ min: 0, max: 6 }) as fc.Arbitrary<Kind>,
  alt: texts,
  width: fc.nat(12_000),
  height: fc.nat(12_000),
  durationMs: fc.nat(600_000),
  blurhash: fc.string({ maxLength: 28 }),
  handle: fc.constant("x7Gp_kQ2Zb5nV0aLr3-Twy"),
  variants: fc.array(
    fc.record({ name: fc.constantFrom("320.jpg", "full.webp"), width: fc.nat(4_096), height: fc.nat(4_096) }),
    { maxLength: 3 },
  ),
});
const media = fc.array(oneMedia, { maxLength: 10 });
const poll = fc.record({
  options: fc.array(texts, { minLength: 2, maxLength: 10 }),
  durationSeconds: fc.nat(2_592_000),
  multiple: fc.boolean(),
});
const pollState = fc.record({
  ended: fc.boolean(),
  voterCount: fc.nat(2 ** 31),
  voteCounts: fc.array(fc.nat(2 ** 31), { maxLength: 10 }),
  ownOptions: fc.array(fc.nat(9), { maxLength: 10 }),
});
const linkPreview = fc.record({
  url: fc.webUrl(),
  title: texts,
  description: texts,
  siteName: texts,
  image: fc.option(oneMedia, { nil: undefined }),
});
const places = fc.nat({ max: 20_000 });
const ranges = fc.record({ byteStart: places, byteEnd: places, start: places, end: places });
/** What a post may hold beside its text; mostly nothing. */
const contents = fc.option(
  fc.record({
    facets: fc.option(
      fc.record({
        mentions: fc.array(fc.record({ range: ranges, userId: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }) }), {
          maxLength: 2,
        }),
        hashtags: fc.array(fc.record({ range: ranges, tag: texts }), { maxLength: 2 }),
        links: fc.array(fc.record({ range: ranges, url: fc.webUrl() }), { maxLength: 2 }),
      }),
      { nil: undefined },
    ),
    contentWarning: texts,
    language: fc.constantFrom("", "de-AT"),
    media,
    linkPreview: fc.option(linkPreview, { nil: undefined }),
    poll: fc.option(poll, { nil: undefined }),
  }),
  { nil: undefined, freq: 2 },
);

type State = { ended: boolean; voterCount: number; voteCounts: number[]; ownOptions: number[] } | undefined;
/** What is known of a poll stands beside its bytes. */
type Item = ShownItem & { readonly pollState?: State };

const items: fc.Arbitrary<Item> = fc
  .record({
    post: fc.record({
      id: ids,
      version: versions,
      authorId: fc.oneof(fc.constant(viewerId), ids),
      text: texts,
      audience: fc.integer({ min: 0, max: 7 }) as fc.Arbitrary<SentAudience>,
      timeMs: fc.option(fc.integer({ min: -1, max: 4e12 })),
      content: contents,
      editMs: fc.option(fc.integer({ min: 0, max: 4e12 })),
      replySetting: fc.integer({ min: 0, max: 5 }) as fc.Arbitrary<SentReplySetting>,
    }),
    author: fc.record({ id: ids, version: versions, username: texts, displayName: texts }),
    reactions: fc.record({
      likeCount: counts,
      commentCount: counts,
      liked: fc.boolean(),
      otherReactions: fc.uniqueArray(
        fc.record({ reaction: fc.integer({ min: 2, max: 12 }) as fc.Arbitrary<Reaction>, count: counts }),
        { selector: ({ reaction }) => reaction, maxLength: 10 },
      ),
      viewerReaction: fc.integer({ min: 0, max: 12 }) as fc.Arbitrary<Reaction>,
      saved: fc.boolean(),
      reposted: fc.boolean(),
      replyRefusal: fc.integer({ min: 0, max: 5 }) as fc.Arbitrary<SentReplyRefusal>,
      repostCount: counts,
      quoteCount: counts,
      saveCount: counts,
    }),
    quote: fc.option(fc.boolean(), { nil: undefined, freq: 2 }),
    byAuthor: fc.boolean(),
    state: fc.option(pollState, { nil: undefined }),
    activityId: ids,
    reason: fc.integer({ min: 0, max: 3 }) as fc.Arbitrary<FeedReason>,
  })
  .filter(({ author }) => author.username.length + author.displayName.length < 5_000)
  .map(({ post: { timeMs, editMs, content, ...post }, author, quote, ...rest }) => ({
    ...rest,
    quote,
    post: postPiece(
      create(PostSchema, {
        ...post,
        ...(timeMs !== null && { createTime: timestampFromMs(timeMs) }),
        ...(editMs !== null && { editTime: timestampFromMs(editMs) }),
        ...(content && {
          content: { ...content, ...(content.facets && { facets: content.facets }) } as MessageInitShape<
            typeof PostContentSchema
          >,
        }),
      }),
    ),
    author: authorPiece(create(UserSchema, author)),
  }))
  // What is quoted is as good as any other post; an empty slot is a form of its own.
  .map(({ quote, byAuthor, state, ...item }) => ({
    ...item,
    ...(item.post.content.content?.poll && {
      poll: shownPoll(item.post, state && create(PollStateSchema, state)),
      pollState: state,
    }),
    ...(byAuthor && { repostedBy: item.author }),
    ...(quote !== undefined && { quote: { of: quote ? { post: item.post, author: item.author } : undefined } }),
  }));
const viewers = fc.constantFrom(undefined, viewerId);

/** A post as the contract has it, field by field. */
function viewOf({ post, author, reactions, quote, pollState }: Item, viewer: string | undefined) {
  const { id, version, text, audience, authorId, createTime, editTime, content, replySetting } = post.content;
  const { facets, contentWarning = "", language = "" } = content ?? {};
  const beside = {
    ...(createTime && { createTime }),
    ...(facets && {
      facets: {
        mentions: facets.mentions.map(({ range, userId }) => ({ range: { ...plain(range) }, userId: String(userId) })),
        hashtags: facets.hashtags.map(({ range, tag }) => ({ range: { ...plain(range) }, tag })),
        links: facets.links.map(({ range, url }) => ({ range: { ...plain(range) }, url })),
      },
    }),
    ...(contentWarning !== "" && { contentWarning }),
    ...(language !== "" && { language }),
    ...(content !== undefined && content.media.length > 0 && { media: { items: content.media.map(shownMedia) } }),
    ...(editTime && { editTime }),
    ...(content?.linkPreview && { linkPreview: shownPreview(content.linkPreview) }),
  };
  const said = {
    id,
    version: Number(version),
    author: { id: author.content.id, username: author.content.username, displayName: author.content.displayName },
    text,
    audience: audience as number as Audience,
    ...beside,
  };
  return {
    ...said,
    ...(content?.poll && { poll: pollOf(content.poll, createTime, pollState) }),
    ...(quote && { quote: quote.of ? { post: said } : {} }),
    likeCount: Number(reactions.likeCount),
    commentCount: Number(reactions.commentCount),
    ...(replySetting !== 0 && { replySetting: replySetting as number as ReplySetting }),
    ...(viewer !== undefined && {
      viewer: {
        own: authorId === viewer,
        liked: reactions.liked,
        ...(reactions.viewerReaction !== 0 && { reaction: reactions.viewerReaction as number as ReactionKind }),
        ...(reactions.saved && { saved: true }),
        ...(reactions.reposted && { reposted: true }),
        ...(reactions.replyRefusal !== 0 && { replyRefusal: reactions.replyRefusal as number as ReplyRefusal }),
      },
    }),
    ...(reactions.otherReactions.length > 0 && { reactions: countsOf(reactions) }),
    ...(reactions.repostCount > 0n && { repostCount: Number(reactions.repostCount) }),
    ...(reactions.quoteCount > 0n && { quoteCount: Number(reactions.quoteCount) }),
    ...(reactions.saveCount > 0n && { saveCount: Number(reactions.saveCount) }),
  };
}

const pollOf = ({ options, durationSeconds, multiple }: PostPoll, createTime: Timestamp | undefined, state: State) => ({
  options: options.map((text, nth) => ({
    text,
    ...(nth < (state?.voteCounts.length ?? 0) && { voteCount: state?.voteCounts[nth] ?? 0 }),
  })),
  multiple,
  ...(createTime && { endTime: timestampFromMs(timestampMs(createTime) + durationSeconds * 1_000) }),
  ended: state?.ended ?? false,
  ...(state && { voterCount: state.voterCount }),
  chosen: state?.ownOptions ?? [],
});

const shownPreview = ({ url, title, description, siteName, image }: LinkPreview) => ({
  url,
  title,
  description,
  siteName,
  ...(image && { image: shownMedia(image) }),
});

const shownMedia = ({ kind, handle, variants, ...same }: Media) => ({
  id: same.id,
  kind: kind as number as MediaKind,
  alt: same.alt,
  width: same.width,
  height: same.height,
  durationMs: same.durationMs,
  blurhash: same.blurhash,
  variants: variants.map(({ name, width, height }) => ({ url: `/media/${handle}/${name}`, width, height })),
});

function plain(range: TextRange | undefined) {
  const { byteStart = 0, byteEnd = 0, start = 0, end = 0 } = range ?? {};
  return { byteStart, byteEnd, start, end };
}

/** Counts by the names of their kinds; a kind that this release has no name for is left out. */
function countsOf({ likeCount, otherReactions }: ShownItem["reactions"]) {
  const named = otherReactions.flatMap(({ reaction, count }) => {
    const name = Object.entries(ReactionKind)
      .find(([, kind]) => kind === (reaction as number))?.[0]
      .toLowerCase();
    return name === undefined ? [] : [[name, Number(count)] as const];
  });
  return { like: Number(likeCount), ...Object.fromEntries(named) };
}

/** Holds every form to what protobuf-es writes of the same message. */
function same<D extends DescMessage>(desc: D, shown: Rendered, init: MessageInitShape<D>, json?: unknown): void {
  const message = create(desc, init);
  const due = json ?? toJson(desc, message, { alwaysEmitImplicit: true });
  assert.equal(shown.json().toString(), JSON.stringify(due));
  assert.ok(equals(desc, fromBinary(desc, shown.binary()), message));
  const passedOn = toBinary(desc, messageOf(desc, shown, false));
  assert.deepEqual(Buffer.from(passedOn), shown.binary());
  assert.ok(equals(desc, messageOf(desc, shown, true), message));
}

test("a page put together from bytes says what the message says, byte for byte as JSON, field for field as protobuf", () => {
  const tokens = fc.constantFrom("", "next_page-token");
  fc.assert(
    fc.property(fc.array(items, { maxLength: 5 }), tokens, viewers, (shown, nextPageToken, viewer) => {
      const list = shown.map((item) => ({
        activityId: item.activityId,
        reason: item.reason,
        post: viewOf(item, viewer),
        ...(item.repostedBy && { repostedBy: viewOf(item, viewer).author }),
      }));
      // Twice: the first time makes the pieces' bytes, the second takes them.
      for (let again = 0; again < 2; again++) {
        const page = homePage(shown, nextPageToken, viewer);
        same(ListHomeFeedResponseSchema, withNewer(page, ""), { items: list, nextPageToken });
        // A page above a place goes on below, always.
        const both = { nextPageToken: "below", newerPageToken: "above" };
        same(ListHomeFeedResponseSchema, withNewer(homePage(shown, both.nextPageToken, viewer), both.newerPageToken), {
          items: list,
          ...both,
        });
        const posts = list.map(({ post, repostedBy }) => ({ ...post, ...(repostedBy && { repostedBy }) }));
        same(ListUserPostsResponseSchema, postsPage(shown, nextPageToken, viewer), { posts, nextPageToken });
      }
    }),
  );
});

test("an item that was written for others is written again for whom something else is said, or who wrote it", () => {
  const say = (text: string) => authorPiece(create(UserSchema, { id: "7", version: 1n, username: text }));
  const post = postPiece(create(PostSchema, { id: "1", version: 1n, authorId: "7", text: "a post", audience: 1 }));
  const said = (likeCount: bigint) => ({ ...noReactions, likeCount });
  const [few, many] = [said(1n), said(2n)];
  const [author, renamed] = [say("anna"), say("anne")];
  const shown = (reactions: Reactions, by: AuthorPiece, viewer?: string) => {
    const item = { activityId: "5", reason: 1 as FeedReason, post, author: by, reactions };
    const page = JSON.parse(homePage([item], "", viewer).json().toString());
    const { likeCount, author: shownAuthor, viewer: state } = page.items[0].post;
    return [likeCount, shownAuthor.username, state?.own];
  };
  for (let again = 0; again < 2; again++) {
    assert.deepEqual(shown(few, author, "8"), [1, "anna", false]);
    assert.deepEqual(shown(few, author, "7"), [1, "anna", true]);
    assert.deepEqual(shown(few, author), [1, "anna", undefined]);
    assert.deepEqual(shown(many, author, "8"), [2, "anna", false]);
    assert.deepEqual(shown(many, renamed, "9"), [2, "anne", false]);
    assert.deepEqual(shown(few, author, "9"), [1, "anna", false]);
  }
  assert.equal(post.items.length, itemsMax);
});

test("one post is answered by the same bytes", () => {
  fc.assert(
    fc.property(items, viewers, (item, viewer) => {
      const post = viewOf(item, viewer);
      const json = toJson(ShownPostSchema, create(ShownPostSchema, post), { alwaysEmitImplicit: true });
      same(GetPostResponseSchema, onePost(item, viewer), { post }, json);
    }),
  );
});

test("what a piece says it takes of memory is more than its bytes", () => {
  fc.assert(
    fc.property(items, (item) => {
      onePost(item, undefined).json();
      onePost(item, undefined).binary();
      for (const piece of [item.post, item.author]) {
        const tailBytes = "tail" in piece && piece.tail ? piece.tail.length : 0;
        assert.ok(piece.sizeBytes > (piece.json?.length ?? 0) + (piece.binary?.length ?? 0) + tailBytes);
      }
    }),
  );
});
