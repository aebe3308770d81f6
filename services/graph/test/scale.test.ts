import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { refused } from "#lib/harness/refused.ts";
import { until } from "#lib/harness/until.ts";
import { newId } from "#lib/storage/id.ts";
import { accounts, allTold, as, follow, rows, setInRedis, system, text } from "./world.ts";

test("ScanFollowers packs 4,096 by ascending id, and goes on after any of them", { timeout: 30_000 }, async () => {
  const [star] = (await accounts(1)) as [string];
  const fans = Array.from({ length: 4_500 }, () => newId()).sort((a, b) => (a < b ? -1 : 1));
  const lists = fans.map((id) => ({ followerId: text(id), followeeIds: [BigInt(star)] })).reverse();
  assert.equal((await system.operator.graph.importFollows({ lists }, as())).createdCount, 4_500n);
  const left = fans[10] as bigint;
  await system.clients.graph.unfollowUser({ userId: star }, as(text(left)));
  const standing = fans.filter((id) => id !== left);
  const scan = async (userId: string, afterUserId = "", pageLimit = 0) => {
    const pages: bigint[][] = [];
    for await (const { followerIds } of system.clients.graph.scanFollowers({ userId, afterUserId, pageLimit }, as()))
      pages.push(followerIds);
    return pages;
  };
  assert.deepEqual(await scan(star), [standing.slice(0, 4_096), standing.slice(4_096)]);
  assert.deepEqual(await scan(star, "", 1), [standing.slice(0, 4_096)]);
  assert.deepEqual(await scan(star, text(standing[4_000] as bigint)), [standing.slice(4_001)]);
  assert.deepEqual(await scan(star, text(standing.at(-1) as bigint)), []);
  assert.deepEqual(await scan(text(left)), []);
});

test("ImportFollows opens accounts, skips what is there, tells one fact a follower, and every reader obeys", async () => {
  const [a, b] = (await accounts(2)) as [string, string];
  const [fresh, alone] = [newId(), newId()];
  await follow([a, b]);
  await system.clients.graph.getFollowSet({ userId: a }, as());
  const lists = [
    { followerId: a, followeeIds: [BigInt(b), fresh, fresh, BigInt(a)] },
    { followerId: text(alone), followeeIds: [] },
    { followerId: b, followeeIds: [BigInt(a)] },
  ];
  assert.equal((await system.operator.graph.importFollows({ lists }, as())).createdCount, 2n);
  assert.deepEqual(await setInRedis(a), { members: [], version: null }, "the set from before is gone");
  assert.equal((await system.operator.graph.importFollows({ lists }, as())).createdCount, 0n);
  await allTold();
  const { accounts: found } = await system.clients.graph.batchGetAccounts(
    { userIds: [a, b, text(fresh), text(alone)] },
    as(a),
  );
  assert.deepEqual(
    found.map(({ followerCount, followingCount, viewer }) => [followerCount, followingCount, viewer?.following]),
    [
      [1n, 2n, false],
      [1n, 1n, true],
      [1n, 0n, true],
      [0n, 0n, false],
    ],
  );
  const set = await system.clients.graph.getFollowSet({ userId: a }, as());
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
      const call = (worker + turn) % 3 === 0 ? system.clients.graph.unfollowUser : system.clients.graph.followUser;
      await call({ userId: to }, as(from));
    }
  });
  await Promise.all(turns.map((turn) => turn()));
  await allTold();
  const { accounts: counted } = await system.clients.graph.batchGetAccounts({ userIds: people }, as());
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
    system.clients.graph.followUser({ userId: star }, as(fan)).then(
      () => void answered.push(fan),
      () => {},
    ),
  );
  await until("a few are answered", () => answered.length >= 5);
  await system.kill("graph", "SIGKILL");
  await Promise.all(following);
  await system.start("graph");
  const standing = await system.clients.graph.listFollowers({ userId: star, pageSize: 100 }, as());
  for (const fan of answered) assert.ok(standing.userIds.includes(fan), `${fan} was answered`);
  for (const fan of fans) await follow([fan, star]);
  await allTold();
  const { accounts: counted } = await system.clients.graph.batchGetAccounts({ userIds: [star] }, as());
  assert.equal(counted[0]?.followerCount, 40n);
  for (const fan of fans) {
    const { members } = await setInRedis(fan);
    assert.ok(members.length === 0 || members.includes(star), "a set is right or gone");
  }
});

test("BatchScanFollowers answers the first followers of each, in the order asked; 64 users and 16,384 followers at most", async () => {
  const [many, few, nobody] = [newId(), newId(), newId()];
  const followers = Array.from({ length: 30 }, () => newId()).sort((a, b) => (a < b ? -1 : 1));
  const lists = followers.map((id, nth) => ({
    followerId: String(id),
    followeeIds: nth < 2 ? [many, few] : [many],
  }));
  await system.operator.graph.importFollows({ lists }, as());
  const scan = (userIds: readonly bigint[], limit: number) =>
    system.clients.graph.batchScanFollowers({ userIds: userIds.map(String), limit }, as());
  const { pages } = await scan([few, many, nobody, few], 10);
  assert.deepEqual(
    pages.map(({ followerIds }) => followerIds),
    [followers.slice(0, 2), followers.slice(0, 10), [], followers.slice(0, 2)],
  );
  const users = Array.from({ length: 65 }, () => many);
  await refused(scan(users, 1), Code.InvalidArgument, "validation", "user_ids");
  await refused(scan([many], 16_385), Code.InvalidArgument, "validation", "limit");
  await refused(scan([many], 0), Code.InvalidArgument, "validation", "limit");
});
