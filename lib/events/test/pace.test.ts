import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { atPace } from "../pace.ts";

/** Longer than any rest. */
const restMsMax = 500;
const longAgo = () => Date.now() - 60_000;

test("a step on a backlog is followed by a rest of half a second at most, one on what is new by none", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const ended: string[] = [];
  const step = async (name: string, timeMs: number) => {
    await atPace(timeMs, async () => void (await turn()));
    ended.push(name);
  };
  const old = step("old", longAgo());
  await step("new", Date.now());
  for (let nth = 0; nth < 10; nth++) await turn();
  assert.deepEqual(ended, ["new"]);
  t.mock.timers.tick(restMsMax);
  await old;
  assert.deepEqual(ended, ["new", "old"]);
});

test("a step that fails is not rested after: whoever tries again has a pace of their own", async () => {
  await assert.rejects(
    atPace(longAgo(), () => Promise.reject(new Error("away"))),
    /away/,
  );
});
