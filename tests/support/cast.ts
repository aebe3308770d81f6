import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { AuthService } from "#gen/skein/api/v1/auth_pb.ts";
import { FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import type { Door, Outcome } from "./outcome.ts";

type Person = { readonly id: string; readonly username: string; readonly token: string };

/** The people of one door and what they made: the same roles at each door, under other names. */
export type Cast = {
  readonly door: Door;
  /** Names of this door begin with it; all are of one length. */
  readonly prefix: string;
  readonly people: readonly Person[];
  readonly posts: string[];
  readonly comments: string[];
  readonly lists: string[];
  readonly collections: string[];
  readonly media: string[];
  /** The last one first. */
  readonly drafts: string[];
  /** Page tokens of home feeds, by the person who got them. */
  readonly pageTokens: Map<number, string>;
};

export const password = "correct horse battery";

/** Registers `size` people through the door itself. */
export async function openCast(door: Door, prefix: string, size: number): Promise<Cast> {
  const people: Person[] = [];
  for (let n = 0; n < size; n++) {
    const username = `${prefix}p${n}`;
    const outcome = await door.call(AuthService.method.register, { username, password }, {});
    if (!outcome.ok) throw new Error(`${door.name}: ${JSON.stringify(outcome)}`);
    const { accessToken, user } = outcome.message as { accessToken: string; user: { id: string } };
    people.push({ id: user.id, username, token: accessToken });
  }
  return {
    door,
    prefix,
    people,
    posts: [],
    comments: [],
    lists: [],
    collections: [],
    media: [],
    drafts: [],
    pageTokens: new Map(),
  };
}

/** Remembers what later calls speak of: posts made, pages begun. */
export function remember(
  { posts, comments, lists, collections, media: uploads, drafts, pageTokens }: Cast,
  name: string,
  as: number | undefined,
  outcome: Outcome,
): void {
  if (!outcome.ok) return;
  type Made = {
    post?: { id: string };
    comment?: { id: string };
    list?: { id: string };
    collection?: { id: string };
    draft?: { id: string };
    media?: { id: string };
    nextPageToken?: string;
  };
  const { post, comment, list, collection, draft, media, nextPageToken } = outcome.message as Made;
  if (name === "CreateDraft" && draft !== undefined && !drafts.includes(draft.id)) drafts.unshift(draft.id);
  if ((name === "CreatePost" || name === "PublishDraft") && post !== undefined && !posts.includes(post.id))
    posts.push(post.id);
  if (name === "CreateComment" && comment !== undefined && !comments.includes(comment.id)) comments.push(comment.id);
  if (name === "CreateList" && list !== undefined && !lists.includes(list.id)) lists.push(list.id);
  if (name === "CreateCollection" && collection !== undefined && !collections.includes(collection.id)) {
    collections.push(collection.id);
  }
  if (name === "CreateMedia" && media !== undefined && !uploads.includes(media.id)) uploads.push(media.id);
  if (name === FeedService.method.listHomeFeed.name && as !== undefined && nextPageToken) {
    pageTokens.set(as, nextPageToken);
  }
}

/** Counts are folded a moment later, so two doors may see them before and after. */
const folded = new Set(["followerCount", "followingCount", "likeCount", "commentCount", "replyCount"]);

/** The same of what is not there before. */
const late = new Set(["reactions", "repostCount", "quoteCount", "saveCount"]);

/** An outcome without what is each door's own: ids and names become roles, times and tokens words. */
export function comparable(cast: Cast, outcome: Outcome): unknown {
  if (!outcome.ok) return outcome;
  const roles = new Map<string, string>();
  for (const [n, { id, username }] of cast.people.entries()) roles.set(id, `person ${n}`).set(username, `name ${n}`);
  for (const [n, id] of cast.posts.entries()) roles.set(id, `post ${n}`);
  for (const [n, id] of cast.comments.entries()) roles.set(id, `comment ${n}`);
  for (const [n, id] of cast.collections.entries()) roles.set(id, `collection ${n}`);
  for (const [n, id] of cast.drafts.entries()) roles.set(id, `draft ${cast.drafts.length - n}`);
  for (const [n, id] of cast.lists.entries()) roles.set(id, `list ${n}`);
  for (const [n, id] of cast.media.entries()) roles.set(id, `media ${n}`);
  const plain = (value: JsonValue, name: string): JsonValue => {
    if (folded.has(name)) return 0;
    if (Array.isArray(value)) return value.map((item) => plain(item, name));
    if (value !== null && typeof value === "object") return plainObject(value);
    if (typeof value !== "string" || value === "") return value;
    if (name === "nextPageToken" || name === "newerPageToken" || name === "accessToken") return "a token";
    if (name === "url") return "an address";
    if (name.endsWith("Time")) return "a time";
    if (name === "id" || name === "activityId" || name === "parentId") return roles.get(value) ?? "an id";
    return roles.get(value) ?? value.replaceAll(cast.prefix, "");
  };
  const plainObject = (object: JsonObject): JsonObject =>
    Object.fromEntries(
      Object.entries(object).flatMap(([name, value]) => (late.has(name) ? [] : [[name, plain(value, name)]])),
    );
  return { ...outcome, message: plainObject(outcome.message) };
}
