import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { redeliver } from "./support/faults.ts";
import { type Person, register } from "./support/person.ts";
import { assertCounts, assertFeeds, type System, startSystem } from "./support/system.ts";

/** Histories, operations of each, and who runs them at once. */
const histories = Number(process.env.HISTORIES ?? 200);
const operationsMin = 60;
const operationsMax = 70;
const people = 5;
const writers = 4;
/** Every tenth history has redelivery and a restarted consumer in its middle. */
const disturbedEach = 10;
/** Histories under way at once, each of people of its own: what disturbs one disturbs all. */
const atOnce = 2;

/** An operation of one kind each, so that a kind tells the rest. */
type Of<K extends string, Rest = unknown> = K extends string ? { kind: K; who: number } & Rest : never;
type Operation =
  | Of<"post" | "read" | "uncomment">
  | Of<"follow" | "unfollow", { whom: number }>
  | Of<"delete", { nth: number }>
  | Of<"like" | "unlike" | "comment" | "repost" | "unrepost", { whose: number; nth: number }>;

const who = fc.nat(people - 1);
const onPost = <K extends string>(kind: K) => fc.record({ kind: fc.constant(kind), who, whose: who, nth: fc.nat(4) });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("post" as const), who }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("follow" as const), who, whom: who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("unfollow" as const), who, whom: who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), who, nth: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("read" as const), who }) },
  { weight: 3, arbitrary: onPost("like") },
  { weight: 2, arbitrary: onPost("unlike") },
  { weight: 2, arbitrary: onPost("comment") },
  { weight: 3, arbitrary: onPost("repost") },
  { weight: 1, arbitrary: onPost("unrepost") },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("uncomment" as const), who }) },
);

let system: System;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());

test(`any history of posts, reposts, follows and deletes: every feed is the oracle's, ${histories} times`, {
  timeout: 900_000,
}, async () => {
  let nth = 0;
  const property = () =>
    fc.asyncProperty(
      fc.array(operation, { minLength: operationsMin, maxLength: operationsMax, size: "max" }),
      fc.integer({ min: 1, max: 20 }),
      async (operations, pageSize) => {
        const cast = await Promise.all(Array.from({ length: people }, () => register(system.edge)));
        const disturbed = ++nth % disturbedEach === 0;
        await runAtOnce(cast, operations, disturbed);
        await assertFeeds(system.oracle, cast, pageSize);
        await assertCounts(system.oracle, cast);
      },
    );
  const run = (lane: number) =>
    fc.assert(property(), {
      numRuns: Math.ceil(histories / atOnce),
      endOnFailure: true,
      ...(process.env.SEED !== undefined && { seed: Number(process.env.SEED) + lane }),
    });
  await Promise.all(Array.from({ length: atOnce }, (_, lane) => run(lane)));
});

/** Several writers take operations from one list, so that any two may overlap. */
async function runAtOnce(cast: readonly Person[], operations: readonly Operation[], disturbed: boolean): Promise<void> {
  const made: Made = { posts: new Map(), comments: new Map() };
  let next = 0;
  const writer = async () => {
    for (let at = next++; at < operations.length; at = next++) {
      if (disturbed && at === Math.floor(operations.length / 3)) system.instance.kill("feed", "SIGKILL");
      if (disturbed && at === Math.floor(operations.length / 2)) await redeliver(system, "post");
      await carryOut(cast, operations[at] as Operation, made);
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
}

/** What each of the cast made and did not delete. */
type Made = { readonly posts: Map<number, string[]>; readonly comments: Map<number, string[]> };

function ownOf(made: Map<number, string[]>, who: number): string[] {
  const own = made.get(who) ?? [];
  made.set(who, own);
  return own;
}

async function carryOut(cast: readonly Person[], step: Operation, made: Made): Promise<void> {
  const person = cast[step.who] as Person;
  const own = ownOf(made.posts, step.who);
  if (step.kind === "post") own.push((await person.post(`post ${own.length} of ${person.username} 🧶`)).id);
  else if (step.kind === "read") await person.feedPage(10);
  else if (step.kind === "follow" || step.kind === "unfollow") {
    if (step.whom !== step.who) await person[step.kind](cast[step.whom] as Person);
  } else if (step.kind === "delete") {
    const [id] = own.splice(step.nth % Math.max(1, own.length), 1);
    if (id !== undefined) await person.remove(id);
  } else if (step.kind === "uncomment") {
    const id = ownOf(made.comments, step.who).pop();
    if (id !== undefined) await person.removeComment(id);
  } else {
    const id = ownOf(made.posts, step.whose).at(-1 - step.nth);
    if (id !== undefined) await react(person, step.kind, id, ownOf(made.comments, step.who));
  }
}

/** Whoever reacts may meet a post that somebody deletes at that moment: then there is no such post. */
async function react(person: Person, kind: keyof typeof ways, id: string, comments: string[]): Promise<void> {
  const [method, what] = ways[kind];
  const path = `/v1/posts/${id}/${what}`;
  const more = kind === "comment" ? { body: { text: "🧵" }, key: randomUUID() } : {};
  const { status, body } = await person.call<{ id: string }>(method, path, more);
  assert.ok(status < 300 || status === 404, `${method} ${path}: ${status} ${JSON.stringify(body)}`);
  if (kind === "comment" && status === 201) comments.push(body.id);
}

const ways = {
  like: ["PUT", "like"],
  unlike: ["DELETE", "like"],
  repost: ["PUT", "repost"],
  unrepost: ["DELETE", "repost"],
  comment: ["POST", "comments"],
} as const;
