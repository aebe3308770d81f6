import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { accounts, allTold, as, assertSetsTrue, follow, rows, setPrivate, system } from "./world.ts";

/** What a person may be told, where others change things at the same time; anything else is a bug. */
const lawful: readonly Code[] = [Code.NotFound, Code.FailedPrecondition, Code.Aborted];
const raced = (call: Promise<unknown>): Promise<void> =>
  call.then(
    () => {},
    (reason) => assert.ok(lawful.includes(ConnectError.from(reason).code), String(reason)),
  );

/** Followers at the moment when something that forbids new ones answered, and after all who wanted to follow were answered. */
async function followersAround(forbid: (owner: string) => Promise<unknown>) {
  const [owner, ...fans] = (await accounts(25)) as [string, ...string[]];
  const followers = async () =>
    (await rows("SELECT follower_id AS id FROM follower WHERE followee_id = ? AND following = 1", owner))
      .map(({ id }) => String(id))
      .sort();
  const want = (userId: string) => raced(system.clients.graph.followUser({ userId: owner }, as(userId)));
  const [first, last] = [fans.slice(0, 12), fans.slice(12)];
  const wanting = first.map(want);
  const forbidden = forbid(owner);
  wanting.push(...last.map(want));
  await forbidden;
  const then = await followers();
  await Promise.all(wanting);
  return { then, after: await followers(), fans };
}

test("nobody comes to follow an account unasked once it answered that it is private, nor one that was suspended", {
  timeout: 60_000,
}, async () => {
  const forbidding = [
    setPrivate,
    (userId: string) => system.operator.graph.setAccountState({ userId, state: 3 }, as()),
    (userId: string) => system.clients.graph.setOwnState({ state: 2 }, as(userId)),
  ];
  let met = 0;
  for (const forbid of forbidding) {
    for (let round = 0; round < 4; round++) {
      const { then, after, fans } = await followersAround(forbid);
      assert.deepEqual(after, then);
      if (then.length > 0 && then.length < fans.length) met++;
    }
  }
  assert.ok(met > 0, "no follow met what forbids it");
});

test("whatever meets, nobody follows or asks across a block, and both ends, counts and sets say the same", {
  timeout: 60_000,
}, async () => {
  const people = (await accounts(4)) as [string, string, string, string];
  const { graph } = system.clients;
  await setPrivate(people[0]);
  const calls = [
    graph.followUser,
    graph.followUser,
    graph.acceptFollowRequest,
    graph.blockUser,
    graph.unblockUser,
    graph.unfollowUser,
    graph.removeFollower,
    graph.declineFollowRequest,
  ];
  for (let round = 0; round < 8; round++) {
    const meeting = people.flatMap((one, nth) =>
      people.flatMap((userId, other) => {
        if (one === userId) return [];
        const call = calls[(round * 5 + nth * 3 + other) % calls.length] as (typeof calls)[number];
        return [raced(call({ userId }, as(one))), raced(graph.getFollowSet({ userId: one }, as()))];
      }),
    );
    await Promise.all(meeting);
    const across = await system
      .db("graph")
      .query(
        "SELECT f.follower_id, f.followee_id FROM follow f JOIN tie t ON t.user_id = f.follower_id AND t.other_id = f.followee_id AND t.kind IN (1, 2) AND t.held = 1 WHERE f.following > 0 AND f.follower_id IN (?)",
        [people],
      );
    assert.deepEqual(across, []);
  }
  await allTold();
  for (const one of people) await assertSetsTrue(one, people);
});

test("one pair that follows and blocks at once ends in one of the two", { timeout: 60_000 }, async () => {
  const { graph } = system.clients;
  for (let round = 0; round < 20; round++) {
    const [a, b] = (await accounts(2)) as [string, string];
    if (round % 2 === 0) await follow([b, a]);
    await Promise.all([
      raced(graph.followUser({ userId: b }, as(a))),
      raced(graph.blockUser({ userId: a }, as(b))),
      raced(graph.followUser({ userId: a }, as(b))),
    ]);
    const held = await rows("SELECT 1 FROM tie WHERE user_id = ? AND other_id = ? AND kind = 1 AND held = 1", b, a);
    const followed = await rows("SELECT 1 FROM follow WHERE following = 1 AND follower_id IN (?, ?)", a, b);
    assert.deepEqual([held.length, followed.length], [1, 0]);
  }
});
