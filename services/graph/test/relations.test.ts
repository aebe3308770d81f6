import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import { newId } from "#lib/storage/id.ts";
import {
  accounts,
  allTold,
  as,
  counts,
  follow,
  pagesOf,
  relation,
  rows,
  setPrivate,
  standings,
  system,
  text,
} from "./world.ts";

const { ACTIVE, DEACTIVATED, SUSPENDED, GONE } = AccountState;

test("who would follow a private account asks, and follows once they are let", async () => {
  const [owner, fan] = (await accounts(2)) as [string, string];
  const { graph } = system.clients;
  await setPrivate(owner);
  await follow([fan, owner], [fan, owner]);
  assert.deepEqual(await relation(fan, owner), ["requested"]);
  assert.deepEqual(await relation(owner, fan), ["requestedBy"]);
  assert.deepEqual((await graph.listFollowRequests({}, as(owner))).userIds, [fan]);
  assert.deepEqual((await graph.listSentFollowRequests({}, as(fan))).userIds, [owner]);
  assert.deepEqual((await graph.getFollowSet({ userId: fan }, as())).followeeIds, []);
  assert.deepEqual(await counts(owner, fan), [0, 0, 0, 0], "a request counts nowhere");
  for (let again = 0; again < 2; again++) {
    const { relationship } = await graph.acceptFollowRequest({ userId: fan }, as(owner));
    assert.equal(relationship?.followedBy, true);
  }
  assert.deepEqual(await relation(fan, owner), ["following"]);
  assert.deepEqual((await graph.listFollowRequests({}, as(owner))).userIds, []);
  assert.deepEqual((await graph.getFollowSet({ userId: fan }, as())).followeeIds, [BigInt(owner)]);
  assert.deepEqual(await counts(owner, fan), [1, 0, 0, 1]);
});

test("a request may be taken back and declined, and asked again; a follower may be removed", async () => {
  const [owner, fan] = (await accounts(2)) as [string, string];
  const { graph } = system.clients;
  await setPrivate(owner);
  await refused(graph.acceptFollowRequest({ userId: fan }, as(owner)), Code.NotFound, "not-found");
  await follow([fan, owner]);
  await graph.unfollowUser({ userId: owner }, as(fan));
  assert.deepEqual(await relation(fan, owner), []);
  await refused(graph.acceptFollowRequest({ userId: fan }, as(owner)), Code.NotFound, "not-found");
  for (let round = 0; round < 2; round++) {
    await follow([fan, owner]);
    for (let again = 0; again < 2; again++) await graph.declineFollowRequest({ userId: fan }, as(owner));
    assert.deepEqual(await relation(fan, owner), []);
  }
  await follow([fan, owner]);
  await graph.removeFollower({ userId: fan }, as(owner));
  assert.deepEqual(await relation(fan, owner), ["requested"], "who asks is no follower");
  await graph.acceptFollowRequest({ userId: fan }, as(owner));
  await graph.declineFollowRequest({ userId: fan }, as(owner));
  assert.deepEqual(await relation(fan, owner), ["following"], "a follower is nobody who asks");
  for (let again = 0; again < 2; again++) await graph.removeFollower({ userId: fan }, as(owner));
  assert.deepEqual(await relation(fan, owner), []);
  assert.deepEqual(await counts(owner, fan), [0, 0, 0, 0]);
});

test("an account that opens up is followed without asking, also by who asked; followers stay when it closes", async () => {
  const [owner, fan, other] = (await accounts(3)) as [string, string, string];
  await follow([other, owner]);
  await setPrivate(owner);
  await follow([fan, owner], [other, owner]);
  assert.deepEqual(await relation(other, owner), ["following"]);
  await setPrivate(owner, false);
  assert.deepEqual(await relation(fan, owner), ["requested"], "requests stay open");
  await follow([fan, owner]);
  assert.deepEqual(await relation(fan, owner), ["following"]);
  assert.deepEqual(await counts(owner), [2, 0]);
});

test("a block ends follows and requests both ways, hides the blocker, and undoes nothing when it ends", async () => {
  const [blocker, other] = (await accounts(2)) as [string, string];
  const { graph } = system.clients;
  await follow([blocker, other]);
  await setPrivate(blocker);
  await follow([other, blocker]);
  const near = (owner: string, userId: string) => graph.addListMember({ listId: "close-friends", userId }, as(owner));
  await near(blocker, other);
  await near(other, blocker);
  for (let again = 0; again < 2; again++) {
    const { relationship } = await graph.blockUser({ userId: other }, as(blocker));
    assert.deepEqual(
      [relationship?.blocking, relationship?.following, relationship?.requestedBy],
      [true, false, false],
    );
  }
  assert.deepEqual((await graph.listBlocks({}, as(blocker))).userIds, [other]);
  assert.deepEqual(await relation(other, blocker), [], "nobody is told who blocks them");
  for (const one of [blocker, other]) assert.equal((await graph.listLists({}, as(one))).lists[0]?.memberCount, 0);
  assert.deepEqual(await counts(blocker, other), [0, 0, 0, 0]);
  for (const call of [graph.followUser, graph.blockUser, graph.muteUser, graph.removeFollower])
    await refused(call({ userId: blocker }, as(other)), Code.NotFound, "not-found");
  await refused(graph.followUser({ userId: other }, as(blocker)), Code.FailedPrecondition, "blocking");
  assert.equal((await graph.batchGetAccounts({ userIds: [blocker] }, as(other))).accounts[0]?.userId, "");
  assert.equal((await graph.batchGetAccounts({ userIds: [other] }, as(blocker))).accounts[0]?.userId, other);
  for (let again = 0; again < 2; again++) await graph.unblockUser({ userId: other }, as(blocker));
  assert.deepEqual(await relation(blocker, other), []);
  assert.deepEqual((await graph.listBlocks({}, as(blocker))).userIds, []);
  assert.equal((await standings(other, [blocker])).get(BigInt(blocker))?.closeFriendOf, false);
  const facts = await rows("SELECT version FROM outbox WHERE aggregate = ?", `block:${blocker}:${other}`);
  assert.deepEqual(facts.map(({ version }) => Number(version)).sort(), [1, 2]);
});

test("two who block each other may each end it", async () => {
  const [a, b] = (await accounts(2)) as [string, string];
  const { graph } = system.clients;
  await Promise.allSettled([graph.blockUser({ userId: b }, as(a)), graph.blockUser({ userId: a }, as(b))]);
  await graph.blockUser({ userId: b }, as(a)).catch(() => {});
  const blocks = async () => [await relation(a, b), await relation(b, a)].flat();
  assert.equal((await blocks()).length, 1, "who is blocked finds nobody to block");
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const)
    await graph.unblockUser({ userId: other }, as(one)).catch(() => {});
  assert.deepEqual(await blocks(), []);
});

test("lists leave out who is not there for their viewer, are filled up, and go on", async () => {
  const [star, viewer, ...fans] = (await accounts(10)) as [string, string, ...string[]];
  const { graph } = system.clients;
  for (const fan of fans) await follow([fan, star]);
  await graph.blockUser({ userId: viewer }, as(fans[7]));
  await graph.blockUser({ userId: fans[6] as string }, as(viewer));
  await graph.setOwnState({ state: DEACTIVATED }, as(fans[4]));
  const shown = [5, 3, 2, 1, 0].map((nth) => fans[nth]);
  const list = (request: object) => graph.listFollowers({ userId: star, ...request }, as(viewer));
  assert.deepEqual(await pagesOf(list, 2), [shown.slice(0, 2), shown.slice(2, 4), shown.slice(4)]);
  assert.deepEqual((await graph.listFollowers({ userId: star }, as())).userIds.length, 7);
  await setPrivate(star);
  for (const call of [graph.listFollowers, graph.listFollowing]) {
    await refused(call({ userId: star }, as(viewer)), Code.NotFound, "not-found");
    await refused(call({ userId: star }, as()), Code.NotFound, "not-found");
    await call({ userId: star }, as(fans[0]));
    await call({ userId: star }, as(star));
  }
});

test("mutuals and familiar followers are among whom the viewer follows", async () => {
  const [viewer, star, ...others] = (await accounts(7)) as [string, string, ...string[]];
  const [a, b, c, d] = others as [string, string, string, string];
  await follow([viewer, a], [viewer, b], [viewer, c], [a, viewer], [c, viewer], [d, viewer]);
  await follow([a, star], [b, star], [d, star]);
  const { graph } = system.clients;
  assert.deepEqual((await graph.listMutuals({}, as(viewer))).userIds, [c, a]);
  const familiar = () => graph.listFamiliarFollowers({ userId: star }, as(viewer));
  assert.deepEqual((await familiar()).userIds, [b, a]);
  await system.clients.graph.blockUser({ userId: viewer }, as(b));
  assert.deepEqual((await familiar()).userIds, [a]);
  await setPrivate(star);
  await refused(familiar(), Code.NotFound, "not-found");
});

test("who suspended, closed or ended an account reads it, changes nothing, and is there for nobody", async () => {
  const { graph } = system.clients;
  const [other] = (await accounts(1)) as [string];
  for (const name of ["SUSPENDED", "DEACTIVATED", "GONE"] as const) {
    const state = AccountState[name];
    const [person] = (await accounts(1)) as [string];
    if (name === "SUSPENDED") await system.operator.graph.setAccountState({ userId: person, state }, as());
    else await graph.setOwnState({ state }, as(person));
    const reason = `account-${name.toLowerCase()}`;
    for (const call of [graph.followUser, graph.unfollowUser, graph.blockUser, graph.muteUser, graph.removeFollower]) {
      await refused(call({ userId: other }, as(person)), Code.PermissionDenied, reason);
      await refused(call({ userId: person }, as(other)), Code.NotFound, "not-found");
    }
    await refused(graph.muteWord({ word: "a" }, as(person)), Code.PermissionDenied, reason);
    await refused(graph.createList({ name: "a", idempotencyKey: "a" }, as(person)), Code.PermissionDenied, reason);
    await refused(graph.updateAccount({ private: true }, as(person)), Code.PermissionDenied, reason);
    assert.equal((await graph.batchGetAccounts({ userIds: [person] }, as(other))).accounts[0]?.userId, "");
    const own = (await graph.batchGetAccounts({ userIds: [person] }, as(person))).accounts[0]?.userId;
    assert.equal(own, name === "GONE" ? "" : person);
    if (name === "DEACTIVATED")
      assert.equal((await graph.setOwnState({ state: ACTIVE }, as(person))).account?.state, ACTIVE);
    else await refused(graph.setOwnState({ state: ACTIVE }, as(person)), Code.PermissionDenied, reason);
  }
});

test("the operator suspends and opens again, also twice, but nobody who closed or ended their account", async () => {
  const { graph } = system.clients;
  const [person, closed, gone] = (await accounts(3)) as [string, string, string];
  const set = (userId: string, state: AccountState) => system.operator.graph.setAccountState({ userId, state }, as());
  await refused(
    graph.setAccountState({ userId: person, state: SUSPENDED }, as(person)),
    Code.PermissionDenied,
    "forbidden",
  );
  for (const state of [SUSPENDED, SUSPENDED, ACTIVE, ACTIVE]) await set(person, state);
  assert.equal((await graph.getAccount({}, as(person))).account?.state, ACTIVE);
  const facts = await rows("SELECT version FROM outbox WHERE aggregate = ?", `account:${person}`);
  assert.deepEqual(facts.map(({ version }) => Number(version)).sort(), [1, 2, 3]);
  await graph.setOwnState({ state: DEACTIVATED }, as(closed));
  await graph.setOwnState({ state: GONE }, as(gone));
  await refused(set(closed, ACTIVE), Code.FailedPrecondition, "account-deactivated");
  for (const state of [ACTIVE, SUSPENDED]) await refused(set(gone, state), Code.FailedPrecondition, "account-gone");
  await refused(set(text(newId()), SUSPENDED), Code.NotFound, "not-found");
  await refused(set(person, DEACTIVATED), Code.InvalidArgument, "validation", "state");
});

test("nobody has more than 1,000 requests without an answer, and none is let past 5,000 followings", {
  timeout: 30_000,
}, async () => {
  const [fan, owner, more] = (await accounts(3)) as [string, string, string];
  const { graph } = system.clients;
  for (const id of [owner, more]) await setPrivate(id);
  await follow([fan, owner]);
  const asked = Array.from({ length: 999 }, () => newId());
  const insert = `INSERT INTO follow (follower_id, followee_id, edge_id, following, version) VALUES ${asked.map((id) => `(${fan}, ${id}, ${id}, 2, 1)`).join(", ")}`;
  await system.db("graph").exec(insert);
  await refused(graph.followUser({ userId: more }, as(fan)), Code.ResourceExhausted, "follow-limit");
  await graph.followUser({ userId: owner }, as(fan));
  await system.db("graph").exec("UPDATE account SET following_count = 5000 WHERE user_id = ?", [fan]);
  await refused(graph.acceptFollowRequest({ userId: fan }, as(owner)), Code.ResourceExhausted, "follow-limit");
});

test("an import follows nobody across a block", async () => {
  const [a, b, c] = (await accounts(3)) as [string, string, string];
  await system.clients.graph.blockUser({ userId: b }, as(a));
  const lists = [
    { followerId: a, followeeIds: [BigInt(b), BigInt(c)] },
    { followerId: b, followeeIds: [BigInt(a), BigInt(c)] },
  ];
  assert.equal((await system.operator.graph.importFollows({ lists }, as())).createdCount, 2n);
  await allTold();
  assert.deepEqual(await counts(a, b, c), [0, 1, 0, 1, 2, 0]);
});
