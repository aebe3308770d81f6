import {
  FeedItemSchema,
  type FeedReason,
  FeedReasonSchema,
  ListHomeFeedResponseSchema,
} from "#gen/skein/api/v1/feed_pb.ts";
import { GetPostResponseSchema, ListUserPostsResponseSchema } from "#gen/skein/api/v1/post_pb.ts";
import {
  AudienceSchema,
  PostSchema,
  PostViewerStateSchema,
  ReactionCountsSchema,
  ReactionKindSchema,
} from "#gen/skein/api/v1/resources_pb.ts";
import type { Reaction, ReactionCount } from "#gen/skein/like/v1/like_pb.ts";
import { type Rendered, rendered } from "../door/rendered.ts";
import { type Bytes, bytesUpTo, tagOf, varintBytes } from "./bytes.ts";
import {
  type AuthorPiece,
  binaryOfAuthor,
  binaryOfPost,
  jsonOfAuthor,
  jsonOfPost,
  jsonTailOfPost,
  type PostPiece,
} from "./piece.ts";
import { binaryOfQuote, jsonOfQuote, type ShownQuote } from "./quote.ts";

/** What stands beside a post's content: as thin items carry it. */
export type Reactions = {
  readonly likeCount: bigint;
  readonly commentCount: bigint;
  readonly liked: boolean;
  readonly otherReactions: readonly Pick<ReactionCount, "reaction" | "count">[];
  readonly viewerReaction: Reaction;
  /** The viewer keeps it. */
  readonly saved: boolean;
};

/** A post as one viewer sees it: pieces that others see too, and what is of this moment. */
export type ShownPost = {
  readonly post: PostPiece;
  readonly author: AuthorPiece;
  readonly reactions: Reactions;
  /** Where it quotes a post. */
  readonly quote?: ShownQuote;
};
/** A post of a home feed, and why it is there. */
export type ShownItem = ShownPost & { readonly activityId: string; readonly reason: FeedReason };

type Viewer = string | undefined;

/** Beside its pieces an item has ids, counts and words of ours: less than this, in either form. */
const itemBytesMax = 720;
/** Beside its items a page has the names of its fields. */
const pageBytesMax = 64;

/** A page of a home feed. */
export function homePage(items: readonly ShownItem[], nextPageToken: string, viewer: Viewer): Rendered {
  const { items: list, nextPageToken: token } = ListHomeFeedResponseSchema.field;
  return rendered({
    json: () =>
      jsonList(list.jsonName, items, nextPageToken, (to, item) => {
        const { activityId, reason } = item;
        to.ascii(`{"activityId":"${activityId}","reason":${nameOf(FeedReasonSchema, reason)},"post":`);
        jsonPost(to, item, viewer);
        to.ascii("}");
      }),
    binary: () =>
      binaryList(items, nextPageToken, token.number, (to, item) => {
        const { activityId, reason } = item;
        const postBytes = postSize(item, viewer);
        const head = 2 + activityId.length + (reason === 0 ? 0 : 1 + varintBytes(reason));
        lengthOf(to, list, head + 1 + varintBytes(postBytes) + postBytes);
        lengthOf(to, itemFields.activityId, activityId.length);
        to.ascii(activityId);
        number(to, itemFields.reason, reason);
        lengthOf(to, itemFields.post, postBytes);
        binaryPost(to, item, viewer);
      }),
  });
}

/** A page of posts, with the one that is pinned above them. A tag's page is written the same way: its fields are the same. */
export function postsPage(
  posts: readonly ShownPost[],
  nextPageToken: string,
  viewer: Viewer,
  pinned?: ShownPost,
): Rendered {
  const { posts: list, nextPageToken: token, pinnedPost } = ListUserPostsResponseSchema.field;
  const write = (to: Bytes, field: { readonly number: number }, post: ShownPost) => {
    lengthOf(to, field, postSize(post, viewer));
    binaryPost(to, post, viewer);
  };
  const page = () => binaryList(posts, nextPageToken, token.number, (to, post) => write(to, list, post));
  return rendered({
    json() {
      const all = jsonList(list.jsonName, posts, nextPageToken, (to, post) => jsonPost(to, post, viewer));
      if (pinned === undefined) return all;
      const field = Buffer.from(`,"${pinnedPost.jsonName}":`);
      return Buffer.concat([all.subarray(0, -1), field, onePost(pinned, viewer).json(), Buffer.from("}")]);
    },
    binary: () =>
      pinned === undefined
        ? page()
        : Buffer.concat([page(), binaryList([pinned], "", 0, (to, post) => write(to, pinnedPost, post))]),
  });
}

/** One post; CreatePost answers it in the same place as GetPost. */
export function onePost(post: ShownPost, viewer: Viewer): Rendered {
  return rendered({
    json() {
      const to = bytesUpTo(itemBytesMax + jsonSize(post));
      jsonPost(to, post, viewer);
      return to.done();
    },
    binary: () =>
      binaryList([post], "", 0, (to) => {
        lengthOf(to, GetPostResponseSchema.field.post, postSize(post, viewer));
        binaryPost(to, post, viewer);
      }),
  });
}

function jsonList<P extends ShownPost>(
  name: string,
  items: readonly P[],
  nextPageToken: string,
  write: (to: Bytes, item: P) => void,
): Buffer {
  const token = JSON.stringify(nextPageToken);
  let bytesMax = pageBytesMax + token.length;
  for (const item of items) bytesMax += itemBytesMax + jsonSize(item);
  const to = bytesUpTo(bytesMax);
  to.ascii(`{"${name}":[`);
  for (let nth = 0; nth < items.length; nth++) {
    if (nth > 0) to.ascii(",");
    write(to, items[nth] as P);
  }
  to.ascii(`],"nextPageToken":${token}}`);
  return to.done();
}

/** What its pieces take of an item's JSON. */
const jsonSize = ({ post, author, quote }: ShownPost): number =>
  jsonOfAuthor(author).length + jsonOfPost(post).length + jsonTailOfPost(post).length + jsonOfQuote(quote).length;

function jsonPost(to: Bytes, { post, author, reactions, quote }: ShownPost, viewer: Viewer): void {
  const { id, version, content } = post;
  to.ascii(`{"id":"${id}","version":${version},"author":`);
  to.raw(jsonOfAuthor(author));
  to.raw(jsonOfPost(post));
  const { likeCount, commentCount, liked, viewerReaction, otherReactions, saved } = reactions;
  const reacted = viewerReaction === 0 ? "" : `,"reaction":${nameOf(ReactionKindSchema, viewerReaction)}`;
  const own = saved ? `${reacted},"saved":true` : reacted;
  const state = viewer === undefined ? "" : `"viewer":{"own":${content.authorId === viewer},"liked":${liked}${own}},`;
  to.ascii(
    `${likeCount},"commentCount":${commentCount},${state}"audience":${nameOf(AudienceSchema, content.audience)}`,
  );
  to.raw(jsonTailOfPost(post));
  if (quote !== undefined) to.raw(jsonOfQuote(quote));
  to.ascii(otherReactions.length === 0 ? "}" : `,"reactions":{${jsonCounts(reactions)}}}`);
}

const kinds = ReactionCountsSchema.fields;

/** Counts by kind: the numbers of the fields are those of the kinds. */
export function countsByKind({ likeCount, otherReactions }: Pick<Reactions, "likeCount" | "otherReactions">): number[] {
  const counts: number[] = kinds.map(() => 0);
  counts[0] = Number(likeCount);
  for (const { reaction, count } of otherReactions) {
    if (reaction <= kinds.length) counts[reaction - 1] = Number(count);
  }
  return counts;
}

const jsonCounts = (reactions: Reactions): string =>
  countsByKind(reactions)
    .map((count, nth) => `"${kinds[nth]?.jsonName}":${count}`)
    .join(",");

/** Of a message: tag, length and counts; nothing where there are none but likes. */
const countsSize = (reactions: Reactions): number =>
  countsByKind(reactions).reduce((sum, count) => sum + numberSize(count), 0);

function binaryCounts(to: Bytes, reactions: Reactions): void {
  if (reactions.otherReactions.length === 0) return;
  lengthOf(to, postFields.reactions, countsSize(reactions));
  for (const [nth, count] of countsByKind(reactions).entries()) number(to, { number: nth + 1 }, count);
}

/** A value of an enum as JSON: its name, or the number that this release has none for. */
const nameOf = (
  { value }: { readonly value: Readonly<Record<number, { readonly name: string }>> },
  of: number,
): string => (value[of] === undefined ? String(of) : `"${value[of].name}"`);

function binaryList<P extends ShownPost>(
  items: readonly P[],
  nextPageToken: string,
  tokenNumber: number,
  write: (to: Bytes, item: P) => void,
): Buffer {
  let bytesMax = pageBytesMax + nextPageToken.length;
  for (const { post, author, quote } of items) {
    bytesMax += itemBytesMax + binaryOfAuthor(author).length + binaryOfPost(post).length + binaryOfQuote(quote).length;
  }
  const to = bytesUpTo(bytesMax);
  for (const item of items) write(to, item);
  if (nextPageToken !== "") {
    lengthOf(to, { number: tokenNumber }, nextPageToken.length);
    to.ascii(nextPageToken);
  }
  return to.done();
}

const itemFields = FeedItemSchema.field;
const postFields = PostSchema.field;
const stateFields = PostViewerStateSchema.field;

/** How long `binaryPost` will be: a message says its length before its fields. */
function postSize({ post, author, reactions, quote }: ShownPost, viewer: Viewer): number {
  return (
    binaryOfQuote(quote).length +
    binaryOfPost(post).length +
    binaryOfAuthor(author).length +
    numberSize(Number(reactions.likeCount)) +
    numberSize(Number(reactions.commentCount)) +
    (viewer === undefined ? 0 : 2 + stateSize(post, reactions, viewer)) +
    // The field of counts has a tag of two bytes.
    (reactions.otherReactions.length === 0 ? 0 : 3 + countsSize(reactions))
  );
}

/** Fields may come in any order; what belongs to the moment comes last. */
function binaryPost(to: Bytes, { post, author, reactions, quote }: ShownPost, viewer: Viewer): void {
  to.raw(binaryOfPost(post));
  if (quote !== undefined) to.raw(binaryOfQuote(quote));
  to.raw(binaryOfAuthor(author));
  number(to, postFields.likeCount, Number(reactions.likeCount));
  number(to, postFields.commentCount, Number(reactions.commentCount));
  binaryCounts(to, reactions);
  if (viewer === undefined) return;
  lengthOf(to, postFields.viewer, stateSize(post, reactions, viewer));
  number(to, stateFields.own, Number(post.content.authorId === viewer));
  number(to, stateFields.liked, Number(reactions.liked));
  number(to, stateFields.reaction, reactions.viewerReaction);
  number(to, stateFields.saved, Number(reactions.saved));
}

const stateSize = ({ content }: PostPiece, { liked, viewerReaction, saved }: Reactions, viewer: string): number =>
  numberSize(Number(content.authorId === viewer)) +
  numberSize(Number(liked)) +
  // Tags of two bytes.
  (viewerReaction === 0 ? 0 : 1 + numberSize(viewerReaction)) +
  (saved ? 1 + numberSize(1) : 0);

/** What is zero is not written. */
const numberSize = (value: number): number => (value === 0 ? 0 : 1 + varintBytes(value));

function number(to: Bytes, field: { readonly number: number }, value: number): void {
  if (value === 0) return;
  to.varint(tagOf(field, 0));
  to.varint(value);
}

function lengthOf(to: Bytes, field: { readonly number: number }, bytes: number): void {
  to.varint(tagOf(field, 2));
  to.varint(bytes);
}
