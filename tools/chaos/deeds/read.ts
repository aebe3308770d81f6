import type { FeedPage } from "../../../tests/support/person.ts";
import { type Outcome, orGone, type World } from "./deed.ts";

/** The newest page holds the latest acknowledged post of somebody the reader follows for good. */
export async function readFeed({ people, edges }: World): Promise<Outcome> {
  const reader = people.anyone();
  const latest = people.latestOf(people.followedBy(reader));
  const said = await edges.ask("GET", "/v1/feed?pageSize=20", { token: reader.token });
  if (said.status !== 200 || latest === undefined) return { said };
  const { items, nextPageToken } = said.body as unknown as FeedPage;
  // A page that lost a post on its way is short, and goes on all the same.
  const isBelow = nextPageToken !== "" && BigInt(items.at(-1)?.activityId ?? 0) > BigInt(latest.id);
  const isRight = items.some(({ post }) => post.id === latest.id) || isBelow || latest.isLeaving;
  return isRight ? { said } : { said, wrong: `post ${latest.id} is not in the feed` };
}

export async function readPost(world: World): Promise<Outcome> {
  const { people, edges } = world;
  const reader = people.anyone();
  const post = people.latestOf(people.anyone());
  if (post === undefined) return readProfile(world);
  return { said: orGone(await edges.ask("GET", `/v1/posts/${post.id}`, { token: reader.token }), post) };
}

export async function readProfile({ people, edges }: World): Promise<Outcome> {
  return { said: await edges.ask("GET", `/v1/users/${people.anyone().id}`, { token: people.anyone().token }) };
}

export async function readUnder({ people, edges, random }: World): Promise<Outcome> {
  const what = random.pick(["comments", "likes"]);
  return {
    said: await edges.ask("GET", `/v1/posts/${people.anchor().post}/${what}`, { token: people.anyone().token }),
  };
}

/** What stands is never older than what is said. */
export async function movePosition(world: World): Promise<Outcome> {
  const { people, edges, journal } = world;
  const reader = people.anyone();
  const post = people.latestOf(people.anyone());
  if (post === undefined) return readProfile(world);
  const said = await edges.ask("PUT", "/v1/feed/position", { token: reader.token, body: { activityId: post.id } });
  if (said.status !== 200) return { said };
  const at = String(said.body.activityId);
  await journal.record({ what: "position", who: reader.id, at });
  return BigInt(at) >= BigInt(post.id)
    ? { said }
    : { said, wrong: `a read position went back from ${post.id} to ${at}` };
}
