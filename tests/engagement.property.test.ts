//! Reactions, comments and saves against a plain model, through the front door: after every step the counts are the lists, and
//! both are the model's.

import { after, before, test } from "node:test";
import fc from "fast-check";
import { openEngagement, type Step } from "./support/engagement.ts";
import { register } from "./support/person.ts";
import { type System, startSystem } from "./support/system.ts";

/** Histories, and steps of each. `HISTORIES=200` is the long run. */
const histories = Number(process.env.HISTORIES ?? 5);
const stepsMin = 20;
const stepsMax = 30;
const people = 3;

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom("comment" as const, "reply" as const) },
    { weight: 6, arbitrary: fc.constantFrom("react" as const, "react to a comment" as const) },
    {
      weight: 8,
      arbitrary: fc.constantFrom(
        "undo" as const,
        "undo on a comment" as const,
        "edit" as const,
        "delete" as const,
        "hide" as const,
        "show" as const,
        "save" as const,
        "unsave" as const,
      ),
    },
  ),
  who: fc.nat(people - 1),
  nth: fc.nat(19),
  kind: fc.constantFrom("LIKE", "LOVE", "ANGRY"),
});

let system: System;
before(async () => {
  system = await startSystem();
});
after(() => system?.stop());

test(`any history of reactions, comments and saves: counts are lists, and both are the model's, ${histories} times`, {
  timeout: 1_800_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: stepsMin, maxLength: stepsMax, size: "max" }), async (steps) => {
      const cast = await Promise.all(Array.from({ length: people }, () => register(system.edge)));
      const world = await openEngagement(system.edge, cast);
      for (const one of steps) await world.take(one);
      await world.assertActivity();
    }),
    {
      numRuns: histories,
      endOnFailure: true,
      ...(process.env.SEED !== undefined && { seed: Number(process.env.SEED) }),
    },
  );
});
