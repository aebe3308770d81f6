import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { hotRows } from "./support/hot-rows.ts";
import { type System, startSystem } from "./support/system.ts";

let system: System;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());

/** `node bench/counts.ts` does the same with 2,000. */
const operationsEach = 100;

test("16 people like, follow and comment on 10 rows at once: no error, own states right at once, counts their rows", {
  timeout: 400_000,
}, async (t) => {
  const { edge, oracle } = system;
  const found = await hotRows({ edge, oracle, workers: 16, operationsEach, rows: 10 });
  t.diagnostic(`${found.repeated} requests were sent again`);
  assert.deepEqual([found.errors, found.wrongStates, found.wrongCounts], [[], [], []]);
  assert.equal(found.operations, 16 * operationsEach);
});
