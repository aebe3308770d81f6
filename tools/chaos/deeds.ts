import { randomUUID } from "node:crypto";
import { isFine, type Outcome, type World } from "./deeds/deed.ts";
import { publishDraft, schedulePost } from "./deeds/draft.ts";
import { askInPoll, createPost, deletePost, editPost, postLink, postPhoto, vote } from "./deeds/post.ts";
import { movePosition, readFeed, readPost, readProfile, readUnder } from "./deeds/read.ts";
import type { SwitchKind } from "./journal.ts";

export type Deed = {
  readonly name: string;
  readonly isWrite: boolean;
  /** Of a hundred. */
  readonly share: number;
  readonly run: (world: World) => Promise<Outcome>;
};

/** What people do. Half are reads. */
export const deeds: readonly Deed[] = [
  { name: "read feed", isWrite: false, share: 20, run: readFeed },
  { name: "read post", isWrite: false, share: 12, run: readPost },
  { name: "read profile", isWrite: false, share: 5, run: readProfile },
  { name: "read comments or likers", isWrite: false, share: 10, run: readUnder },
  { name: "move a read position", isWrite: true, share: 3, run: movePosition },
  { name: "create post", isWrite: true, share: 6, run: createPost },
  { name: "post a photo", isWrite: true, share: 2, run: postPhoto },
  { name: "post a link", isWrite: true, share: 2, run: postLink },
  { name: "ask in a poll", isWrite: true, share: 2, run: askInPoll },
  { name: "vote", isWrite: true, share: 4, run: vote },
  { name: "draft and publish", isWrite: true, share: 2, run: publishDraft },
  { name: "schedule post", isWrite: true, share: 2, run: schedulePost },
  { name: "edit post", isWrite: true, share: 4, run: editPost },
  { name: "delete post", isWrite: true, share: 6, run: deletePost },
  { name: "comment or reply", isWrite: true, share: 8, run: createComment },
  { name: "follow, like, react, keep, repost or undo it", isWrite: true, share: 12, run: toggle },
];

async function createComment({ people, edges, journal, random }: World): Promise<Outcome> {
  const [author, { post, comment }, key] = [people.anyone(), people.anchor(), randomUUID()];
  const body = { text: key, ...(random.below(2) === 0 && { parent: comment }) };
  const said = await edges.ask("POST", `/v1/posts/${post}/comments`, { token: author.token, key, body });
  if (said.status === 201) {
    await journal.record({ what: "comment", id: String(said.body.id), post, author: author.id, key });
  }
  return { said };
}

/**
 * One writer at a time for each switch, so that the last acknowledged state is the state. A switch whose request had to go
 * to a second door rests from then on: the first one may still be on its way.
 */
async function toggle(world: World): Promise<Outcome> {
  const { people, edges, journal } = world;
  const chosen = people.freeSwitch();
  if (chosen === undefined) return readProfile(world);
  chosen.isBusy = true;
  const { what, who, whom } = chosen;
  const isOn = !chosen.isOn;
  const body = isOn ? bodyOf[what] : undefined;
  const said = await edges.ask(isOn ? "PUT" : "DELETE", pathOf[what](whom), { token: who.token, body });
  const isAcknowledged = isFine(said.status);
  await journal.record({ what, who: who.id, whom, isOn, isAcknowledged });
  if (isAcknowledged) chosen.isOn = isOn;
  chosen.isBusy = !isAcknowledged || said.broke.length > 0;
  return { said };
}

const pathOf: Readonly<Record<SwitchKind, (whom: string) => string>> = {
  follow: (user) => `/v1/users/${user}/follow`,
  like: (post) => `/v1/posts/${post}/like`,
  save: (post) => `/v1/posts/${post}/save`,
  repost: (post) => `/v1/posts/${post}/repost`,
  love: (comment) => `/v1/comments/${comment}/reaction`,
};

const bodyOf: { readonly [kind in SwitchKind]?: object } = { save: {}, love: { kind: "REACTION_KIND_LOVE" } };
