import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { mostOf } from "../most.ts";

let nowMs = 0;
beforeEach(() => {
  nowMs = 0;
  mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => mock.timers.reset());

/** Some promises in hand, the time that passes, and whether those who wait for most of them go on. */
function waiting(count: number) {
  const gates = Array.from({ length: count }, () => Promise.withResolvers<void>());
  let isDone = false;
  void mostOf(
    gates.map(({ promise }) => promise),
    () => nowMs,
  ).then(() => {
    isDone = true;
  });
  return {
    ready: (...nths: number[]) => nths.forEach((nth) => void gates[nth]?.resolve()),
    /** Lets all that is due happen, and so much time pass after it. */
    async pass(ms: number): Promise<boolean> {
      await new Promise(setImmediate);
      nowMs += ms;
      mock.timers.tick(ms);
      await new Promise(setImmediate);
      return isDone;
    },
  };
}

test("nothing to wait for is there at once", async () => {
  assert.equal(await waiting(0).pass(0), true);
});

test("all of them are waited for, and not a moment longer", async () => {
  const { ready, pass } = waiting(3);
  ready(0);
  assert.equal(await pass(0), false);
  ready(1, 2);
  assert.equal(await pass(0), true);
});

test("once half is ready, the others are waited for as long again, and no longer", async () => {
  const { ready, pass } = waiting(4);
  ready(3);
  assert.equal(await pass(10), false, "less than half");
  ready(0);
  assert.equal(await pass(9), false, "half, 10 ms after they began");
  ready(1);
  assert.equal(await pass(0), false, "more of them change nothing");
  assert.equal(await pass(1), true, "20 ms after they began");
});

test("a moment is waited for, however soon half is ready", async () => {
  const { ready, pass } = waiting(2);
  ready(0);
  assert.equal(await pass(3), false);
  assert.equal(await pass(1), true, "4 ms");
});

test("50 ms are waited, however few are ready, and however late half of them is", async () => {
  const [few, late] = [waiting(3), waiting(2)];
  few.ready(0);
  assert.equal(await late.pass(40), false);
  late.ready(1);
  assert.deepEqual([await late.pass(9), await few.pass(0)], [false, false]);
  assert.deepEqual([await late.pass(1), await few.pass(0)], [true, true]);
});
