import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanKind } from "@opentelemetry/api";
import { newTraceparent } from "../call.ts";
import { begin } from "../trace.ts";
import { perTurn } from "../turn.ts";

/** Doubles numbers, notes what it is asked at once, and cannot do 13; 666 breaks it. */
function doubling(asksMax: number) {
  const asked: number[][] = [];
  const double = perTurn(asksMax, async (asks: readonly number[]): Promise<(number | Error)[]> => {
    asked.push([...asks]);
    if (asks.includes(666)) throw new Error("broken");
    return asks.map((ask) => (ask === 13 ? new Error("unlucky") : 2 * ask));
  });
  return { asked, double };
}

const messageOf = (work: Promise<unknown>) => work.then(String, (reason: Error) => reason.message);

test("what is asked in one turn is done together, so many at most, and each gets their own answer", async () => {
  const { asked, double } = doubling(3);
  assert.deepEqual(await Promise.all([1, 2, 3, 4].map(double)), [2, 4, 6, 8]);
  assert.equal(await double(5), 10);
  assert.deepEqual(asked, [[1, 2, 3], [4], [5]]);
});

test("an answer that is an Error is its asker's alone; work that fails, fails for those it was done for", async () => {
  const { double } = doubling(2);
  const outcomes = await Promise.all([1, 13, 666, 2, 3].map((ask) => messageOf(double(ask))));
  assert.deepEqual(outcomes, ["2", "unlucky", "broken", "broken", "6"]);
});

test("who is traced goes alone", async () => {
  const { asked, double } = doubling(3);
  const work = begin("a", SpanKind.SERVER, { traceparent: newTraceparent(), isForced: true });
  await Promise.all([double(1), work.run(() => double(2)), double(3)]);
  work.end();
  assert.deepEqual(asked, [[2], [1, 3]]);
});
