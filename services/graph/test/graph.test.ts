import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { refused } from "#lib/harness/refused.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { followSets } from "#lib/readmodel/follow-set.ts";
import { newId } from "#lib/storage/id.ts";

let place: Scratch;
let system: Booted<"graph">;
let graph: Booted<"graph">["clients"]["graph"];
let operator: typeof graph;
before(async () => {
  place = scratch(process.env);
  system = await boot(place, ["graph"]);
  graph = system.clients.graph;
  operator = system.operator.graph;
});
after(async () => {
  await system?.stop();
  await place?.close();
});

const as = (viewerId?: string) => system.as(viewerId);
const text = (id: bigint) => String(id);

/** Accounts of a test's own. */
async function accounts(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => text(newId()));
  await Promise.all(ids.map((userId) => graph.createAccount({ userId }, as())));
  return ids;
}

/** Makes people follow: pairs of follower and followee, one after another. */
async function follow(...pairs: readonly (readonly [follower: string, followee: string])[]): Promise<void> {
  for (const [follower, userId] of pairs) await graph.followUser({ userId }, as(follower));
}

const rows = (sql: string, ...params: string[]) => system.db("graph").query(sql, params);

/** The set of a viewer as readers of Redis see it. */
async function setInRedis(viewer: string): Promise<{ members: string[]; version: string | null }> {
  const id = BigInt(viewer);
  const { redis } = system;
  const pipeline = redis.pipeline().smembers(followSets.setKey(redis, id)).get(followSets.versionKey(redis, id));
  const [members, version] = (await redis.run(pipeline)) as [string[], string | null];
  return { members: members.sort(), version };
}

/** Waits until the relay is through with every fact: until then it may drop a set that was just left in Redis. */
const relayed = () => until("every fact is told", async () => (await rows(untold)).length === 0);
const untold = "SELECT 1 FROM outbox WHERE position IS NULL UNION ALL SELECT 1 FROM relay WHERE published < position";

/** A list page by page: the pages. */
async function pagesOf(
  list: (request: { pageSize: number; pageToken: string }) => Promise<{ userIds: string[]; nextPageToken: string }>,
  pageSize: number,
): Promise<string[][]> {
  const pages: string[][] = [];
  for (let pageToken = ""; ; ) {
    const { userIds, nextPageToken } = await list({ pageSize, pageToken });
    pages.push(userIds);
    if (nextPageToken === "") return pages;
    pageToken = nextPageToken;
  }
}

test("CreateAccount opens an account once, however often and at once it is called", async () => {
  const userId = text(newId());
  await Promise.all(Array.from({ length: 8 }, () => graph.createAccount({ userId }, as())));
  await graph.createAccount({ userId }, as());
  const { accounts: found } = await graph.batchGetAccounts({ userIds: [userId] }, as());
  assert.equal(found[0]?.state, AccountState.ACTIVE);
  assert.equal(found[0]?.followerCount, 0n);
  assert.equal(found[0]?.followingCount, 0n);
  const facts = await rows("SELECT type FROM outbox WHERE aggregate = ?", `account:${userId}`);
  assert.deepEqual(
    facts.map(({ type }) => type),
    ["AccountChanged"],
  );
  for (const wrong of ["", "0", "-1", "abc", "9999999999999999999"])
    await refused(graph.createAccount({ userId: wrong }, as()), Code.InvalidArgument, "validation", "user_id");
});

test("a follow and an unfollow change something once, and each answer says how both stand", async () => {
  const [a, b] = (await accounts(2)) as [string, string];
  const state = async (following: boolean) =>
    (following ? graph.followUser : graph.unfollowUser)({ userId: b }, as(a)).then(({ relationship }) => ({
      following: relationship?.following,
      followedBy: relationship?.followedBy,
    }));
  assert.deepEqual(await state(false), { following: false, followedBy: false });
  assert.deepEqual(await state(true), { following: true, followedBy: false });
  await follow([b, a]);
  assert.deepEqual(await state(true), { following: true, followedBy: true });
  assert.deepEqual(await state(false), { following: false, followedBy: true });
  assert.deepEqual(await state(false), { following: false, followedBy: true });
  assert.deepEqual(await state(true), { following: true, followedBy: true });
  const facts = await rows("SELECT version FROM outbox WHERE aggregate = ? ORDER BY version", `follow:${a}:${b}`);
  assert.deepEqual(
    facts.map(({ version }) => Number(version)),
    [1, 2, 3],
  );
  assert.equal((await graph.getFollowSet({ userId: a }, as())).version, 3n);
});

test("following and unfollowing need a viewer, and an account at both ends", async () => {
  const [a, b] = (await accounts(2)) as [string, string];
  const nobody = text(newId());
  for (const call of [graph.followUser, graph.unfollowUser]) {
    await refused(call({ userId: b }, as()), Code.Unauthenticated, "unauthenticated");
    await refused(call({ userId: a }, as(a)), Code.InvalidArgument, "validation", "user_id");
    await refused(call({ userId: "x" }, as(a)), Code.InvalidArgument, "validation", "user_id");
    await refused(call({ userId: nobody }, as(a)), Code.NotFound, "not-found");
    await refused(call({ userId: b }, as(nobody)), Code.NotFound, "not-found");
  }
});

test("nobody calls without the key of the deployment, and only the operator imports", async () => {
  const [a] = (await accounts(1)) as [string];
  const forged = system.strangers("operator", randomBytes(32).toString("base64url")).graph;
  await refused(forged.importFollows({ lists: [] }, as()), Code.Unauthenticated, "unauthenticated");
  await refused(forged.batchGetAccounts({ userIds: [a] }, as(a)), Code.Unauthenticated, "unauthenticated");
  await refused(graph.importFollows({ lists: [] }, as(a)), Code.PermissionDenied, "forbidden");
  assert.equal((await operator.importFollows({ lists: [] }, as())).createdCount, 0n);
});

test("an account follows 5,000 at most", { timeout: 30_000 }, async () => {
  const [viewer, one] = (await accounts(2)) as [string, string];
  const followeeIds = Array.from({ length: 5_000 }, () => newId());
  const tooMany = [
    { followerId: viewer, followeeIds: followeeIds.slice(1) },
    { followerId: one, followeeIds: followeeIds.slice(0, 2) },
  ];
  await refused(operator.importFollows({ lists: tooMany }, as()), Code.InvalidArgument, "validation", "lists");
  const { createdCount } = await operator.importFollows({ lists: [{ followerId: viewer, followeeIds }] }, as());
  assert.equal(createdCount, 5_000n);
  await refused(graph.followUser({ userId: one }, as(viewer)), Code.ResourceExhausted, "follow-limit");
  await graph.followUser({ userId: text(followeeIds[7] as bigint) }, as(viewer));
  await graph.unfollowUser({ userId: text(followeeIds[7] as bigint) }, as(viewer));
  await graph.followUser({ userId: one }, as(viewer));
  await refused(
    graph.followUser({ userId: text(followeeIds[7] as bigint) }, as(viewer)),
    Code.ResourceExhausted,
    "follow-limit",
  );
  await relayed();
  const set = await graph.getFollowSet({ userId: viewer }, as());
  assert.equal(set.followeeIds.length, 5_000);
  assert.equal((await setInRedis(viewer)).members.length, 5_001, "all of it is in the read model");
});

test("lists are latest first, in pages that neither skip nor repeat while the list changes", async () => {
  const [star, ...fans] = (await accounts(8)) as [string, ...string[]];
  for (const fan of fans) await follow([fan, star], [star, fan]);
  const latest = [...fans].reverse();
  const followers = (request: object) => graph.listFollowers({ userId: star, ...request }, as());
  const following = (request: object) => graph.listFollowing({ userId: star, ...request }, as());
  for (const list of [followers, following]) {
    assert.deepEqual((await list({})).userIds, latest);
    assert.deepEqual(await pagesOf(list, 3), [latest.slice(0, 3), latest.slice(3, 6), latest.slice(6)]);
    assert.deepEqual(await pagesOf(list, 7), [latest], "a page that ends the list has no token");
  }
  const first = await followers({ pageSize: 3 });
  await graph.unfollowUser({ userId: star }, as(latest[1]));
  const [late] = (await accounts(1)) as [string];
  await follow([late, star]);
  const second = await followers({ pageSize: 3, pageToken: first.nextPageToken });
  assert.deepEqual(second.userIds, latest.slice(3, 6));
  await follow([latest[1] as string, star]);
  assert.deepEqual((await followers({})).userIds, [latest[1], late, ...latest.filter((_, nth) => nth !== 1)]);
});

test("a page has 20 entries where nobody says, 100 at most, and its token is bound to its list", async () => {
  const [star, other] = (await accounts(2)) as [string, string];
  const lists = Array.from({ length: 120 }, () => ({
    followerId: text(newId()),
    followeeIds: [BigInt(star), BigInt(other)],
  }));
  lists.push({ followerId: star, followeeIds: lists.map(({ followerId }) => BigInt(followerId)) });
  await operator.importFollows({ lists }, as());
  const page = (pageSize: number, pageToken = "") => graph.listFollowers({ userId: star, pageSize, pageToken }, as());
  assert.equal((await page(0)).userIds.length, 20);
  const { userIds, nextPageToken } = await page(100);
  assert.equal(userIds.length, 100);
  assert.equal((await page(100, nextPageToken)).userIds.length, 20);
  for (const wrong of [101, -1]) {
    await refused(page(wrong), Code.InvalidArgument, "validation", "page_size");
    const size = { userId: star, pageSize: wrong };
    await refused(graph.listFollowing(size, as()), Code.InvalidArgument, "validation", "page_size");
  }
  const altered = nextPageToken.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
  const elsewhere = [
    () => graph.listFollowing({ userId: star, pageToken: nextPageToken }, as()),
    () => graph.listFollowers({ userId: other, pageToken: nextPageToken }, as()),
    () => page(0, altered),
    () => page(0, "?"),
  ];
  for (const call of elsewhere) await refused(call(), Code.InvalidArgument, "invalid-cursor", "page_token");
});

test("a list of no account is NOT_FOUND, one of nobody is empty", async () => {
  const [a] = (await accounts(1)) as [string];
  for (const call of [graph.listFollowers, graph.listFollowing]) {
    assert.deepEqual((await call({ userId: a }, as())).userIds, []);
    await refused(call({ userId: text(newId()) }, as()), Code.NotFound, "not-found");
    await refused(call({ userId: "abc" }, as()), Code.InvalidArgument, "validation", "user_id");
  }
});

test("BatchGetAccounts answers in the order asked, absent is empty, 100 at most", async () => {
  const [a, b, c] = (await accounts(3)) as [string, string, string];
  await follow([a, b], [c, a]);
  await relayed();
  const userIds = [c, "abc", b, text(newId()), a, b, ""];
  const shown = async (viewer?: string) => (await graph.batchGetAccounts({ userIds }, as(viewer))).accounts;
  assert.deepEqual(
    (await shown()).map(({ userId, followerCount, followingCount, viewer }) => [
      userId,
      Number(followerCount),
      Number(followingCount),
      viewer,
    ]),
    [c, "", b, "", a, b, ""].map((id) => [id, id === b || id === a ? 1 : 0, id === c || id === a ? 1 : 0, undefined]),
  );
  assert.deepEqual(
    (await shown(a)).map(({ viewer }) => viewer && [viewer.following, viewer.followedBy]),
    [[false, true], undefined, [true, false], undefined, [false, false], [true, false], undefined],
  );
  const many = (count: number) => ({ userIds: Array.from({ length: count }, () => a) });
  assert.equal((await graph.batchGetAccounts(many(100), as())).accounts.length, 100);
  assert.equal((await graph.batchGetAccounts(many(0), as())).accounts.length, 0);
  await refused(graph.batchGetAccounts(many(101), as()), Code.InvalidArgument, "validation", "user_ids");
});

test("GetFollowSet leaves the set and its version in the read model, and each change is in it when it answers", async () => {
  const [viewer, a, b] = (await accounts(3)) as [string, string, string];
  await relayed();
  const set = await graph.getFollowSet({ userId: viewer }, as());
  assert.deepEqual([set.version, set.followeeIds], [0n, []]);
  assert.deepEqual(await setInRedis(viewer), { members: ["0"], version: "0" });
  await follow([viewer, a]);
  assert.deepEqual(await setInRedis(viewer), { members: ["0", a], version: "1" });
  await follow([viewer, b]);
  await graph.unfollowUser({ userId: a }, as(viewer));
  assert.deepEqual(await setInRedis(viewer), { members: ["0", b], version: "3" });
  await system.flush();
  await follow([viewer, a]);
  assert.deepEqual(await setInRedis(viewer), { members: [], version: null }, "a change of no set makes none");
  await relayed();
  const again = await graph.getFollowSet({ userId: viewer }, as());
  assert.deepEqual([again.version, again.followeeIds.map(text).sort()], [4n, [a, b].sort()]);
  assert.deepEqual(await setInRedis(viewer), { members: ["0", a, b].sort(), version: "4" });
  await refused(graph.getFollowSet({ userId: text(newId()) }, as()), Code.NotFound, "not-found");
  await refused(graph.getFollowSet({ userId: "x" }, as()), Code.InvalidArgument, "validation", "user_id");
});

test("a set whose writer died before it told Redis is dropped when the call comes again", async () => {
  const [viewer, a] = (await accounts(2)) as [string, string];
  await follow([viewer, a]);
  await relayed();
  const keep = await followSets.rebuild(system.redis, BigInt(viewer));
  await keep(0n, []);
  assert.deepEqual(await setInRedis(viewer), { members: ["0"], version: "0" });
  await follow([viewer, a]);
  assert.deepEqual(await setInRedis(viewer), { members: [], version: null });
});

test("sets that are read while they change are right or gone", async () => {
  const [viewer, ...others] = (await accounts(6)) as [string, ...string[]];
  await Promise.all(
    Array.from({ length: 60 }, (_, nth) => {
      const userId = others[nth % others.length] as string;
      if (nth % 3 === 0) return graph.getFollowSet({ userId: viewer }, as());
      return nth % 2 === 0 ? graph.followUser({ userId }, as(viewer)) : graph.unfollowUser({ userId }, as(viewer));
    }),
  );
  const { members, version } = await setInRedis(viewer);
  await relayed();
  const truth = await graph.getFollowSet({ userId: viewer }, as());
  if (version !== null || members.length > 0)
    assert.deepEqual(
      { members, version },
      { members: ["0", ...truth.followeeIds.map(text)].sort(), version: text(truth.version) },
    );
  assert.deepEqual((await setInRedis(viewer)).members, ["0", ...truth.followeeIds.map(text)].sort());
});

test("ScanFollowers packs 4,096 by ascending id, and goes on after any of them", { timeout: 30_000 }, async () => {
  const [star] = (await accounts(1)) as [string];
  const fans = Array.from({ length: 4_500 }, () => newId()).sort((a, b) => (a < b ? -1 : 1));
  const lists = fans.map((id) => ({ followerId: text(id), followeeIds: [BigInt(star)] })).reverse();
  assert.equal((await operator.importFollows({ lists }, as())).createdCount, 4_500n);
  const left = fans[10] as bigint;
  await graph.unfollowUser({ userId: star }, as(text(left)));
  const standing = fans.filter((id) => id !== left);
  const scan = async (userId: string, afterUserId = "") => {
    const pages: bigint[][] = [];
    for await (const { followerIds } of graph.scanFollowers({ userId, afterUserId }, as())) pages.push(followerIds);
    return pages;
  };
  assert.deepEqual(await scan(star), [standing.slice(0, 4_096), standing.slice(4_096)]);
  assert.deepEqual(await scan(star, text(standing[4_000] as bigint)), [standing.slice(4_001)]);
  assert.deepEqual(await scan(star, text(standing.at(-1) as bigint)), []);
  assert.deepEqual(await scan(text(left)), []);
});

test("ImportFollows opens accounts, skips what is there, tells one fact a follower, and every reader obeys", async () => {
  const [a, b] = (await accounts(2)) as [string, string];
  const [fresh, alone] = [newId(), newId()];
  await follow([a, b]);
  await graph.getFollowSet({ userId: a }, as());
  const lists = [
    { followerId: a, followeeIds: [BigInt(b), fresh, fresh, BigInt(a)] },
    { followerId: text(alone), followeeIds: [] },
    { followerId: b, followeeIds: [BigInt(a)] },
  ];
  assert.equal((await operator.importFollows({ lists }, as())).createdCount, 2n);
  assert.deepEqual(await setInRedis(a), { members: [], version: null }, "the set from before is gone");
  assert.equal((await operator.importFollows({ lists }, as())).createdCount, 0n);
  await relayed();
  const { accounts: found } = await graph.batchGetAccounts({ userIds: [a, b, text(fresh), text(alone)] }, as(a));
  assert.deepEqual(
    found.map(({ followerCount, followingCount, viewer }) => [followerCount, followingCount, viewer?.following]),
    [
      [1n, 2n, false],
      [1n, 1n, true],
      [1n, 0n, true],
      [0n, 0n, false],
    ],
  );
  const set = await graph.getFollowSet({ userId: a }, as());
  assert.deepEqual([set.version, set.followeeIds.length], [2n, 2]);
  const facts = await rows(
    "SELECT version FROM outbox WHERE type = 'FollowsImported' AND aggregate = ?",
    `follows:${a}`,
  );
  assert.deepEqual(
    facts.map(({ version }) => Number(version)),
    [2],
  );
});

test("counts are exact after 16 workers followed and unfollowed a few at once", { timeout: 60_000 }, async () => {
  const people = await accounts(5);
  const turns = Array.from({ length: 16 }, (_, worker) => async () => {
    for (let turn = 0; turn < 15; turn++) {
      const from = people[(worker + turn) % people.length] as string;
      const to = people[(worker * 3 + turn * 2 + 1) % people.length] as string;
      if (from === to) continue;
      const call = (worker + turn) % 3 === 0 ? graph.unfollowUser : graph.followUser;
      await call({ userId: to }, as(from));
    }
  });
  await Promise.all(turns.map((turn) => turn()));
  await relayed();
  const { accounts: counted } = await graph.batchGetAccounts({ userIds: people }, as());
  for (const { userId, followerCount, followingCount } of counted) {
    const [followers] = await rows("SELECT COUNT(*) AS n FROM follow WHERE followee_id = ? AND following = 1", userId);
    const [mirrored] = await rows("SELECT COUNT(*) AS n FROM follower WHERE followee_id = ? AND following = 1", userId);
    const [following] = await rows("SELECT COUNT(*) AS n FROM follow WHERE follower_id = ? AND following = 1", userId);
    assert.deepEqual(
      [followerCount, followerCount, followingCount],
      [BigInt(Number(followers?.n)), BigInt(Number(mirrored?.n)), BigInt(Number(following?.n))],
    );
  }
  assert.ok(counted.some(({ followerCount }) => followerCount > 0n));
});

test("kill -9 in the middle of follows: what was answered stands, counts and sets are right", {
  timeout: 60_000,
}, async () => {
  const [star, ...fans] = (await accounts(41)) as [string, ...string[]];
  const answered: string[] = [];
  const following = fans.map((fan) =>
    graph.followUser({ userId: star }, as(fan)).then(
      () => void answered.push(fan),
      () => {},
    ),
  );
  await until("a few are answered", () => answered.length >= 5);
  await system.kill("graph", "SIGKILL");
  await Promise.all(following);
  await system.start("graph");
  const standing = await graph.listFollowers({ userId: star, pageSize: 100 }, as());
  for (const fan of answered) assert.ok(standing.userIds.includes(fan), `${fan} was answered`);
  for (const fan of fans) await follow([fan, star]);
  await relayed();
  const { accounts: counted } = await graph.batchGetAccounts({ userIds: [star] }, as());
  assert.equal(counted[0]?.followerCount, 40n);
  for (const fan of fans) {
    const { members } = await setInRedis(fan);
    assert.ok(members.length === 0 || members.includes(star), "a set is right or gone");
  }
});
