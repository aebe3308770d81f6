import { toBinary } from "@bufbuild/protobuf";
import {
  FeedItemSchema,
  type FeedReason,
  FeedReasonSchema,
  ListHomeFeedResponseSchema,
} from "#gen/skein/api/v1/feed_pb.ts";
import { GetPostResponseSchema, ListUserPostsResponseSchema } from "#gen/skein/api/v1/post_pb.ts";
import {
  AudienceSchema,
  AuthorSchema,
  PostSchema,
  PostViewerStateSchema,
  ReactionCountsSchema,
  ReactionKindSchema,
  ReplyRefusalSchema,
} from "#gen/skein/api/v1/resources_pb.ts";
import type { ReplyRefusal } from "#gen/skein/comment/v1/comment_pb.ts";
import type { Reaction, ReactionCount } from "#gen/skein/like/v1/like_pb.ts";
import { type Rendered, rendered } from "../door/rendered.ts";
import { type Bytes, bytesUpTo, messageField, tagOf, varintBytes } from "./bytes.ts";
import {
  type AuthorPiece,
  binaryOfAuthor,
  binaryOfPost,
  itemsMax,
  jsonLastOfPost,
  jsonOfAuthor,
  jsonOfPost,
  jsonTailOfPost,
  type PostPiece,
} from "./piece.ts";
import { binaryOfPoll, jsonOfPoll, type ShownPoll } from "./poll.ts";
import { binaryOfQuote, jsonOfQuote, type ShownQuote } from "./quote.ts";
import { authorView } from "./user.ts";

/** What stands beside a post's content: as thin items carry it. */
export type Reactions = {
  readonly likeCount: bigint;
  readonly commentCount: bigint;
  readonly liked: boolean;
  readonly otherReactions: readonly Pick<ReactionCount, "reaction" | "count">[];
  readonly viewerReaction: Reaction;
  /** The viewer keeps it. */
  readonly saved: boolean;
  /** The viewer reposted it. */
  readonly reposted: boolean;
  /** Why the viewer may not reply; 0 where they may. */
  readonly replyRefusal: ReplyRefusal;
  readonly repostCount: bigint;
  readonly quoteCount: bigint;
  readonly saveCount: bigint;
};

/** A post as one viewer sees it: pieces that others see too, and what is of this moment. */
export type ShownPost = {
  readonly post: PostPiece;
  readonly author: AuthorPiece;
  readonly reactions: Reactions;
  /** Where it quotes a post. */
  readonly quote?: ShownQuote;
  /** Where it asks something. */
  readonly poll?: ShownPoll;
};
/** Who passed it on, where that is why it is here. */
type Reposted = { readonly repostedBy?: AuthorPiece };
/** A post of a list. */
type ListedPost = ShownPost & Reposted;
/** A post of a home feed, and why it is there. */
export type ShownItem = ListedPost & { readonly activityId: string; readonly reason: FeedReason };

type Viewer = string | undefined;

/** Beside its pieces an item has ids, counts and words of ours: less than this, in either form. */
const itemBytesMax = 920;
/** Beside its items a page has the names of its fields. */
const pageBytesMax = 64;

/** A page of a home feed. */
export function homePage(items: readonly ShownItem[], nextPageToken: string, viewer: Viewer): Rendered {
  const { items: list, nextPageToken: token } = ListHomeFeedResponseSchema.field;
  return rendered({
    json: () =>
      jsonList(list.jsonName, items, nextPageToken, (to, item) =>
        isAlike(item, viewer) ? jsonAlike(to, item, viewer) : jsonItem(to, item, viewer),
      ),
    binary: () =>
      binaryList(items, nextPageToken, token.number, (to, item) => {
        const { activityId, reason } = item;
        const postBytes = postSize(item, viewer);
        const reposter = reposterBytes(item, itemFields.repostedBy);
        const head = 2 + activityId.length + (reason === 0 ? 0 : 1 + varintBytes(reason)) + reposter.length;
        lengthOf(to, list, head + 1 + varintBytes(postBytes) + postBytes);
        to.raw(reposter);
        lengthOf(to, itemFields.activityId, activityId.length);
        to.ascii(activityId);
        number(to, itemFields.reason, reason);
        lengthOf(to, itemFields.post, postBytes);
        binaryPost(to, item, viewer);
      }),
  });
}

function jsonItem(to: Bytes, item: ShownItem, viewer: Viewer): void {
  to.ascii(`{"activityId":"${item.activityId}","reason":${nameOf(FeedReasonSchema, item.reason)},"post":`);
  jsonPost(to, item, viewer);
  if (item.repostedBy !== undefined) {
    to.ascii(`,"${itemFields.repostedBy.jsonName}":`);
    to.raw(jsonOfAuthor(item.repostedBy));
  }
  to.ascii("}");
}

/** Whether all signed-in viewers to whom feed says the same get the same item: not who wrote it, and not where a slot is each one's own. */
const isAlike = ({ post: { content: post }, repostedBy, quote, poll }: ShownItem, viewer: Viewer): boolean =>
  viewer !== undefined &&
  viewer !== post.authorId &&
  (repostedBy ?? quote ?? poll) === undefined &&
  (post.content === undefined || (post.content.quotedPostId === 0n && post.content.poll === undefined));

/** Written once: the mesh reads what feed says of a post as one message for all to whom it says the same. */
function jsonAlike(to: Bytes, item: ShownItem, viewer: Viewer): void {
  const { author, reactions: said } = item;
  const { items } = item.post;
  const known = items.find((one) => one.said === said && one.author === author);
  if (known !== undefined) {
    to.raw(known.json);
    return;
  }
  const length = to.length();
  jsonItem(to, item, viewer);
  if (items.length === itemsMax) items.shift();
  items.push({ said, author, json: to.since(length) });
}

/** A page of posts, with the one that is pinned above them. A tag's page is written the same way: its fields are the same. */
export function postsPage(
  posts: readonly ListedPost[],
  nextPageToken: string,
  viewer: Viewer,
  pinned?: ShownPost,
): Rendered {
  const { posts: list, nextPageToken: token, pinnedPost } = ListUserPostsResponseSchema.field;
  const write = (to: Bytes, field: { readonly number: number }, post: ListedPost) => {
    const reposter = reposterBytes(post, postFields.repostedBy);
    lengthOf(to, field, postSize(post, viewer) + reposter.length);
    binaryPost(to, post, viewer);
    to.raw(reposter);
  };
  const page = () => binaryList(posts, nextPageToken, token.number, (to, post) => write(to, list, post));
  return rendered({
    json() {
      const all = jsonList(list.jsonName, posts, nextPageToken, (to, post) =>
        jsonPost(to, post, viewer, post.repostedBy),
      );
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

function jsonList<P extends ListedPost>(
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

const nobody = Buffer.alloc(0);

/** Who passed a post on, as a field of its item or of itself. */
const reposterBytes = ({ repostedBy }: Reposted, field: { readonly number: number }): Buffer =>
  repostedBy === undefined ? nobody : messageField(field, toBinary(AuthorSchema, authorView(repostedBy.content)));

/** What its pieces take of an item's JSON. */
const jsonSize = ({ post, author, quote, poll, repostedBy }: ListedPost): number =>
  jsonOfAuthor(author).length +
  jsonOfPost(post).length +
  jsonTailOfPost(post).length +
  jsonLastOfPost(post).length +
  jsonOfQuote(quote).length +
  jsonOfPoll(poll).length +
  (repostedBy === undefined ? 0 : jsonOfAuthor(repostedBy).length);

/** `reposter` where the post itself says who passed it on: on an author's page. */
function jsonPost(
  to: Bytes,
  { post, author, reactions, quote, poll }: ShownPost,
  viewer: Viewer,
  reposter?: AuthorPiece,
): void {
  const { id, version, content } = post;
  to.ascii(`{"id":"${id}","version":${version},"author":`);
  to.raw(jsonOfAuthor(author));
  to.raw(jsonOfPost(post));
  const { likeCount, commentCount, otherReactions, repostCount, quoteCount, saveCount } = reactions;
  const state = viewer === undefined ? "" : `"viewer":{"own":${content.authorId === viewer}${jsonState(reactions)}},`;
  to.ascii(
    `${likeCount},"commentCount":${commentCount},${state}"audience":${nameOf(AudienceSchema, content.audience)}`,
  );
  to.raw(jsonTailOfPost(post));
  if (quote !== undefined) to.raw(jsonOfQuote(quote));
  if (otherReactions.length > 0) to.ascii(`,"reactions":{${jsonCounts(reactions)}}`);
  if (reposter !== undefined) {
    to.ascii(`,"${postFields.repostedBy.jsonName}":`);
    to.raw(jsonOfAuthor(reposter));
  }
  if (repostCount > 0n) to.ascii(`,"repostCount":${repostCount}`);
  if (quoteCount > 0n) to.ascii(`,"quoteCount":${quoteCount}`);
  if (saveCount > 0n) to.ascii(`,"saveCount":${saveCount}`);
  to.raw(jsonLastOfPost(post));
  to.raw(jsonOfPoll(poll));
  to.ascii("}");
}

/** What the viewer has to do with a post beside having written it; what they have not is absent. */
function jsonState({ liked, viewerReaction, saved, reposted, replyRefusal }: Reactions): string {
  const reaction = viewerReaction === 0 ? "" : `,"reaction":${nameOf(ReactionKindSchema, viewerReaction)}`;
  const refusal = replyRefusal === 0 ? "" : `,"replyRefusal":${nameOf(ReplyRefusalSchema, replyRefusal)}`;
  return `,"liked":${liked}${reaction}${saved ? ',"saved":true' : ""}${reposted ? ',"reposted":true' : ""}${refusal}`;
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

function binaryList<P extends ListedPost>(
  items: readonly P[],
  nextPageToken: string,
  tokenNumber: number,
  write: (to: Bytes, item: P) => void,
): Buffer {
  let bytesMax = pageBytesMax + nextPageToken.length;
  for (const item of items) {
    bytesMax += itemBytesMax + binaryOfAuthor(item.author).length + binaryOfPost(item.post).length;
    bytesMax += binaryOfQuote(item.quote).length + binaryOfPoll(item.poll).length;
    bytesMax += reposterBytes(item, postFields.repostedBy).length;
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
function postSize({ post, author, reactions, quote, poll }: ShownPost, viewer: Viewer): number {
  return (
    binaryOfQuote(quote).length +
    binaryOfPoll(poll).length +
    binaryOfPost(post).length +
    binaryOfAuthor(author).length +
    numberSize(Number(reactions.likeCount)) +
    numberSize(Number(reactions.commentCount)) +
    (viewer === undefined ? 0 : 2 + stateSize(post, reactions, viewer)) +
    // The field of counts has a tag of two bytes.
    (reactions.otherReactions.length === 0 ? 0 : 3 + countsSize(reactions)) +
    sharesSize(reactions)
  );
}

/** Fields may come in any order; what belongs to the moment comes last. */
function binaryPost(to: Bytes, { post, author, reactions, quote, poll }: ShownPost, viewer: Viewer): void {
  to.raw(binaryOfPost(post));
  if (quote !== undefined) to.raw(binaryOfQuote(quote));
  if (poll !== undefined) to.raw(binaryOfPoll(poll));
  to.raw(binaryOfAuthor(author));
  number(to, postFields.likeCount, Number(reactions.likeCount));
  number(to, postFields.commentCount, Number(reactions.commentCount));
  binaryCounts(to, reactions);
  if (isShared(reactions)) {
    number(to, postFields.repostCount, Number(reactions.repostCount));
    number(to, postFields.quoteCount, Number(reactions.quoteCount));
    number(to, postFields.saveCount, Number(reactions.saveCount));
  }
  if (viewer === undefined) return;
  lengthOf(to, postFields.viewer, stateSize(post, reactions, viewer));
  number(to, stateFields.own, Number(post.content.authorId === viewer));
  number(to, stateFields.liked, Number(reactions.liked));
  number(to, stateFields.reaction, reactions.viewerReaction);
  number(to, stateFields.saved, Number(reactions.saved));
  number(to, stateFields.reposted, Number(reactions.reposted));
  number(to, stateFields.replyRefusal, reactions.replyRefusal);
}

const isShared = ({ repostCount, quoteCount, saveCount }: Reactions): boolean =>
  repostCount !== 0n || quoteCount !== 0n || saveCount !== 0n;

const sharesSize = (reactions: Reactions): number => {
  if (!isShared(reactions)) return 0;
  const { repostCount, quoteCount, saveCount } = reactions;
  return farSize(Number(repostCount)) + farSize(Number(quoteCount)) + farSize(Number(saveCount));
};

const stateSize = (
  { content }: PostPiece,
  { liked, viewerReaction, saved, reposted, replyRefusal }: Reactions,
  viewer: string,
): number =>
  numberSize(Number(content.authorId === viewer)) +
  numberSize(Number(liked)) +
  farSize(viewerReaction) +
  farSize(Number(saved)) +
  farSize(Number(reposted)) +
  farSize(replyRefusal);

/** What is zero is not written. */
const numberSize = (value: number): number => (value === 0 ? 0 : 1 + varintBytes(value));
/** The same of a field whose tag takes two bytes: from 16 on. */
const farSize = (value: number): number => (value === 0 ? 0 : 2 + varintBytes(value));

function number(to: Bytes, field: { readonly number: number }, value: number): void {
  if (value === 0) return;
  to.varint(tagOf(field, 0));
  to.varint(value);
}

function lengthOf(to: Bytes, field: { readonly number: number }, bytes: number): void {
  to.varint(tagOf(field, 2));
  to.varint(bytes);
}
