import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { refused } from "#lib/harness/refused.ts";
import { tieSets } from "#lib/readmodel/families.ts";
import { askTies, wordsVersionIn } from "#lib/readmodel/tie.ts";
import { newId } from "#lib/storage/id.ts";
import { accounts, as, pagesOf, relation, rows, standings, system, text } from "./world.ts";

const close = "close-friends";

test("close friends are a list that everybody has, and a tie of who is on it", async () => {
  const [owner, a, b] = (await accounts(3)) as [string, string, string];
  const { graph } = system.clients;
  assert.deepEqual(
    (await graph.listLists({}, as(owner))).lists.map(({ listId, name, memberCount }) => [listId, name, memberCount]),
    [[close, "", 0]],
  );
  for (const userId of [a, a, b]) await graph.addListMember({ listId: close, userId }, as(owner));
  assert.deepEqual((await graph.listListMembers({ listId: close }, as(owner))).userIds, [b, a]);
  assert.equal((await graph.listLists({}, as(owner))).lists[0]?.memberCount, 2);
  assert.deepEqual(await relation(owner, a), ["closeFriend"]);
  assert.deepEqual(await relation(a, owner), [], "nobody is told whose close friend they are");
  assert.equal((await standings(a, [owner])).get(BigInt(owner))?.closeFriendOf, true);
  for (let again = 0; again < 2; again++) await graph.removeListMember({ listId: close, userId: a }, as(owner));
  assert.equal((await standings(a, [owner])).get(BigInt(owner))?.closeFriendOf, false);
  assert.equal((await graph.listLists({}, as(owner))).lists[0]?.memberCount, 1);
  await refused(graph.deleteList({ listId: close }, as(owner)), Code.FailedPrecondition, "close-friends");
  await refused(graph.renameList({ listId: close, name: "x" }, as(owner)), Code.FailedPrecondition, "close-friends");
});

test("a list is made once for its key, renamed, filled, and gone with its members", async () => {
  const [owner, a, stranger] = (await accounts(3)) as [string, string, string];
  const { graph } = system.clients;
  const create = (name: string, idempotencyKey: string) => graph.createList({ name, idempotencyKey }, as(owner));
  const [one, two] = await Promise.all([create("  Friends ", "k"), create("Friends", "k")]);
  assert.equal(one.list?.listId, two.list?.listId);
  assert.deepEqual([one.replayed, two.replayed].sort(), [false, true]);
  await refused(create("Others", "k"), Code.FailedPrecondition, "idempotency-key-reused");
  const listId = one.list?.listId ?? "";
  for (let again = 0; again < 2; again++)
    assert.equal((await graph.renameList({ listId, name: "Best" }, as(owner))).list?.name, "Best");
  await graph.addListMember({ listId, userId: a }, as(owner));
  assert.deepEqual(await relation(owner, a), [], "a list of one's own is no tie");
  assert.deepEqual(
    (await graph.listLists({}, as(owner))).lists.map(({ name, memberCount }) => [name, memberCount]),
    [
      ["", 0],
      ["Best", 1],
    ],
  );
  for (const call of [
    () => graph.renameList({ listId, name: "Mine" }, as(stranger)),
    () => graph.listListMembers({ listId }, as(stranger)),
    () => graph.addListMember({ listId, userId: a }, as(stranger)),
    () => graph.addListMember({ listId: "x", userId: a }, as(owner)),
    () => graph.addListMember({ listId, userId: text(newId()) }, as(owner)),
  ])
    await refused(call(), Code.NotFound, "not-found");
  await graph.deleteList({ listId }, as(stranger));
  assert.deepEqual((await graph.listListMembers({ listId }, as(owner))).userIds, [a]);
  for (let again = 0; again < 2; again++) await graph.deleteList({ listId }, as(owner));
  await refused(graph.listListMembers({ listId }, as(owner)), Code.NotFound, "not-found");
  assert.deepEqual(await rows("SELECT member_id FROM list_member WHERE owner_id = ?", owner), []);
  for (const name of ["", " ", "\u200b", "x".repeat(51), "a\nb"])
    await refused(create(name, "other"), Code.InvalidArgument, "validation", "name");
});

test("a person has 100 lists beside close friends, and 1,000 people on one", { timeout: 30_000 }, async () => {
  const [owner, last, more] = (await accounts(3)) as [string, string, string];
  const { graph } = system.clients;
  const db = system.db("graph");
  const values = (count: number, of: (id: bigint) => string) => Array.from({ length: count }, () => of(newId())).join();
  await db.exec(
    `INSERT INTO user_list (owner_id, list_id, name) VALUES ${values(99, (id) => `(${owner}, ${id}, 'x')`)}`,
  );
  const { list } = await graph.createList({ name: "100", idempotencyKey: "100" }, as(owner));
  await refused(
    graph.createList({ name: "101", idempotencyKey: "101" }, as(owner)),
    Code.ResourceExhausted,
    "list-limit",
  );
  assert.equal((await graph.listLists({}, as(owner))).lists.length, 101);
  const listId = list?.listId ?? "";
  await db.exec("UPDATE user_list SET member_count = 999 WHERE owner_id = ? AND list_id = ?", [owner, listId]);
  await graph.addListMember({ listId, userId: last }, as(owner));
  const tooMany = graph.addListMember({ listId, userId: more }, as(owner));
  await refused(tooMany, Code.ResourceExhausted, "member-limit");
});

test("mutes and blocks are listed latest first, for their owner alone, and end at 5,000", {
  timeout: 30_000,
}, async () => {
  const [viewer, ...others] = (await accounts(6)) as [string, ...string[]];
  const { graph } = system.clients;
  for (const userId of others) await graph.muteUser({ userId }, as(viewer));
  for (let again = 0; again < 2; again++) await graph.unmuteUser({ userId: others[1] as string }, as(viewer));
  const left = others.filter((_, nth) => nth !== 1).reverse();
  const list = (request: object) => graph.listMutes(request, as(viewer));
  assert.deepEqual(await pagesOf(list, 3), [left.slice(0, 3), left.slice(3)]);
  assert.deepEqual((await graph.listMutes({}, as(others[0]))).userIds, []);
  assert.deepEqual(await relation(viewer, others[0] as string), ["muting"]);
  assert.deepEqual(await relation(others[0] as string, viewer), []);
  const { nextPageToken } = await list({ pageSize: 3 });
  await refused(
    graph.listMutes({ pageToken: nextPageToken }, as(others[0])),
    Code.InvalidArgument,
    "invalid-cursor",
    "page_token",
  );
  for (const kind of [1, 3]) {
    const many = Array.from({ length: 5_000 }, () => newId()).map((id) => `(${viewer}, ${id}, ${kind}, 1, 1, ${id})`);
    await system
      .db("graph")
      .exec(`INSERT INTO tie (user_id, other_id, kind, held, version, edge_id) VALUES ${many.join()}`);
  }
  const another = { userId: others[1] as string };
  await refused(graph.muteUser(another, as(viewer)), Code.ResourceExhausted, "muting-limit");
  await refused(graph.blockUser(another, as(viewer)), Code.ResourceExhausted, "blocking-limit");
});

test("a muted word is one whatever its case and composition, and each change is a new version", async () => {
  const [viewer] = (await accounts(1)) as [string];
  const { graph } = system.clients;
  const words = async () => {
    const answer = await graph.listMutedWords({}, as(viewer));
    return { words: answer.words, version: Number(answer.version) };
  };
  const versionForFeeds = async () => {
    await standings(viewer, [viewer]);
    const pipeline = system.redis.pipeline();
    askTies(system.redis, pipeline, tieSets.readKeys(system.redis, BigInt(viewer)), [1n]);
    return wordsVersionIn((await system.redis.run(pipeline))[0]);
  };
  assert.equal(await versionForFeeds(), 0n);
  for (const word of [" Café ", "CAFE\u0301", "café", "spoiler alert"]) await graph.muteWord({ word }, as(viewer));
  assert.deepEqual(await words(), { words: ["Café", "spoiler alert"], version: 2 });
  assert.equal(await versionForFeeds(), 2n);
  for (let again = 0; again < 2; again++) await graph.unmuteWord({ word: "CAFÉ" }, as(viewer));
  assert.deepEqual(await words(), { words: ["spoiler alert"], version: 3 });
  await graph.unmuteWord({ word: "Spoiler Alert" }, as(viewer));
  assert.equal(await versionForFeeds(), 0n);
  for (const word of ["", "x".repeat(51)])
    await refused(graph.muteWord({ word }, as(viewer)), Code.InvalidArgument, "validation", "word");
  await graph.muteWord({ word: "one" }, as(viewer));
  const many = Array.from(
    { length: 199 },
    (_, nth) => `(${viewer}, UNHEX(SHA2('${nth}', 256)), '${nth}', ${nth})`,
  ).join();
  await system.db("graph").exec(`INSERT INTO muted_word (user_id, word_hash, word, edge_id) VALUES ${many}`);
  await refused(graph.muteWord({ word: "another" }, as(viewer)), Code.ResourceExhausted, "word-limit");
  await graph.muteWord({ word: "ONE" }, as(viewer));
});

test("threads are muted one by one, to 1,000, and whoever tells of them may ask which", async () => {
  const [viewer, other] = (await accounts(2)) as [string, string];
  const { graph } = system.clients;
  const [a, b] = [text(newId()), text(newId())];
  for (const postId of [a, a]) await graph.muteThread({ postId }, as(viewer));
  const which = async (userId: string) => (await graph.getMutedThreads({ userId, postIds: [b, a] }, as())).postIds;
  assert.deepEqual([await which(viewer), await which(other)], [[a], []]);
  for (let again = 0; again < 2; again++) await graph.unmuteThread({ postId: a }, as(viewer));
  assert.deepEqual(await which(viewer), []);
  const many = Array.from({ length: 1_000 }, () => `(${viewer}, ${newId()})`).join();
  await system.db("graph").exec(`INSERT INTO muted_thread (user_id, post_id) VALUES ${many}`);
  await refused(graph.muteThread({ postId: a }, as(viewer)), Code.ResourceExhausted, "thread-limit");
});
