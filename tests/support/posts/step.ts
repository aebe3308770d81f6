import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Person } from "../person.ts";
import { type Cast, type Draft, fine, type Model, type ModelPost, newPost, type Shown } from "./model.ts";

/** How soon what is scheduled is due: it overlaps with what comes after it. */
const aheadMs = 250;
const reactionKinds = ["LIKE", "LOVE", "ANGRY"] as const;

const changes = ["edit", "delete", "pin", "unpin"] as const;
const shares = ["repost", "unrepost", "pass on", "take back", "quote", "detach"] as const;
const beside = ["react", "unreact", "comment", "uncomment", "save", "unsave"] as const;
const onDraft = ["draft", "redraft", "discard", "publish", "schedule"] as const;

/** A step of a history, drawn by chance: `nth` says of which post or draft, and whose step it is; `tag` which tag, and which reaction. */
export type Step = {
  readonly kind:
    | "post"
    | (typeof changes)[number]
    | (typeof shares)[number]
    | (typeof beside)[number]
    | (typeof onDraft)[number];
  readonly nth: number;
  readonly tag: number;
};

/** Each kind as often as it is drawn. */
export const kinds: readonly Step["kind"][] = [
  ...(["post", "post", "post", "edit", "edit", "edit", "delete", "pin", "unpin"] as const),
  ...(["repost", "repost", "unrepost", "pass on", "pass on", "take back", "quote", "quote", "detach"] as const),
  ...(["draft", "draft", "redraft", "discard", "publish", "schedule"] as const),
  ...(["react", "react", "react", "unreact", "comment", "comment", "uncomment", "save", "save", "unsave"] as const),
];

/** Does a step through the front door, and in the model. Answers the post that it was about. */
export async function carryOut(cast: Cast, step: Step, model: Model, text: string): Promise<ModelPost | undefined> {
  const { person } = cast;
  const { kind, nth } = step;
  const { posts, drafts } = model;
  const post = posts[nth % Math.max(1, posts.length)];
  const draft = drafts[nth % Math.max(1, drafts.length)];
  const key = randomUUID();
  if (kind === "post") {
    posts.push(newPost(await fine<Shown>(person, "POST", "/v1/posts", { body: { text }, key }), text));
    return posts.at(-1);
  }
  if (kind === "draft") {
    drafts.unshift(await fine<Draft>(person, "POST", "/v1/me/drafts", { body: { text }, key }));
  } else if (kind === "schedule") {
    const publishTime = new Date(Date.now() + aheadMs).toISOString();
    await fine(person, "POST", "/v1/me/drafts", { body: { text, publishTime }, key });
    model.scheduled.push(text);
  } else if (onDraft.some((each) => each === kind)) {
    if (draft !== undefined) await toDraft(person, kind, draft, model, text);
  } else if (post !== undefined) {
    if (changes.some((each) => each === kind)) await toPost(person, kind, post, model, text);
    else if (shares.some((each) => each === kind)) await share(cast, kind, post, model, text);
    else await putBeside(cast, step, post, model, text);
    return post;
  }
  return undefined;
}

/** By the author, or by the stranger who passes posts on and takes that back. */
async function share(
  { person, stranger }: Cast,
  kind: Step["kind"],
  post: ModelPost,
  model: Model,
  text: string,
): Promise<void> {
  const path = `/v1/posts/${post.id}`;
  const who = kind === "repost" || kind === "unrepost" ? person : stranger;
  if (kind === "repost" || kind === "pass on") {
    const { activityId } = await fine<{ activityId: string }>(who, "PUT", `${path}/repost`);
    assert.equal(activityId, post.reposts.get(who) ?? activityId, "once");
    post.reposts.set(who, activityId);
  } else if (kind === "unrepost" || kind === "take back") {
    await fine(who, "DELETE", `${path}/repost`);
    post.reposts.delete(who);
  } else if (kind === "quote") {
    const body = { text, quotedPostId: post.id };
    const made = newPost(await fine<Shown>(person, "POST", "/v1/posts", { body, key: randomUUID() }), text);
    model.posts.push({ ...made, isQuote: true, quotes: post });
  } else {
    const quote = model.posts.find(({ quotes }) => quotes === post);
    if (quote === undefined) return;
    await fine(person, "DELETE", `${path}/quotes/${quote.id}`);
    quote.quotes = undefined;
  }
}

/** By either: what stands beside a post, and is taken back. */
async function putBeside(
  { person, stranger }: Cast,
  { kind, nth, tag }: Step,
  post: ModelPost,
  { saves }: Model,
  text: string,
): Promise<void> {
  const path = `/v1/posts/${post.id}`;
  const who = (nth + tag) % 2 === 0 ? person : stranger;
  const kept = (saves.get(who) ?? []).filter((one) => one !== post);
  if (kind === "react") {
    const reaction = `REACTION_KIND_${reactionKinds[tag % reactionKinds.length]}`;
    await fine(who, "PUT", `${path}/reaction`, { body: { kind: reaction } });
    post.reactions.set(who, reaction);
  } else if (kind === "unreact") {
    await fine(who, "DELETE", `${path}/reaction`);
    post.reactions.delete(who);
  } else if (kind === "comment") {
    const { id } = await fine<Shown>(who, "POST", `${path}/comments`, { body: { text }, key: randomUUID() });
    post.comments.push({ id, by: who, text });
  } else if (kind === "uncomment") {
    const last = post.comments.findLast(({ by }) => by === who);
    if (last === undefined) return;
    await fine(who, "DELETE", `/v1/comments/${last.id}`);
    post.comments = post.comments.filter((one) => one !== last);
  } else if (kind === "save") {
    await fine(who, "PUT", `${path}/save`, { body: {} });
    // What is kept already stays where it is.
    if (saves.get(who)?.includes(post) !== true) saves.set(who, [post, ...kept]);
  } else {
    await fine(who, "DELETE", `${path}/save`);
    saves.set(who, kept);
  }
}

async function toPost(person: Person, kind: Step["kind"], post: ModelPost, model: Model, text: string): Promise<void> {
  const path = `/v1/posts/${post.id}`;
  if (kind === "edit") {
    await fine(person, "PATCH", path, { body: { text, ifVersion: post.texts.length } });
    post.texts.push(text);
  } else if (kind === "delete") {
    await fine(person, "DELETE", path);
    model.deleted.push(post.id);
    model.posts.splice(model.posts.indexOf(post), 1);
    if (model.pinned === post.id) model.pinned = undefined;
  } else if (kind === "pin") {
    await fine(person, "PUT", `${path}/pin`);
    model.pinned = post.id;
  } else {
    await fine(person, "DELETE", `${path}/pin`);
    if (model.pinned === post.id) model.pinned = undefined;
  }
}

async function toDraft(person: Person, kind: Step["kind"], draft: Draft, model: Model, text: string): Promise<void> {
  const path = `/v1/me/drafts/${draft.id}`;
  if (kind === "redraft") {
    await fine(person, "PATCH", path, { body: { text } });
    draft.text = text;
  } else if (kind === "discard" || kind === "publish") {
    model.drafts = model.drafts.filter((one) => one !== draft);
    if (kind === "discard") await fine(person, "DELETE", path);
    else model.posts.push(newPost(await fine<Shown>(person, "PUT", `${path}/publication`), draft.text));
  }
}
