import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { register } from "../tests/support/person.ts";
import { assertFeeds, startSystem } from "../tests/support/system.ts";

const help = `node bench/visible.ts [--rate 50] [--seconds 20] [--followers 100] [--authors 5] [--json]

How soon a post is in every follower's feed, on a system of its own. Posts arrive in an open loop at --rate; each author
is followed by all --followers. Two figures for each post, from its answer on:
  read      the next home read of a follower, begun at once: it must hold the post (missing counts those that do not)
  fanned    milliseconds until its fan-out is finished: it is in every active follower's own timeline
At the end every follower's whole feed is compared with the oracle. Exit code 1 where anything is missing.`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean" },
    json: { type: "boolean" },
    rate: { type: "string", default: "50" },
    seconds: { type: "string", default: "20" },
    followers: { type: "string", default: "100" },
    authors: { type: "string", default: "5" },
  },
});

/** Between two looks at the lag. */
const lookMs = 3;

if (values.help) console.log(help);
else process.exitCode = await main();

async function main(): Promise<number> {
  const [rate, seconds, followerCount, authorCount] = [
    values.rate,
    values.seconds,
    values.followers,
    values.authors,
  ].map(Number) as [number, number, number, number];
  const system = await startSystem();
  const redis = new Redis(system.instance.servers.redisUrl);
  try {
    const authors = await many(authorCount, () => register(system.edge));
    const followers = await many(followerCount, () => register(system.edge));
    for (const author of authors) await Promise.all(followers.map((follower) => follower.follow(author)));
    await Promise.all(followers.map((follower) => follower.feed()));
    const lag = watchLag(redis, await lagKeyOf(redis));

    const answered: number[] = [];
    const reads: number[] = [];
    const fanned: number[] = [];
    let missing = 0;
    const began = Date.now();
    const posts = Array.from({ length: rate * seconds }, async (_, nth) => {
      await until(began + (nth * 1000) / rate);
      const due = performance.now();
      const { id } = await (authors[nth % authorCount] as (typeof authors)[number]).post(`post ${nth}`, randomUUID());
      const acknowledged = performance.now();
      answered.push(acknowledged - due);
      const follower = followers[(nth * 7) % followerCount] as (typeof followers)[number];
      const [page] = await Promise.all([
        follower.feedPage(20).then((got) => {
          reads.push(performance.now() - acknowledged);
          return got;
        }),
        lag.until(id).then(() => fanned.push(performance.now() - acknowledged)),
      ]);
      const newest = page.items.map(({ post }) => post.id);
      if (!newest.includes(id) && (newest.length < 20 || BigInt(newest.at(-1) as string) < BigInt(id))) missing++;
    });
    await Promise.all(posts);
    lag.stop();
    await assertFeeds(system.oracle, followers, 100);
    const result = {
      posts: posts.length,
      rate,
      followers: followerCount,
      feedsChecked: followerCount,
      missing,
      answeredMs: spread(answered),
      nextReadMs: spread(reads),
      fannedMs: spread(fanned),
      machine: `${cpus()[0]?.model ?? "?"} × ${availableParallelism()}`,
      node: process.version,
      commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
    };
    console.log(values.json ? JSON.stringify(result) : result);
    return missing === 0 ? 0 : 1;
  } finally {
    redis.disconnect();
    await system.stop();
  }
}

/** A few at a time: passwords are hashed two at once. */
async function many<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < count) {
    made.push(...(await Promise.all(Array.from({ length: Math.min(20, count - made.length) }, make))));
  }
  return made;
}

function until(time: number): Promise<void> {
  return new Promise((done) => setTimeout(done, Math.max(0, time - Date.now())));
}

/** The key exists while something is under way; its name is known from the run id all keys carry. */
async function lagKeyOf(redis: Redis): Promise<string> {
  const run = /^run_id:(\w{8})/m.exec(await redis.info("server"))?.[1];
  return `skein:${run}:lag`;
}

/** Watches the lag, one look every few milliseconds: an activity leaves it when its fan-out is finished. */
function watchLag(redis: Redis, key: string) {
  const waiting = new Map<string, () => void>();
  let stopped = false;
  const look = async (): Promise<void> => {
    while (!stopped) {
      const here = new Set(
        (await redis.zrangeBuffer(key, "0", "-1")).map((member) => String(member.readBigUInt64BE(0))),
      );
      for (const [id, done] of waiting) if (!here.has(id) && waiting.delete(id)) done();
      await new Promise((done) => setTimeout(done, lookMs));
    }
  };
  void look();
  return {
    until: (id: string) => new Promise<void>((done) => waiting.set(id, done)),
    stop: () => {
      stopped = true;
    },
  };
}

function spread(all: number[]) {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0) * 10) / 10;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
