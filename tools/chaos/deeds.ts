import { randomUUID } from "node:crypto";
import type { Edges, Said } from "../../tests/support/edges.ts";
import type { FeedPage } from "../../tests/support/person.ts";
import type { Random } from "../seed/random.ts";
import type { Journal, SwitchKind } from "./journal.ts";
import type { People } from "./people.ts";

type World = { readonly people: People; readonly edges: Edges; readonly journal: Journal; readonly random: Random };

/** What became of one request; `wrong` says what an answer lacked that was acknowledged before. */
type Outcome = { readonly said: Said; readonly wrong?: string };

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
  { name: "read post", isWrite: false, share: 15, run: readPost },
  { name: "read profile", isWrite: false, share: 5, run: readProfile },
  { name: "read comments or likers", isWrite: false, share: 10, run: readUnder },
  { name: "create post", isWrite: true, share: 14, run: createPost },
  { name: "edit post", isWrite: true, share: 5, run: editPost },
  { name: "delete post", isWrite: true, share: 8, run: deletePost },
  { name: "comment or reply", isWrite: true, share: 9, run: createComment },
  { name: "follow, like, react, keep or undo it", isWrite: true, share: 14, run: toggle },
];

export const isFine = (status: number): boolean => status >= 200 && status < 300;

/** The newest page holds the latest acknowledged post of somebody the reader follows for good. */
async function readFeed({ people, edges }: World): Promise<Outcome> {
  const reader = people.anyone();
  const latest = people.latestOf(people.followedBy(reader));
  const said = await edges.ask("GET", "/v1/feed?pageSize=20", { token: reader.token });
  if (said.status !== 200 || latest === undefined) return { said };
  const shown = (said.body as unknown as FeedPage).items.map(({ post }) => post.id);
  const isBelow = shown.length === 20 && BigInt(shown.at(-1) as string) > BigInt(latest.id);
  const isRight = shown.includes(latest.id) || isBelow || latest.isLeaving;
  return isRight ? { said } : { said, wrong: `post ${latest.id} is not in the feed` };
}

async function readPost(world: World): Promise<Outcome> {
  const { people, edges } = world;
  const reader = people.anyone();
  const post = people.latestOf(people.anyone());
  if (post === undefined) return readProfile(world);
  const said = await edges.ask("GET", `/v1/posts/${post.id}`, { token: reader.token });
  return { said: said.status === 404 && post.isLeaving ? { ...said, status: 200 } : said };
}

async function readProfile({ people, edges }: World): Promise<Outcome> {
  return { said: await edges.ask("GET", `/v1/users/${people.anyone().id}`, { token: people.anyone().token }) };
}

async function readUnder({ people, edges, random }: World): Promise<Outcome> {
  const what = random.pick(["comments", "likes"]);
  return {
    said: await edges.ask("GET", `/v1/posts/${people.anchor().post}/${what}`, { token: people.anyone().token }),
  };
}

async function createPost({ people, edges, journal }: World): Promise<Outcome> {
  const author = people.anyone();
  const key = randomUUID();
  const said = await edges.ask("POST", "/v1/posts", { token: author.token, key, body: { text: key } });
  if (said.status === 201) {
    const id = String(said.body.id);
    await journal.record({ what: "post", id, author: author.id, key });
    people.created({ id, author, isLeaving: false });
  }
  return { said };
}

async function editPost(world: World): Promise<Outcome> {
  const { people, edges, journal } = world;
  const post = people.latestOf(people.anyone());
  if (post === undefined) return createPost(world);
  const said = await edges.ask("PATCH", `/v1/posts/${post.id}`, {
    token: post.author.token,
    body: { text: randomUUID() },
  });
  if (said.status === 200) await journal.record({ what: "edit", id: post.id, version: Number(said.body.version) });
  return { said: said.status === 404 && post.isLeaving ? { ...said, status: 200 } : said };
}

async function deletePost(world: World): Promise<Outcome> {
  const { people, edges, journal } = world;
  const post = people.oldestStanding();
  if (post === undefined) return createPost(world);
  post.isLeaving = true;
  const said = await edges.ask("DELETE", `/v1/posts/${post.id}`, { token: post.author.token });
  await journal.record({ what: "delete", id: post.id, isAcknowledged: isFine(said.status) });
  return { said };
}

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
  love: (comment) => `/v1/comments/${comment}/reaction`,
};

const bodyOf: { readonly [kind in SwitchKind]?: object } = { save: {}, love: { kind: "REACTION_KIND_LOVE" } };
