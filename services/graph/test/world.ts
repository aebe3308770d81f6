import assert from "node:assert/strict";
import { after, before } from "node:test";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { eachPage, type PagedList } from "#lib/harness/pages.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { everyFactTold } from "#lib/harness/told.ts";
import { followSets } from "#lib/readmodel/families.ts";
import { setStateOf } from "#lib/readmodel/member-set.ts";
import { askStandings, type Standings, standingsByTruth, standingsIn } from "#lib/readmodel/standing.ts";
import { newId } from "#lib/storage/id.ts";

let place: Scratch;
/** The graph service of this test file. */
export let system: Booted<"graph">;
before(async () => {
  place = scratch(process.env);
  system = await boot(place, ["graph"]);
});
after(async () => {
  await system?.stop();
  await place?.close();
});

export const as = (viewerId?: string) => system.as(viewerId);
export const text = (id: bigint) => String(id);

/** Accounts of a test's own. */
export async function accounts(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => text(newId()));
  await Promise.all(ids.map((userId) => system.clients.graph.createAccount({ userId }, as())));
  return ids;
}

/** Makes people follow: pairs of follower and followee, one after another. */
export async function follow(...pairs: readonly (readonly [follower: string, followee: string])[]): Promise<void> {
  for (const [follower, userId] of pairs) await system.clients.graph.followUser({ userId }, as(follower));
}

export const rows = (sql: string, ...params: string[]) => system.db("graph").query(sql, params);

/** The set of a viewer as readers of Redis see it. */
export async function setInRedis(viewer: string): Promise<{ members: string[]; version: string | null }> {
  const id = BigInt(viewer);
  const { redis } = system;
  const pipeline = redis.pipeline().smembers(followSets.setKey(redis, id)).get(followSets.stateKey(redis, id));
  const [members, state] = (await redis.run(pipeline)) as [string[], string | null];
  return { members: members.sort(), version: setStateOf(state)?.version.toString() ?? null };
}

/** The relay is done: counts are folded, and it drops no set any more. */
export const allTold = () => everyFactTold(system.db("graph"));

/** A set is as it should be, or gone: the relay may find a change committed that its writer is about to apply. */
export async function assertRightOrGone(viewer: string, members: string[], version: string): Promise<void> {
  const found = await setInRedis(viewer);
  assert.deepEqual(
    found,
    found.version === null ? { members: [], version: null } : { members: members.sort(), version },
  );
}

/** The pages of a list of people. */
export const pagesOf = async (list: PagedList<{ userIds: string[]; nextPageToken: string }>, pageSize: number) =>
  (await eachPage(list, pageSize)).map(({ userIds }) => userIds);

export const setPrivate = (userId: string, isPrivate = true) =>
  system.clients.graph.updateAccount({ private: isPrivate }, as(userId));

/** What a viewer is told about how they stand to somebody: the names of what is so. */
export async function relation(viewer: string, userId: string): Promise<string[]> {
  const { relationships } = await system.clients.graph.batchGetRelationships({ userIds: [userId] }, as(viewer));
  return Object.entries(relationships[0] ?? {}).flatMap(([name, is]) => (is === true ? [name] : []));
}

/** Followers and followings of each account, once all is counted. */
export async function counts(...userIds: string[]): Promise<number[]> {
  await allTold();
  const { graph } = system.clients;
  const found = await Promise.all(userIds.map((id) => graph.batchGetAccounts({ userIds: [id] }, as(id))));
  return found.flatMap(({ accounts: [account] }) => [Number(account?.followerCount), Number(account?.followingCount)]);
}

/** How accounts stand to a viewer as readers of Redis have it; those it says nothing of are not in the map. */
export async function seenByReaders(viewer: string | undefined, userIds: readonly string[]): Promise<Standings> {
  const { redis } = system;
  const [viewerId, ids] = [viewer === undefined ? undefined : BigInt(viewer), userIds.map(BigInt)];
  const pipeline = redis.pipeline();
  askStandings(redis, pipeline, viewerId, ids);
  return standingsIn(await redis.run(pipeline), viewerId, ids);
}

/** The same from truth, which leaves it in Redis. */
export const standings = (viewer: string | undefined, userIds: readonly string[]): Promise<Standings> =>
  standingsByTruth(system.clients.graph, viewer === undefined ? undefined : BigInt(viewer), userIds.map(BigInt), as());

/** A person's rows, the other ends of them, their counts, and what readers are left with agree. */
export async function assertSetsTrue(userId: string, among: readonly string[]): Promise<void> {
  const ids = async (sql: string) => (await rows(sql, userId)).map(({ id }) => String(id)).sort();
  const following = await ids("SELECT followee_id AS id FROM follow WHERE follower_id = ? AND following = 1");
  const followers = await ids("SELECT follower_id AS id FROM follow WHERE followee_id = ? AND following = 1");
  assert.deepEqual(
    await ids("SELECT followee_id AS id FROM follower WHERE follower_id = ? AND following = 1"),
    following,
  );
  assert.deepEqual(
    await ids("SELECT follower_id AS id FROM follower WHERE followee_id = ? AND following = 1"),
    followers,
  );
  assert.deepEqual(await counts(userId), [followers.length, following.length]);
  const others = among.filter((id) => id !== userId);
  const seen = await seenByReaders(userId, others);
  const truth = await standings(userId, others);
  for (const [id, standing] of seen) assert.deepEqual(standing, truth.get(id), `${userId} on ${id}`);
  assert.deepEqual(await seenByReaders(userId, others), truth);
}
