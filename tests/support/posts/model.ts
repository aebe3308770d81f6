import assert from "node:assert/strict";
import type { Person } from "../person.ts";

/** A post as clients see it; the fields that histories look at. */
export type Shown = {
  id: string;
  text: string;
  version: number;
  editTime?: string;
  repostedBy?: { id: string };
  repostCount?: number;
  quoteCount?: number;
  quote?: { post?: { id: string } };
  saveCount?: number;
  likeCount: number;
  commentCount: number;
  reactions?: Readonly<Record<string, number>>;
  viewer?: { reposted?: boolean; saved?: boolean; reaction?: string };
};
export type Page = { posts: Shown[]; pinnedPost?: Shown; nextPageToken: string };
export type Draft = { id: string; text: string };

export type ModelPost = {
  id: string;
  readonly texts: string[];
  /** The activity by which each reposted it. */
  readonly reposts: Map<Person, string>;
  /** It quotes, or did: then it has a slot. */
  readonly isQuote?: true;
  /** What it quotes, until that is detached. */
  quotes?: ModelPost | undefined;
  /** How each reacts to it. */
  readonly reactions: Map<Person, string>;
  /** What was said under it and stands, oldest first. */
  comments: { readonly id: string; readonly by: Person; readonly text: string }[];
};

/** What must be there: posts oldest first, each with all it ever said; drafts newest first. */
export type Model = {
  readonly posts: ModelPost[];
  readonly deleted: string[];
  drafts: Draft[];
  pinned: string | undefined;
  /** Texts of scheduled posts that were not seen yet. */
  readonly scheduled: string[];
  /** What each keeps, what they kept last first; a post that is deleted stays in it. */
  readonly saves: Map<Person, ModelPost[]>;
};

/** Who writes, and who passes on, reacts, replies and keeps beside them. */
export type Cast = { readonly person: Person; readonly stranger: Person };

export const newModel = (): Model => ({
  posts: [],
  deleted: [],
  drafts: [],
  pinned: undefined,
  scheduled: [],
  saves: new Map(),
});

export const newPost = ({ id }: { readonly id: string }, text: string): ModelPost => ({
  id,
  texts: [text],
  reposts: new Map(),
  reactions: new Map(),
  comments: [],
});

export const tags = ["moss", "größe", "苔"] as const;

/** Tags of one's own; some texts have none. */
export const tagOf = ({ username }: Person, tag: string | undefined): string =>
  tag === undefined ? "" : `${tag}${username}`;

export async function fine<T>(
  person: Person,
  method: string,
  path: string,
  more?: { body?: unknown; key?: string },
): Promise<T> {
  const { status, body } = await person.call<T>(method, path, more);
  assert.ok(status < 300, `${method} ${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}

export const pageOf = (viewer: Person, path: string) => fine<Page>(viewer, "GET", `${path}?pageSize=100`);
