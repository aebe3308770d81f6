import assert from "node:assert/strict";
import { after, before } from "node:test";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { eachPage, type PagedList } from "#lib/harness/pages.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { everyFactTold } from "#lib/harness/told.ts";
import { followSets } from "#lib/readmodel/families.ts";
import { setStateOf } from "#lib/readmodel/member-set.ts";
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
