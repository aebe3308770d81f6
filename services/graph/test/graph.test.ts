import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import { followSets } from "#lib/readmodel/families.ts";
import { newId } from "#lib/storage/id.ts";
import { accounts, allTold, as, assertRightOrGone, follow, pagesOf, rows, setInRedis, system, text } from "./world.ts";

test("CreateAccount opens an account once, however often and at once it is called", async () => {
  const userId = text(newId());
  await Promise.all(Array.from({ length: 8 }, () => system.clients.graph.createAccount({ userId }, as())));
  await system.clients.graph.createAccount({ userId }, as());
  const { accounts: found } = await system.clients.graph.batchGetAccounts({ userIds: [userId] }, as());
  assert.equal(found[0]?.state, AccountState.ACTIVE);
  assert.equal(found[0]?.followerCount, 0n);
  assert.equal(found[0]?.followingCount, 0n);
  const facts = await rows("SELECT type FROM outbox WHERE aggregate = ?", `account:${userId}`);
  assert.deepEqual(
    facts.map(({ type }) => type),
    ["AccountChanged"],
  );
  for (const wrong of ["", "0", "-1", "abc", "9999999999999999999"])
    await refused(
      system.clients.graph.createAccount({ userId: wrong }, as()),
      Code.InvalidArgument,
      "validation",
      "user_id",
    );
});

test("a follow and an unfollow change something once, and each answer says how both stand", async () => {
  const [a, b] = (await accounts(2)) as [string, string];
  const state = async (following: boolean) =>
    (following ? system.clients.graph.followUser : system.clients.graph.unfollowUser)({ userId: b }, as(a)).then(
      ({ relationship }) => ({
        following: relationship?.following,
        followedBy: relationship?.followedBy,
      }),
    );
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
  assert.equal((await system.clients.graph.getFollowSet({ userId: a }, as())).version, 3n);
});

test("following and unfollowing need a viewer, and an account at both ends", async () => {
  const [a, b] = (await accounts(2)) as [string, string];
  const nobody = text(newId());
  for (const call of [system.clients.graph.followUser, system.clients.graph.unfollowUser]) {
    await refused(call({ userId: b }, as()), Code.Unauthenticated, "unauthenticated");
    await refused(call({ userId: a }, as(a)), Code.InvalidArgument, "validation", "user_id");
    await refused(call({ userId: "x" }, as(a)), Code.InvalidArgument, "validation", "user_id");
    await refused(call({ userId: nobody }, as(a)), Code.NotFound, "not-found");
    await refused(call({ userId: b }, as(nobody)), Code.PermissionDenied, "account-gone");
  }
});

test("nobody calls without the key of the deployment, and only the operator imports", async () => {
  const [a] = (await accounts(1)) as [string];
  const forged = system.strangers("operator", randomBytes(32).toString("base64url")).graph;
  await refused(forged.importFollows({ lists: [] }, as()), Code.Unauthenticated, "unauthenticated");
  await refused(forged.batchGetAccounts({ userIds: [a] }, as(a)), Code.Unauthenticated, "unauthenticated");
  await refused(system.clients.graph.importFollows({ lists: [] }, as(a)), Code.PermissionDenied, "forbidden");
  assert.equal((await system.operator.graph.importFollows({ lists: [] }, as())).createdCount, 0n);
});

test("an account follows 5,000 at most", { timeout: 30_000 }, async () => {
  const [viewer, one] = (await accounts(2)) as [string, string];
  const followeeIds = Array.from({ length: 5_000 }, () => newId());
  const tooMany = [
    { followerId: viewer, followeeIds: followeeIds.slice(1) },
    { followerId: one, followeeIds: followeeIds.slice(0, 2) },
  ];
  await refused(
    system.operator.graph.importFollows({ lists: tooMany }, as()),
    Code.InvalidArgument,
    "validation",
    "lists",
  );
  const { createdCount } = await system.operator.graph.importFollows(
    { lists: [{ followerId: viewer, followeeIds }] },
    as(),
  );
  assert.equal(createdCount, 5_000n);
  await refused(system.clients.graph.followUser({ userId: one }, as(viewer)), Code.ResourceExhausted, "follow-limit");
  await system.clients.graph.followUser({ userId: text(followeeIds[7] as bigint) }, as(viewer));
  await system.clients.graph.unfollowUser({ userId: text(followeeIds[7] as bigint) }, as(viewer));
  await system.clients.graph.followUser({ userId: one }, as(viewer));
  await refused(
    system.clients.graph.followUser({ userId: text(followeeIds[7] as bigint) }, as(viewer)),
    Code.ResourceExhausted,
    "follow-limit",
  );
  await allTold();
  const set = await system.clients.graph.getFollowSet({ userId: viewer }, as());
  assert.equal(set.followeeIds.length, 5_000);
  assert.equal((await setInRedis(viewer)).members.length, 5_001, "all of it is in the read model");
});

test("lists are latest first, in pages that neither skip nor repeat while the list changes", async () => {
  const [star, ...fans] = (await accounts(8)) as [string, ...string[]];
  for (const fan of fans) await follow([fan, star], [star, fan]);
  const latest = [...fans].reverse();
  const followers = (request: object) => system.clients.graph.listFollowers({ userId: star, ...request }, as());
  const following = (request: object) => system.clients.graph.listFollowing({ userId: star, ...request }, as());
  for (const list of [followers, following]) {
    assert.deepEqual((await list({})).userIds, latest);
    assert.deepEqual(await pagesOf(list, 3), [latest.slice(0, 3), latest.slice(3, 6), latest.slice(6)]);
    assert.deepEqual(await pagesOf(list, 7), [latest], "a page that ends the list has no token");
  }
  const first = await followers({ pageSize: 3 });
  await system.clients.graph.unfollowUser({ userId: star }, as(latest[1]));
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
  await system.operator.graph.importFollows({ lists }, as());
  const page = (pageSize: number, pageToken = "") =>
    system.clients.graph.listFollowers({ userId: star, pageSize, pageToken }, as());
  assert.equal((await page(0)).userIds.length, 20);
  const { userIds, nextPageToken } = await page(100);
  assert.equal(userIds.length, 100);
  assert.equal((await page(100, nextPageToken)).userIds.length, 20);
  for (const wrong of [101, -1]) {
    await refused(page(wrong), Code.InvalidArgument, "validation", "page_size");
    const size = { userId: star, pageSize: wrong };
    await refused(system.clients.graph.listFollowing(size, as()), Code.InvalidArgument, "validation", "page_size");
  }
  const altered = nextPageToken.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
  const elsewhere = [
    () => system.clients.graph.listFollowing({ userId: star, pageToken: nextPageToken }, as()),
    () => system.clients.graph.listFollowers({ userId: other, pageToken: nextPageToken }, as()),
    () => page(0, altered),
    () => page(0, "?"),
  ];
  for (const call of elsewhere) await refused(call(), Code.InvalidArgument, "invalid-cursor", "page_token");
});

test("a list of no account is NOT_FOUND, one of nobody is empty", async () => {
  const [a] = (await accounts(1)) as [string];
  for (const call of [system.clients.graph.listFollowers, system.clients.graph.listFollowing]) {
    assert.deepEqual((await call({ userId: a }, as())).userIds, []);
    await refused(call({ userId: text(newId()) }, as()), Code.NotFound, "not-found");
    await refused(call({ userId: "abc" }, as()), Code.InvalidArgument, "validation", "user_id");
  }
});

test("GetFollow tells how two stand and since when, also after an unfollow", async () => {
  const [a, b] = (await accounts(2)) as [string, string];
  const look = (followeeId = b) => system.clients.graph.getFollow({ followerId: a, followeeId }, as());
  const never = await look();
  assert.deepEqual([never.following, never.changeTime, never.followSetVersion], [false, undefined, 0n]);
  assert.deepEqual([never.followerState, never.followeeState], [AccountState.ACTIVE, AccountState.ACTIVE]);
  let version = 0n;
  for (const change of [system.clients.graph.followUser, system.clients.graph.unfollowUser]) {
    const fromMs = Date.now();
    await change({ userId: b }, as(a));
    const { following, changeTime, followSetVersion } = await look();
    assert.deepEqual([following, followSetVersion], [change === system.clients.graph.followUser, ++version]);
    const changeMs = changeTime === undefined ? 0 : timestampMs(changeTime);
    assert.ok(changeMs >= fromMs && changeMs <= Date.now(), `${fromMs} ≤ ${changeMs}`);
  }
  assert.equal((await look(text(newId()))).followeeState, AccountState.UNSPECIFIED);
  await refused(look("x"), Code.InvalidArgument, "validation", "followee_id");
});

test("BatchGetAccounts answers in the order asked, absent is empty, 100 at most", async () => {
  const [a, b, c] = (await accounts(3)) as [string, string, string];
  await follow([a, b], [c, a]);
  await allTold();
  const userIds = [c, "abc", b, text(newId()), a, b, ""];
  const shown = async (viewer?: string) =>
    (await system.clients.graph.batchGetAccounts({ userIds }, as(viewer))).accounts;
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
  assert.equal((await system.clients.graph.batchGetAccounts(many(100), as())).accounts.length, 100);
  assert.equal((await system.clients.graph.batchGetAccounts(many(0), as())).accounts.length, 0);
  await refused(system.clients.graph.batchGetAccounts(many(101), as()), Code.InvalidArgument, "validation", "user_ids");
});

test("GetFollowSet leaves the set and its version in the read model, and each change is in it when it answers", async () => {
  const [viewer, a, b] = (await accounts(3)) as [string, string, string];
  const set = await system.clients.graph.getFollowSet({ userId: viewer }, as());
  assert.deepEqual([set.version, set.followeeIds], [0n, []]);
  assert.deepEqual(await setInRedis(viewer), { members: ["0"], version: "0" });
  await follow([viewer, a]);
  await assertRightOrGone(viewer, ["0", a], "1");
  await follow([viewer, b]);
  await system.clients.graph.unfollowUser({ userId: a }, as(viewer));
  await assertRightOrGone(viewer, ["0", b], "3");
  await system.flush();
  await follow([viewer, a]);
  assert.deepEqual(await setInRedis(viewer), { members: [], version: null }, "a change of no set makes none");
  await allTold();
  const again = await system.clients.graph.getFollowSet({ userId: viewer }, as());
  assert.deepEqual([again.version, again.followeeIds.map(text).sort()], [4n, [a, b].sort()]);
  assert.deepEqual(await setInRedis(viewer), { members: ["0", a, b].sort(), version: "4" });
  await refused(system.clients.graph.getFollowSet({ userId: text(newId()) }, as()), Code.NotFound, "not-found");
  await refused(
    system.clients.graph.getFollowSet({ userId: "x" }, as()),
    Code.InvalidArgument,
    "validation",
    "user_id",
  );
});

test("a set whose writer died before it told Redis is dropped when the call comes again", async () => {
  const [viewer, a] = (await accounts(2)) as [string, string];
  await follow([viewer, a]);
  await allTold();
  const keep = await followSets.rebuild(system.redis, BigInt(viewer));
  await keep({ version: 0n, lowWatermark: 0n }, []);
  assert.deepEqual(await setInRedis(viewer), { members: ["0"], version: "0" });
  await follow([viewer, a]);
  assert.deepEqual(await setInRedis(viewer), { members: [], version: null });
});

test("sets that are read while they change are right or gone", async () => {
  const [viewer, ...others] = (await accounts(6)) as [string, ...string[]];
  await Promise.all(
    Array.from({ length: 60 }, (_, nth) => {
      const userId = others[nth % others.length] as string;
      if (nth % 3 === 0) return system.clients.graph.getFollowSet({ userId: viewer }, as());
      return nth % 2 === 0
        ? system.clients.graph.followUser({ userId }, as(viewer))
        : system.clients.graph.unfollowUser({ userId }, as(viewer));
    }),
  );
  const { members, version } = await setInRedis(viewer);
  await allTold();
  const truth = await system.clients.graph.getFollowSet({ userId: viewer }, as());
  if (version !== null || members.length > 0)
    assert.deepEqual(
      { members, version },
      { members: ["0", ...truth.followeeIds.map(text)].sort(), version: text(truth.version) },
    );
  assert.deepEqual((await setInRedis(viewer)).members, ["0", ...truth.followeeIds.map(text)].sort());
});
