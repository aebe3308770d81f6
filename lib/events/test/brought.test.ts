import assert from "node:assert/strict";
import { test } from "node:test";
import { newTold, type Told } from "#lib/mesh/facts.ts";
import { broughtFacts } from "../brought.ts";

const toldOf = (...ids: bigint[]): Told => {
  const told = newTold("post");
  for (const id of ids) told.facts.set(`post:${id} 1`, { noun: "post", shard: 0, id });
  return told;
};
const event = (id: bigint) => ({ id });
const done = async () => true;

test("a relay is left what its writers did not bring, could not bring, or brought to a Redis that was away since", async () => {
  let since: number | undefined = 1;
  const brought = broughtFacts(() => {
    if (since === undefined) throw new Error("away");
    return since;
  });
  const left = (...ids: bigint[]) => brought.left(ids.map(event)).map(({ id }) => id);

  await brought.bring(toldOf(1n, 2n), "post:1", done);
  await brought.bring(toldOf(3n), "post:3", async () => false);
  await assert.rejects(brought.bring(toldOf(4n), "post:4", () => Promise.reject(new Error("failed"))));
  assert.deepEqual(left(1n, 2n, 3n, 4n), [2n, 3n, 4n]);
  assert.deepEqual(left(1n), [1n], "once: a second run brings all");

  await brought.bring(toldOf(5n), "post:5", done);
  since = undefined;
  await brought.bring(toldOf(6n), "post:6", done);
  since = 2;
  await brought.bring(toldOf(7n), "post:7", async () => {
    since = 3; // It was away, and came back, while it was written.
    return true;
  });
  assert.deepEqual(left(5n, 6n, 7n), [5n, 6n, 7n]);
});

test("of too many facts the oldest are brought again", async () => {
  const brought = broughtFacts(() => 1);
  for (let id = 1n; id <= 10_001n; id++) await brought.bring(toldOf(id), `post:${id}`, done);
  assert.deepEqual(brought.left([1n, 2n, 10_001n].map(event)), [{ id: 1n }]);
});
