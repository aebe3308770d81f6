import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { ask, type FeedPage } from "../../tests/support/person.ts";
import { type System, startSystem } from "../../tests/support/system.ts";
import { command, type Outcome, root } from "../command.ts";
import { demoNetwork } from "../seed/demo.ts";
import { networkOf } from "../seed/network.ts";
import { personOf } from "../seed/people.ts";
import { textOf } from "../seed/texts.ts";

const whole = (users: number) => Array.from({ length: users }, (_, nth) => nth);
const median = (of: readonly number[]): number => [...of].sort((a, b) => a - b)[Math.floor(of.length / 2)] ?? 0;

test("a seed is a network: the same each time, another for another seed", () => {
  const made = (seed: number) =>
    whole(50).map((nth) => [personOf(seed, nth), networkOf(seed, 50).followsOf(nth), textOf(seed, nth, 3)]);
  assert.deepEqual(made(1), made(1));
  assert.notDeepEqual(made(1), made(2));
  // What a seed means must not change by accident: a second run of an old seed would add to it.
  assert.deepEqual(
    [personOf(1, 0).username, personOf(1, 1).username, networkOf(1, 50).followsOf(0).slice(0, 3)],
    ["jiwoo_1_0", "bilal_1_1", [9, 33, 48]],
  );
});

test("of 1,000 people most follow 100 to 200, and few are followed by most", () => {
  const { followsOf } = networkOf(1, 1_000);
  const followers = whole(1_000).map(() => 0);
  const following = whole(1_000).map((nth) => {
    const follows = followsOf(nth);
    assert.equal(new Set(follows).size, follows.length);
    assert.ok(!follows.includes(nth));
    for (const whom of follows) followers[whom] = (followers[whom] ?? 0) + 1;
    return follows.length;
  });
  const usual = following.filter((count) => count >= 100 && count <= 200).length;
  assert.ok(usual >= 800, `${usual} follow 100 to 200`);
  assert.ok(Math.max(...followers) > 5 * median(followers), `${Math.max(...followers)} and ${median(followers)}`);
  assert.ok(Math.min(...followers) < median(followers), "a long tail");
});

test("names and texts are what the services take, in many scripts", () => {
  const people = whole(5_000).map((nth) => personOf(0xffff_ffff, nth));
  for (const { username, displayName, bio } of [...people, ...demoNetwork().people]) {
    assert.match(username, /^[a-z][a-z0-9_]{2,29}$/);
    assert.ok([...displayName].length <= 50 && [...bio].length <= 500);
  }
  const texts = whole(5_000).map((nth) => textOf(1, nth, 0));
  for (const script of ["Latin", "Cyrillic", "Arabic", "Hebrew", "Devanagari", "Han", "Hangul", "Thai"]) {
    assert.ok(
      texts.some((text) => new RegExp(`\\p{Script=${script}}`, "u").test(text)),
      script,
    );
  }
  for (const text of texts) assert.ok(text.length > 0 && text.length <= 5_000 && Buffer.byteLength(text) <= 20_000);
  for (const sign of ["👨‍👩‍👧‍👦", "🇧🇷", "<script>", "DROP TABLE", "\n\n"]) {
    assert.ok(
      texts.some((text) => text.includes(sign)),
      sign,
    );
  }
  assert.ok(median(texts.map(({ length }) => length)) < 200);
  assert.ok(
    texts.some(({ length }) => length > 1_500),
    "some are long",
  );
});

let system: System;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());

const run = (tool: string, ...args: string[]): Promise<Outcome> =>
  command([process.execPath, path.join(root, "tools", tool), ...args, "--dir", system.dir]);

/** The JSON a tool ends with, after what it said on its way. */
const resultOf = ({ output }: Outcome): Record<string, number> => JSON.parse(output.trim().split("\n").at(-1) ?? "");

async function feedOf(username: string, password: string): Promise<{ id: bigint; feed: string[] }> {
  const body = { username, password };
  const signedIn = await ask<{ accessToken: string; user: { id: string } }>(system.edge, "POST", "/v1/auth/login", {
    body,
  });
  assert.equal(signedIn.status, 200, JSON.stringify(signedIn.body));
  const { accessToken: token, user } = signedIn.body;
  const feed: string[] = [];
  for (let next = ""; ; ) {
    const page = await ask<FeedPage>(
      system.edge,
      "GET",
      `/v1/feed?pageSize=100${next === "" ? "" : `&pageToken=${next}`}`,
      { token },
    );
    feed.push(...page.body.items.map(({ activityId }) => activityId));
    next = page.body.nextPageToken;
    if (next === "") return { id: BigInt(user.id), feed };
  }
}

async function followersOf(username: string): Promise<{ id: bigint; shown: number }> {
  const { status, body } = await ask<{ id: string; followerCount: number }>(
    system.edge,
    "GET",
    `/v1/users/${username}`,
  );
  assert.equal(status, 200, username);
  return { id: BigInt(body.id), shown: Number(body.followerCount) };
}

test("a seeded network stands, and a second run changes nothing", { timeout: 120_000 }, async () => {
  const seed = () => run("seed.ts", "--users", "60", "--posts", "5", "--json");
  const first = resultOf(await seed());
  const follows = whole(60).reduce((sum, nth) => sum + networkOf(1, 60).followsOf(nth).length, 0);
  assert.deepEqual(
    { ...first, seconds: 0 },
    { users: 60, follows, newFollows: follows, posts: 300, newPosts: 300, seconds: 0 },
  );
  const second = resultOf(await seed());
  assert.deepEqual({ ...second, seconds: 0 }, { ...first, newFollows: 0, newPosts: 0, seconds: 0 });
  for (const nth of [0, 7, 59]) {
    const { username } = personOf(1, nth);
    const { id, feed } = await feedOf(username, "flock-in-flight");
    assert.deepEqual(feed, await system.oracle.home(id), `feed of ${username}`);
    assert.equal((await followersOf(username)).shown, await system.oracle.followers(id));
  }
});

test("the demo leaves three accounts to sign in as", async () => {
  const { code, output } = await run("seed.ts", "--demo");
  assert.equal(code, 0, output);
  assert.match(output, /25 people, 300 follows/);
  const { id, feed } = await feedOf("ada", "flock-in-flight");
  assert.deepEqual(feed, await system.oracle.home(id));
});

test("an import brings what is good of a file, and a second one changes nothing", async () => {
  const file = path.join(system.dir, "edges.txt");
  const star = Array.from({ length: 5_200 }, (_, nth) => `1000 ${nth + 2_000}`).join("\n");
  writeFileSync(file, `# a graph\n1 2\r\n2\t1\n1 2\n3 3\n\n3 1\nx y\n4 1 9\n${star}`);
  const first = await run("import.ts", file, "--json");
  assert.match(first.output, /line 8 is not two whole numbers: x y\n.*line 9 has more than two columns: 4 1 9/);
  const counts = {
    lines: 5_209,
    bad: 2,
    users: 5_204,
    follows: 5_203,
    created: 5_003,
    selfLoops: 1,
    repeats: 1,
    overLimit: 200,
  };
  assert.deepEqual({ ...resultOf(first), seconds: 0 }, { ...counts, seconds: 0 });
  for (const name of ["n1", "n2", "n3"]) {
    const { id, shown } = await followersOf(name);
    assert.equal(shown, await system.oracle.followers(id), name);
  }
  const second = await run("import.ts", file, "--json", "--strict");
  assert.equal(second.code, 1, "bad lines, strictly");
  assert.deepEqual({ ...resultOf(second), seconds: 0 }, { ...counts, created: 0, seconds: 0 });
});

test("what a person can put right is one line and its exit code", async () => {
  const nobody = path.join(system.dir, "nobody");
  const env = (...args: string[]) => command([process.execPath, ...args]);
  assert.equal((await run("import.ts", "/no/such/file")).code, 1);
  assert.equal((await run("import.ts")).code, 2);
  assert.equal((await run("seed.ts", "--users", "many")).code, 2);
  for (const tool of ["seed.ts", "import.ts"]) {
    const { code, output } = await env(
      path.join(root, "tools", tool),
      ...(tool === "seed.ts" ? [] : ["-"]),
      "--dir",
      nobody,
    );
    assert.deepEqual([code, output.trim().split("\n").length], [3, 1], output);
    assert.match(output, /run npm start first/);
  }
});
