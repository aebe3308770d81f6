import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parsed } from "./cli.ts";
import { exitCodeOf, findSystem, instanceDir, openOperator, usage } from "./operator.ts";
import { createProgress, duration, whole } from "./progress.ts";
import { demoNetwork } from "./seed/demo.ts";
import { networkOf } from "./seed/network.ts";
import { personOf } from "./seed/people.ts";
import { type Network, plant } from "./seed/plant.ts";
import { textOf } from "./seed/texts.ts";
import { exitCodes } from "./servers/failure.ts";

const help = `npm run seed -- [options]     a network of people who follow each other and post

The same options make the same network, and a second run changes nothing.

  --users N     people (default 1000)
  --seed N      which network (default 1); two seeds stand beside each other
  --posts N     posts of each person (default 20)
  --demo        the 25 people of a first start instead
  --dir DIR     the instance (default .skein, or SKEIN_DIR)
  --json        what stands now, as JSON on stdout
  --help        this page

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running.`;

const optionTypes = {
  users: { type: "string", default: "1000" },
  seed: { type: "string", default: "1" },
  posts: { type: "string", default: "20" },
  demo: { type: "boolean", default: false },
  dir: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Everyone's. They are people to try the system with; their password is no secret. */
const demoPassword = "flock-in-flight";
/** As many as the ids of one process' memory are worth. */
const usersMax = 10_000_000;
const postsMax = 10_000;
/** A seed is part of usernames. */
const seedMax = 0xffff_ffff;
/** Whom a visitor is offered to sign in as. */
const demoAccounts = 3;

process.exitCode = await exitCodeOf("seed", main);

async function main(): Promise<number> {
  const options = readOptions();
  if (options.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const operator = await openOperator(findSystem({ dir: options.dir, env: process.env }));
  const progress = createProgress();
  const startTime = performance.now();
  try {
    const network = options.demo ? demo() : seeded(options);
    const stands = await plant({ network, operator, progress, password: demoPassword, nowMs: Date.now() });
    progress.end();
    const people = Array.from({ length: Math.min(demoAccounts, network.users) }, (_, nth) => network.personOf(nth));
    const accounts = people.map(({ username }) => ({ username, password: demoPassword }));
    if (options.demo)
      writeFileSync(demoFile(options.dir), `${JSON.stringify(accounts, undefined, 2)}\n`, { mode: 0o600 });
    const done = { ...stands, seconds: Math.round((performance.now() - startTime) / 10) / 100 };
    console.log(options.json ? JSON.stringify(done) : summary(done, accounts));
    return exitCodes.ok;
  } finally {
    progress.end();
    operator.close();
  }
}

type Done = Awaited<ReturnType<typeof plant>> & { seconds: number; likes?: number; comments?: number };

function summary(
  { users, follows, newFollows, posts, newPosts, likes, comments, seconds }: Done,
  accounts: readonly { username: string }[],
): string {
  const reactions = likes === undefined ? "" : `, ${whole(likes)} likes, ${whole(comments ?? 0)} comments`;
  return [
    `${whole(users)} people, ${whole(follows)} follows (${whole(newFollows)} new), ${whole(posts)} posts (${whole(newPosts)} new)${reactions} in ${duration(seconds)}`,
    `sign in as ${accounts.map(({ username }) => username).join(", ")}, … with the password ${demoPassword}`,
  ].join("\n");
}

function seeded({ seed, users, posts }: { seed: number; users: number; posts: number }): Network {
  const { followsOf } = networkOf(seed, users);
  return {
    name: `seed-${seed}`,
    users,
    postsEach: posts,
    followsOf,
    personOf: (nth) => personOf(seed, nth),
    textOf: (author, nth) => textOf(seed, author, nth),
  };
}

function demo(): Network {
  const { people, ...network } = demoNetwork();
  const nobody = { username: "", displayName: "", bio: "" };
  return { ...network, name: "demo", users: people.length, personOf: (nth) => people[nth] ?? nobody };
}

function demoFile(dir: string | undefined): string {
  return process.env.SKEIN_DEMO_FILE || join(instanceDir(dir, process.env), "demo.json");
}

function readOptions() {
  const { users, seed, posts, ...others } = given();
  return {
    ...others,
    users: number("users", users, 1, usersMax),
    seed: number("seed", seed, 0, seedMax),
    posts: number("posts", posts, 0, postsMax),
  };
}

function given() {
  return parsed({ options: optionTypes }).values;
}

function number(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw usage(`--${name} ${text} is not a whole number from ${min} to ${max}`);
}
