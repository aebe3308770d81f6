import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createLanes, insist, type Operator } from "../operator.ts";
import type { Progress } from "../progress.ts";
import type { Person } from "./people.ts";
import { randomOf } from "./random.ts";
import { plantReactions, type Reactions } from "./react.ts";

/** A network that could be. Everything of person `nth` depends on their number alone. */
export type Network = {
  readonly name: string;
  readonly users: number;
  readonly postsEach: number;
  personOf(nth: number): Person;
  followsOf(nth: number): readonly number[];
  textOf(author: number, nth: number): string;
  /** Where people also like and comment. */
  readonly reactions?: Reactions;
};

/** As many as a call takes, or fewer where the database would hold its locks for long. */
const usersPerCall = 1_000;
const followsPerCall = 2_500;
const postsPerCall = 500;
const callsAtOnce = 3;
/** Everything was said in the last thirty days, and nothing in the last minute: what people write then is on top. */
const postedWithinMs = 30 * 86_400_000;
const quietMs = 60_000;

type Needs = { network: Network; operator: Operator; progress: Progress; password: string; nowMs: number };

/** Makes a network stand in a running system. What stands already, from a run before, is left as it is. */
export async function plant(needs: Needs) {
  const ids = await plantPeople(needs);
  const stands = { users: ids.length, ...(await plantFollows(needs, ids)), ...(await plantPosts(needs, ids)) };
  const { name, reactions } = needs.network;
  return reactions === undefined
    ? stands
    : { ...stands, ...(await plantReactions({ ...needs, name, reactions }, ids)) };
}

async function plantPeople({ network, operator, progress, password }: Needs): Promise<BigUint64Array> {
  const ids = new BigUint64Array(network.users);
  const lanes = createLanes(callsAtOnce);
  let done = 0;
  for (let first = 0; first < network.users; first += usersPerCall) {
    const count = Math.min(usersPerCall, network.users - first);
    await lanes.run(async () => {
      const users = Array.from({ length: count }, (_, nth) => network.personOf(first + nth));
      const { userIds } = await insist((options) => operator.user.importUsers({ users, password }, options));
      for (const [nth, id] of userIds.entries()) ids[first + nth] = BigInt(id);
      const lists = userIds.map((followerId) => ({ followerId }));
      await insist((options) => operator.graph.importFollows({ lists }, options));
      done += count;
      progress.update({ what: "people", done, total: network.users });
    });
  }
  await lanes.drain();
  return ids;
}

async function plantFollows({ network, operator, progress }: Needs, ids: BigUint64Array) {
  const lanes = createLanes(callsAtOnce);
  const counts = { follows: 0, newFollows: 0 };
  let lists: { followerId: string; followeeIds: bigint[] }[] = [];
  let held = 0;
  const send = async () => {
    const [sent, size] = [lists, held];
    [lists, held] = [[], 0];
    await lanes.run(async () => {
      const { createdCount } = await insist((options) => operator.graph.importFollows({ lists: sent }, options));
      counts.newFollows += Number(createdCount);
      counts.follows += size;
    });
  };
  for (const [nth, id] of ids.entries()) {
    const followeeIds = network.followsOf(nth).map((whom) => ids[whom] ?? 0n);
    if (held + followeeIds.length > followsPerCall) await send();
    lists.push({ followerId: String(id), followeeIds });
    held += followeeIds.length;
    // How many follows there will be is known at the end only; how many people have theirs is known now.
    progress.update({ what: "people with their follows", done: nth + 1, total: ids.length });
  }
  await send();
  await lanes.drain();
  return counts;
}

async function plantPosts({ network, operator, progress, nowMs }: Needs, ids: BigUint64Array) {
  const lanes = createLanes(callsAtOnce);
  const counts = { posts: 0, newPosts: 0 };
  const total = ids.length * network.postsEach;
  for (let first = 0; first < total; first += postsPerCall) {
    const size = Math.min(postsPerCall, total - first);
    await lanes.run(async () => {
      const posts = Array.from({ length: size }, (_, at) => {
        const author = Math.floor((first + at) / network.postsEach);
        const nth = (first + at) % network.postsEach;
        return {
          authorId: String(ids[author]),
          text: network.textOf(author, nth),
          createTime: timestampFromMs(nowMs - ageMs(network, author, nth)),
          idempotencyKey: `${network.name}-${author}-${nth}`,
        };
      });
      const { createdCount } = await insist((options) => operator.post.importPosts({ posts }, options));
      counts.newPosts += Number(createdCount);
      counts.posts += size;
      progress.update({ what: "posts", done: counts.posts, total });
    });
  }
  await lanes.drain();
  return counts;
}

/** Somebody's posts come in their order, at uneven distances. */
function ageMs({ name, postsEach }: Network, author: number, nth: number): number {
  const place = (postsEach - nth - randomOf("age", name, author, nth).next()) / postsEach;
  return Math.round(quietMs + place * (postedWithinMs - 2 * quietMs));
}
