import { randomUUID } from "node:crypto";
import type { Said } from "../../../tests/support/edges.ts";
import type { Person } from "../../../tests/support/person.ts";
import type { Post } from "../people.ts";
import { sendPhoto } from "../photo.ts";
import { isFine, type Outcome, orGone, type World } from "./deed.ts";

/** Every fourth quotes a post that nobody deletes. */
export async function createPost(world: World): Promise<Outcome> {
  const { people, random } = world;
  const quoted = random.below(4) === 0 && { quotedPostId: people.anchor().post };
  return await sendPost(world, people.anyone(), (key) => ({ text: key, ...quoted }));
}

/** The photo goes up first, in as many tries as it takes; then it is as any post. */
export async function postPhoto(world: World): Promise<Outcome> {
  const { people, edges } = world;
  const author = people.anyone();
  let mediaId: string;
  try {
    mediaId = await sendPhoto({ doors: edges.doors, token: author.token, key: randomUUID() });
  } catch (reason) {
    return { said: { status: 0, body: {}, broke: [`no photo: ${reason instanceof Error ? reason.message : reason}`] } };
  }
  const photoIn = ({ body }: Said) => {
    const { media } = body as { media?: { items: { variants: { url: string }[] }[] } };
    return { photo: String(media?.items[0]?.variants[0]?.url) };
  };
  return await sendPost(world, author, (key) => ({ text: key, mediaIds: [mediaId] }), photoIn);
}

/** Each links to a page of its own. */
export async function postLink(world: World): Promise<Outcome> {
  const { people, site } = world;
  if (site === undefined) return createPost(world);
  const link = site.linkTo(randomUUID());
  return await sendPost(
    world,
    people.anyone(),
    (key) => ({ text: `${key} ${link}` }),
    () => ({ link }),
  );
}

/** Open for longer than the run: what a poll asks is there to be chosen. */
const pollSeconds = 86_400;
const options = ["yes", "no", "perhaps"];

export async function askInPoll(world: World): Promise<Outcome> {
  const { people } = world;
  const poll = { options, durationSeconds: pollSeconds };
  const { said, post } = await sendPost(world, people.anyone(), (key) => ({ text: key, poll }));
  if (post !== undefined) people.asked(post);
  return { said };
}

/** A vote is final, so whoever comes again chooses the same; what they are told has it in it. */
export async function vote(world: World): Promise<Outcome> {
  const { people, edges, journal, random } = world;
  const ballot = people.ballot(random.below(options.length));
  if (ballot === undefined) return askInPoll(world);
  const { post, who, option } = ballot;
  const body = { options: [option] };
  const said = await edges.ask("PUT", `/v1/posts/${post.id}/vote`, { token: who.token, body });
  if (said.status !== 200) return { said: orGone(said, post) };
  await journal.record({ what: "vote", post: post.id, who: who.id, option });
  const poll = said.body as { chosen?: number[]; options: { voteCount?: number }[] };
  const isTold = poll.chosen?.join() === String(option) && (poll.options[option]?.voteCount ?? 0) > 0;
  return isTold ? { said } : { said, wrong: `the vote of ${who.id} in the poll of ${post.id} is not in its answer` };
}

export async function editPost(world: World): Promise<Outcome> {
  const { people, edges, journal } = world;
  const post = people.latestOf(people.anyone());
  if (post === undefined) return createPost(world);
  const said = await edges.ask("PATCH", `/v1/posts/${post.id}`, {
    token: post.author.token,
    body: { text: randomUUID() },
  });
  if (said.status === 200) await journal.record({ what: "edit", id: post.id, version: Number(said.body.version) });
  return { said: orGone(said, post) };
}

export async function deletePost(world: World): Promise<Outcome> {
  const { people, edges, journal } = world;
  const post = people.oldestStanding();
  if (post === undefined) return createPost(world);
  post.isLeaving = true;
  const said = await edges.ask("DELETE", `/v1/posts/${post.id}`, { token: post.author.token });
  await journal.record({ what: "delete", id: post.id, isAcknowledged: isFine(said.status) });
  return { said };
}

/** Sends a post under a key of its own, which is in its text; `shown` says what else its author was told of it. */
async function sendPost(
  { people, edges, journal }: World,
  author: Person,
  bodyOf: (key: string) => object,
  shown: (said: Said) => { readonly photo?: string; readonly link?: string } = () => ({}),
): Promise<Outcome & { readonly post?: Post }> {
  const key = randomUUID();
  const said = await edges.ask("POST", "/v1/posts", { token: author.token, key, body: bodyOf(key) });
  if (said.status !== 201) return { said };
  const post = { id: String(said.body.id), author, isLeaving: false };
  await journal.record({ what: "post", id: post.id, author: author.id, key, ...shown(said) });
  people.created(post);
  return { said, post };
}
