import { after, before, test } from "node:test";
import fc from "fast-check";
import { redeliver } from "./support/faults.ts";
import { type Person, register } from "./support/person.ts";
import { assertFeeds, type System, startSystem } from "./support/system.ts";

/** Histories, operations of each, and who runs them at once. */
const histories = Number(process.env.HISTORIES ?? 200);
const operationsMin = 60;
const operationsMax = 70;
const people = 5;
const writers = 4;
/** Every tenth history has redelivery and a restarted consumer in its middle. */
const disturbedEach = 10;

type Operation =
  | { kind: "post"; who: number }
  | { kind: "follow" | "unfollow"; who: number; whom: number }
  | { kind: "delete"; who: number; nth: number }
  | { kind: "read"; who: number };

const who = fc.nat(people - 1);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("post" as const), who }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("follow" as const), who, whom: who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("unfollow" as const), who, whom: who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), who, nth: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("read" as const), who }) },
);

let system: System;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());

test(`any history of posts, follows and deletes: every feed is the oracle's, ${histories} times`, {
  timeout: 900_000,
}, async () => {
  let nth = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: operationsMin, maxLength: operationsMax, size: "max" }),
      fc.integer({ min: 1, max: 20 }),
      async (operations, pageSize) => {
        const cast = await Promise.all(Array.from({ length: people }, () => register(system.edge)));
        const disturbed = ++nth % disturbedEach === 0;
        await runAtOnce(cast, operations, disturbed);
        await assertFeeds(system.oracle, cast, pageSize);
      },
    ),
    {
      numRuns: histories,
      endOnFailure: true,
      ...(process.env.SEED !== undefined && { seed: Number(process.env.SEED) }),
    },
  );
});

/** Several writers take operations from one list, so that any two may overlap. */
async function runAtOnce(cast: readonly Person[], operations: readonly Operation[], disturbed: boolean): Promise<void> {
  const posted = new Map<number, string[]>();
  let next = 0;
  const writer = async () => {
    for (let at = next++; at < operations.length; at = next++) {
      if (disturbed && at === Math.floor(operations.length / 3)) system.instance.kill("feed", "SIGKILL");
      if (disturbed && at === Math.floor(operations.length / 2)) await redeliver(system, "post");
      await carryOut(cast, operations[at] as Operation, posted);
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
}

async function carryOut(cast: readonly Person[], step: Operation, posted: Map<number, string[]>): Promise<void> {
  const person = cast[step.who] as Person;
  const own = posted.get(step.who) ?? [];
  posted.set(step.who, own);
  if (step.kind === "post") own.push((await person.post(`post ${own.length} of ${person.username} 🧶`)).id);
  else if (step.kind === "read") await person.feedPage(10);
  else if (step.kind === "delete") {
    const [id] = own.splice(step.nth % Math.max(1, own.length), 1);
    if (id !== undefined) await person.remove(id);
  } else if (step.whom !== step.who) await person[step.kind](cast[step.whom] as Person);
}
