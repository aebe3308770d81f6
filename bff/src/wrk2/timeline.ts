import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { FeedItem } from "#gen/skein/feed/v1/feed_pb.ts";
import { invalid } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { type Piece, pieceCache } from "../compose/piece-cache.ts";
import type { Asking } from "./asking.ts";
import { numberOf } from "./people.ts";

/** How far down an offset may reach, and how long a slice may be. */
const stopMax = 1_000;
const sliceMax = 100;
/** Items of one page of ours. */
const pageSizeMax = 100;
/** Posts kept as the text they are answered with, about 2 kB each. */
const keptBytesMax = 64 * 1024 * 1024;

/** From offset `start` up to, and without, `stop`, newest first. */
export type Slice = { readonly start: number; readonly stop: number };

export function sliceOf(start: string, stop: string): Slice {
  const slice = { start: offsetOf("start", start), stop: offsetOf("stop", stop) };
  if (slice.stop - slice.start > sliceMax) throw invalid("stop", `must be at most start + ${sliceMax}`);
  return slice;
}

function offsetOf(field: string, text: string): number {
  if (!/^[0-9]{1,4}$/.test(text) || Number(text) > stopMax) {
    throw invalid(field, `must be a whole number of 0 to ${stopMax}`);
  }
  return Number(text);
}

/** One page of thin items below a token. */
type Read = (page: { pageSize: number; pageToken: string }) => Promise<{
  items: readonly FeedItem[];
  nextPageToken: string;
}>;

/**
 * Offsets on top of page tokens: the skeleton is read down to `stop`, decided for its viewer as ever, and content is brought for
 * the slice alone. What is posted between two reads moves offsets, as it does in the benchmark's own timelines.
 */
export async function itemsAt({ start, stop }: Slice, read: Read): Promise<FeedItem[]> {
  const items: FeedItem[] = [];
  let pageToken = "";
  while (items.length < stop) {
    const page = await read({ pageSize: Math.min(pageSizeMax, stop - items.length), pageToken });
    items.push(...page.items);
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  return items.slice(start, stop);
}

/** A post as it is answered, by (id, version): its text and its author's name never change in one. */
type Told = Piece & { readonly json: string };

/** Brings content to items, as the benchmark spells it. */
export function createTimelines({ post, user }: Pick<Clients, "post" | "user">) {
  const kept = pieceCache<Told>("wrk2_post", keptBytesMax);

  const load = (viewerId: string | undefined, asking: Asking) => async (postIds: readonly string[]) => {
    const { posts } = await post.batchGetPosts({ postIds: [...postIds] }, asking.as(viewerId));
    const authorIds = [...new Set(posts.flatMap((slot) => (slot.post ? [slot.post.authorId] : [])))];
    const { users } = await user.batchGetUsers({ userIds: authorIds }, asking.as(viewerId));
    const names = new Map(users.flatMap((slot) => (slot.user ? [[slot.user.id, slot.user.username] as const] : [])));
    return posts.map((slot) => {
      const username = slot.post && names.get(slot.post.authorId);
      return slot.post && username !== undefined ? told(slot.post, username, asking.requestId) : undefined;
    });
  };

  /** The JSON text of a slice; what is gone since its skeleton was made is left out. */
  return async (items: readonly FeedItem[], viewerId: string | undefined, asking: Asking): Promise<string> => {
    const refs = items.map(({ postId, postVersion }) => ({ id: postId, version: postVersion }));
    const posts = await kept.get(refs, load(viewerId, asking));
    return `[${posts.flatMap((post) => post?.json ?? []).join(",")}]`;
  };
}

type Content = Pick<
  NonNullable<Awaited<ReturnType<Clients["post"]["batchGetPosts"]>>["posts"][number]["post"]>,
  "id" | "version" | "text" | "createTime"
>;

/** Numbers are strings, as the benchmark's front end makes them: a post's id has more digits than its JSON carries. */
function told({ id, version, text, createTime }: Content, username: string, requestId: string): Told {
  const mentions = [...text.matchAll(/@(username_[0-9]+)/g)].map(([, name = ""]) => name);
  const links = [...text.matchAll(/https?:\/\/\S+/g)].map(([link]) => link);
  const json = JSON.stringify({
    post_id: id,
    creator: { user_id: numberOf(username), username },
    req_id: requestId,
    text,
    user_mentions: mentions.map((name) => ({ user_id: numberOf(name), username: name })),
    media: [],
    urls: links.map((link) => ({ shortened_url: link, expanded_url: link })),
    timestamp: String(createTime === undefined ? 0 : timestampMs(createTime)),
    post_type: 0,
  });
  return { id, version, json, sizeBytes: 2 * json.length };
}
