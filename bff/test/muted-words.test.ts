import assert from "node:assert/strict";
import { test } from "node:test";
import { createClients } from "../src/clients.ts";
import { matcherOf } from "../src/compose/muted-words.ts";
import { publicRpcs } from "../src/routes/routes.ts";
import { meshOf } from "./mesh.ts";
import { bearer, memoryLog, serve, unlimited } from "./serve.ts";

test("a word is found whole, in any case and composition, and anywhere in scripts without spaces", () => {
  const rows: [word: string, found: string[], not: string[]][] = [
    ["art", ["Art!", "modern ART.", "(art)"], ["party", "arts", "art_deco", "aрt"]],
    ["café", ["CAFE\u0301 noir"], ["cafés", "cafe"]],
    ["straße", ["STRASSE 5"], ["strasser"]],
    ["spoiler  alert", ["Spoiler\nalert: he dies"], ["spoiler", "alert spoiler"]],
    ["#ad", ["buy #ad", "x#ad"], ["#ads"]],
    ["100%", ["100%sure", "100 % no, 100% yes"], ["1100%"]],
    ["猫", ["黒猫がいる"], ["犬"]],
    ["c++", ["C++ rocks"], ["c+"]],
    [".*", ["a.*b"], ["anything"]],
    ["👍🏽", ["ok 👍🏽"], ["ok 👍"]],
  ];
  for (const [word, found, not] of rows) {
    const isMuted = matcherOf(["another", word]);
    for (const text of found) assert.equal(isMuted(text), true, `${word} is in ${text}`);
    for (const text of not) assert.equal(isMuted(text), false, `${word} is not in ${text}`);
  }
  assert.equal(matcherOf([])("anything"), false);
});

test("muted words leave others' posts out of the home feed, and cost nobody else a call", async (t) => {
  const users = ["anna", "ben"].map((username, nth) => ({ id: String(nth + 1), version: 1n, username }));
  const mesh = await meshOf(t, users);
  const door = await serve(t, publicRpcs(createClients(mesh.transport, memoryLog()), unlimited));
  const post = (id: string, authorId: string, text: string) => ({ id, version: 1n, authorId, text, key: id });
  mesh.posts.push(post("100", "2", "Cats!"), post("101", "2", "dogs"), post("102", "1", "my cats"));
  const ask = async (path: string, method = "GET") => {
    mesh.calls.length = 0;
    const answer = await door.ask(path, { method, headers: await bearer("1") });
    const { items = [] } = answer.json() as { items?: { activityId: string }[] };
    return { ids: items.map(({ activityId }) => activityId), calls: [...mesh.calls] };
  };
  assert.deepEqual((await ask("/v1/feed")).ids, ["100", "101", "102"]);
  assert.deepEqual((await ask("/v1/feed")).calls, ["ListHomeFeed"]);
  await ask("/v1/me/muted-words/cats", "PUT");
  assert.deepEqual(await ask("/v1/feed"), { ids: ["101", "102"], calls: ["ListHomeFeed", "ListMutedWords"] });
  assert.deepEqual(await ask("/v1/feed"), { ids: ["101", "102"], calls: ["ListHomeFeed"] });
  await ask("/v1/me/muted-words/dogs", "PUT");
  assert.deepEqual((await ask("/v1/feed")).ids, ["102"]);
  mesh.wordsKnown(false);
  for (let again = 0; again < 2; again++)
    assert.deepEqual(await ask("/v1/feed"), { ids: ["102"], calls: ["ListHomeFeed", "ListMutedWords"] });
  mesh.wordsKnown(true);
  for (const word of ["cats", "dogs"]) await ask(`/v1/me/muted-words/${word}`, "DELETE");
  assert.deepEqual(await ask("/v1/feed"), { ids: ["100", "101", "102"], calls: ["ListHomeFeed"] });
});
