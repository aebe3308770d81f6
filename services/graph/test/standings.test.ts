import assert from "node:assert/strict";
import { test } from "node:test";
import type { Standing } from "#lib/readmodel/audience.ts";
import { tieSets } from "#lib/readmodel/families.ts";
import { newId } from "#lib/storage/id.ts";
import { accounts, allTold, as, follow, seenByReaders, setPrivate, standings, system, text } from "./world.ts";

test("BatchGetStandings leaves all that readers need, and they then say the same without it", async () => {
  const [viewer, a, b, c, d] = (await accounts(5)) as [string, string, string, string, string];
  await follow([viewer, a]);
  await setPrivate(b);
  await system.clients.graph.muteUser({ userId: b }, as(viewer));
  await system.clients.graph.addListMember({ listId: "close-friends", userId: viewer }, as(b));
  await system.clients.graph.blockUser({ userId: viewer }, as(c));
  await system.clients.graph.blockUser({ userId: d }, as(viewer));
  await allTold();
  await system.flush();
  const ids = [a, b, c, d, viewer];
  for (const who of [viewer, undefined]) {
    assert.deepEqual(await seenByReaders(who, ids), new Map(), "nothing is known of a viewer who was never asked for");
    const truth = await standings(who, [...ids, text(newId())]);
    assert.equal([...truth.values()].filter(({ state }) => state === 0).length, 1, "one is no account");
    const seen = await seenByReaders(who, ids);
    assert.deepEqual(seen, new Map([...truth].slice(0, ids.length)));
    if (who === undefined) break;
    assert.deepEqual(
      ids.map((id) => namesOf(seen.get(BigInt(id)))),
      [["following"], ["isPrivate", "muting", "closeFriendOf"], ["blockedBy"], ["blocking"], []],
    );
    await system.flush();
  }
});

/** What readers say of two people right after a change answered, either way; nothing where truth is to be asked. */
async function bothSeen(a: string, b: string) {
  const [ab, ba] = await Promise.all([seenByReaders(a, [b]), seenByReaders(b, [a])]);
  return [ab.get(BigInt(b)), ba.get(BigInt(a))] as const;
}

test("readers obey every change when it answers, whether they had it or ask", async () => {
  const [a, b] = (await accounts(2)) as [string, string];
  const { graph } = system.clients;
  const changes: [name: string, change: () => Promise<unknown>][] = [
    ["follow", () => graph.followUser({ userId: b }, as(a))],
    ["private", () => setPrivate(b)],
    ["remove", () => graph.removeFollower({ userId: a }, as(b))],
    ["ask", () => graph.followUser({ userId: b }, as(a))],
    ["accept", () => graph.acceptFollowRequest({ userId: a }, as(b))],
    ["close friend", () => graph.addListMember({ listId: "close-friends", userId: a }, as(b))],
    ["mute", () => graph.muteUser({ userId: b }, as(a))],
    ["close friend too", () => graph.addListMember({ listId: "close-friends", userId: b }, as(a))],
    ["block", () => graph.blockUser({ userId: a }, as(b))],
    ["unblock", () => graph.unblockUser({ userId: a }, as(b))],
    ["unmute", () => graph.unmuteUser({ userId: b }, as(a))],
    ["close friend again", () => graph.addListMember({ listId: "close-friends", userId: a }, as(b))],
    ["no close friend", () => graph.removeListMember({ listId: "close-friends", userId: a }, as(b))],
    ["deactivate", () => graph.setOwnState({ state: 2 }, as(b))],
    ["reactivate", () => graph.setOwnState({ state: 1 }, as(b))],
    ["suspend", () => system.operator.graph.setAccountState({ userId: b, state: 3 }, as())],
    ["end", () => system.operator.graph.setAccountState({ userId: b, state: 1 }, as())],
  ];
  for (const [name, change] of changes) {
    await Promise.all([standings(a, [b]), standings(b, [a])]);
    await change();
    const seen = await bothSeen(a, b);
    const truth = await Promise.all([standings(a, [b]), standings(b, [a])]);
    const due = [truth[0].get(BigInt(b)), truth[1].get(BigInt(a))];
    for (const [nth, standing] of seen.entries())
      if (standing !== undefined) assert.deepEqual(standing, due[nth], name);
    await allTold();
    assert.deepEqual(await bothSeen(a, b), due, `${name}: truth left it there`);
  }
});

test("who has more ties than a set holds has none, and is answered by truth", { timeout: 30_000 }, async () => {
  const [viewer, a] = (await accounts(2)) as [string, string];
  await system.clients.graph.blockUser({ userId: a }, as(viewer));
  for (let part = 0; part < 4; part++) {
    const many = Array.from({ length: 5_000 }, () => newId()).map((id) => `(${viewer}, ${id}, 2, 1, 1, ${id})`);
    await system
      .db("graph")
      .exec(`INSERT INTO tie (user_id, other_id, kind, held, version, edge_id) VALUES ${many.join()}`);
  }
  await system.flush();
  assert.equal((await standings(viewer, [a])).get(BigInt(a))?.blocking, true);
  assert.equal((await seenByReaders(viewer, [a])).size, 0);
  const [size] = await system.redis.run(system.redis.pipeline().scard(tieSets.setKey(system.redis, BigInt(viewer))));
  assert.equal(size, 0);
});

const namesOf = (standing: Standing | undefined): string[] =>
  Object.entries(standing ?? {}).flatMap(([name, is]) => (is === true ? [name] : []));
