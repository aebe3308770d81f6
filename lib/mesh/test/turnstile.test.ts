import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { turnstile } from "../turnstile.ts";

test("so much is inside, in the order it came; so much waits; the rest is refused, and room comes back after a failure", async () => {
  const begun: number[] = [];
  const ends: ((fail?: Error) => void)[] = [];
  let refusals = 0;
  const enter = turnstile({ insideMax: 2, outsideMax: 2, what: "work", refused: () => refusals++ });
  const work = (nth: number) =>
    enter(() => {
      begun.push(nth);
      return new Promise<number>((done, fail) => {
        ends[nth] = (reason) => (reason === undefined ? done(nth) : fail(reason));
      });
    });
  const [first, second, third, fourth] = [work(0), work(1), work(2), work(3)];
  const overloaded = await work(4).catch((reason) => ConnectError.from(reason).code);
  assert.deepEqual([begun, overloaded, refusals], [[0, 1], Code.Unavailable, 1]);
  ends[1]?.(new Error("broken"));
  await assert.rejects(second, /broken/);
  ends[0]?.();
  assert.equal(await first, 0);
  assert.deepEqual(begun, [0, 1, 2, 3]);
  ends[2]?.();
  ends[3]?.();
  assert.deepEqual(await Promise.all([third, fourth]), [2, 3]);
  const last = work(5);
  ends[5]?.();
  assert.equal(await last, 5);
});
