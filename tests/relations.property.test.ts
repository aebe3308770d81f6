import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { findSystem, insist, type Operator, openOperator } from "../tools/operator.ts";
import { openForbidden } from "./support/forbidden.ts";
import { type Person, register } from "./support/person.ts";
import { changeNames, readNames, type Step, take, type World } from "./support/relations.ts";
import { assertFeeds, type System, startSystem } from "./support/system.ts";

/** Histories, steps of each, and how many are taken at once. `HISTORIES=200` is the long run. */
const histories = Number(process.env.HISTORIES ?? 30);
const stepsMin = 60;
const stepsMax = 70;
const people = 5;
const atOnce = 6;
/** In the middle of every tenth history Redis is killed. */
const disturbedEach = 10;

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.oneof(
    { weight: 3, arbitrary: fc.constant("post" as const) },
    { weight: 3, arbitrary: fc.constant("follow" as const) },
    { weight: 8, arbitrary: fc.constantFrom(...changeNames) },
    { weight: 8, arbitrary: fc.constantFrom(...readNames) },
  ),
  who: fc.nat(people - 1),
  whom: fc.nat(people - 1),
  nth: fc.nat(9),
});

let system: System;
let operator: Operator;
before(async () => {
  system = await startSystem();
  operator = await openOperator(findSystem({ dir: system.dir, env: {} }));
});
after(async () => {
  operator?.close();
  await system?.stop();
});

const suspend: World["suspend"] = async (userId, suspended) => {
  const state = suspended ? AccountState.SUSPENDED : AccountState.ACTIVE;
  await insist((options) => operator.graph.setAccountState({ userId, state }, options));
};

test(`any history of relations, audiences and states: no read shows what a change forbade before it, ${histories} times`, {
  timeout: 1_800_000,
}, async () => {
  let nth = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: stepsMin, maxLength: stepsMax, size: "max" }),
      fc.integer({ min: 1, max: 20 }),
      async (steps, pageSize) => {
        const cast = await Promise.all(Array.from({ length: people }, () => register(system.edge)));
        const world = { people: cast, forbidden: openForbidden(cast), suspend };
        await runAtOnce(world, steps, ++nth % disturbedEach === 0);
        await assertFeeds(system.oracle, cast, pageSize);
        await assertAuthors(cast);
      },
    ),
    {
      numRuns: histories,
      endOnFailure: true,
      ...(process.env.SEED !== undefined && { seed: Number(process.env.SEED) }),
    },
  );
});

/** Several take steps from one list, so that any two may overlap. */
async function runAtOnce(world: World, steps: readonly Step[], disturbed: boolean): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let at = next++; at < steps.length; at = next++) {
      if (disturbed && at === Math.floor(steps.length / 2)) system.instance.kill("redis", "SIGKILL");
      await take(world, steps[at] as Step);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

/** Everybody's page, as everybody else sees it, is the oracle's. */
async function assertAuthors(cast: readonly Person[]): Promise<void> {
  for (const viewer of cast) {
    for (const author of cast) {
      const shown = await authorPage(viewer, author);
      const due = await system.oracle.author(BigInt(author.id), BigInt(viewer.id));
      assert.deepEqual(shown ?? [], due, `${author.username} as ${viewer.username} sees them`);
    }
  }
}

async function authorPage(viewer: Person, author: Person): Promise<string[] | undefined> {
  const { status, body } = await viewer.call<{ posts: { id: string }[] }>(
    "GET",
    `/v1/users/${author.id}/posts?pageSize=100`,
  );
  return status === 404 ? undefined : body.posts.map(({ id }) => id);
}
