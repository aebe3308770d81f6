import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { rateLimits } from "../rate.ts";
import type { Redis } from "../redis.ts";

const budgets = { read: { perSecond: 10, burst: 400 }, login: { perSecond: 1, burst: 3 } };

let place: Scratch;
let redis: Redis;
before(async () => {
  place = scratch(process.env);
  redis = await place.openRedis();
});
after(() => place.close());

let people = 0;
const somebody = () => `somebody ${++people} of ${process.pid}`;

/** A limiter on a clock of the test's own. */
function limiter(on: Redis | undefined = redis) {
  const clock = { ms: Date.now() };
  const limits = rateLimits(on, budgets, () => clock.ms);
  const taken = async (kind: "read" | "login", subject: string, tries: number): Promise<number> => {
    let count = 0;
    for (let nth = 0; nth < tries; nth++) if ((await limits.take(kind, subject)) === undefined) count++;
    return count;
  };
  return { clock, limits, taken };
}

for (const [where, on] of [
  ["with Redis", () => redis],
  ["without Redis", () => undefined],
] as const) {
  test(`a burst, then so many a second, each subject and kind for itself, ${where}`, async () => {
    const { clock, limits, taken } = limiter(on());
    const [one, other] = [somebody(), somebody()];
    assert.equal(await taken("login", one, 10), 3);
    const wait = await limits.take("login", one);
    assert.ok(wait !== undefined && wait > 0 && wait <= 1_000, `${wait}`);
    assert.equal(await taken("login", other, 1), 1);
    assert.equal(await taken("read", one, 1), 1);
    clock.ms += 1_000;
    assert.equal(await taken("login", one, 10), 1);
    clock.ms += 60_000;
    assert.equal(await taken("login", one, 10), 3);
  });
}

test("replicas share a budget, and a busy subject costs one call to Redis in twenty", async () => {
  let calls = 0;
  const counting: Redis = {
    ...redis,
    run: (pipeline) => {
      calls++;
      return redis.run(pipeline);
    },
  };
  const [a, b] = [limiter(counting), limiter(counting)];
  const one = somebody();
  const [first, second] = await Promise.all([a.taken("read", one, 300), b.taken("read", one, 300)]);
  assert.ok(first + second <= 400 + 10 && first + second > 400 - 2 * 20, `${first} + ${second}`);
  assert.ok(calls <= 400 / 20 + 4, `${calls} calls`);
});

test("a Redis that hangs refuses nobody and delays nobody twice", async () => {
  let asked = 0;
  const hanging: Redis = {
    ...redis,
    run: () => {
      asked++;
      return new Promise(() => {});
    },
  };
  const { clock, taken } = limiter(hanging);
  const one = somebody();
  assert.equal(await taken("read", one, 200), 200);
  assert.equal(await taken("login", one, 5), 3);
  assert.equal(asked, 1, "it is left alone for a while");
  clock.ms += 60_000;
  assert.equal(await taken("login", one, 5), 3);
  assert.equal(asked, 2);
});

test("many at once ask once", async () => {
  const { limits } = limiter();
  const one = somebody();
  const answers = await Promise.all(Array.from({ length: 30 }, () => limits.take("login", one)));
  assert.equal(answers.filter((wait) => wait === undefined).length, 3);
});
