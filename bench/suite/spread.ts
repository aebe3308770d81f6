import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "#lib/storage/redis.ts";
import { ask, type FeedPage, type ShownPost } from "../../tests/support/person.ts";
import { createLanes } from "../../tools/operator.ts";
import { createHistogram } from "../load/histogram.ts";
import { activate, type Crowd, gather, lacking, openReadModels, type Person, pullAbove } from "./crowd.ts";
import { watchFanned } from "./fanned.ts";
import { type Bench, withCpu } from "./measure.ts";
import { digits, type Row } from "./row.ts";
import { pin, type System } from "./system.ts";

/** Posts a second of `visible`, and who says and hears them. */
const visible = { rate: 50, authors: 5, followers: 1_000 } as const;
/** Small authors, whose posts must not wait for a great one's. */
const small = { rate: 20, authors: 5, followers: 100 } as const;
/** Followers whose timelines are looked at. */
const sample = 200;
const readsAtOnce = 8;
/** More followers than anybody has. */
const everybody = 4_000_000_000;
/** Posts of a celebrity that are pushed at once where their rate is measured. */
const burst = 10;

type Said = { readonly shownMs: number; readonly fannedMs: number; readonly isMissing: boolean };
type Spread = (bench: Bench, celebrityFollowers: number) => Promise<Row[]>;

/** What is measured of a post's way to its followers, rather than of answers. */
export const spreads: Readonly<Record<string, Spread>> = {
  async visible(bench) {
    const crowd = await gather(bench.system, { name: "near", ...visible }, bench.progress);
    return within(bench, async (redis) => {
      await activate(redis, crowd.followers);
      const lanes = createLanes(readsAtOnce);
      for (const one of crowd.followers.slice(0, sample)) {
        await lanes.run(async () => void (await readFeed(bench.system, one)));
      }
      await lanes.drain();
      await posting(bench, redis, crowd, visible.rate, Math.min(3, bench.seconds));
      const [{ all, failed }, cpu] = await withCpu(bench, () =>
        posting(bench, redis, crowd, visible.rate, bench.rounds * bench.seconds),
      );
      const missing = all.filter(({ isMissing }) => isMissing).length / Math.max(1, all.length);
      const row = rowOf(bench, { cpu, of: all.length, rps: visible.rate, missing, failed });
      return [
        { ...row, profile: "visible", ...quantiles(all.map(({ shownMs }) => shownMs)) },
        { ...row, profile: "fanned", ...quantiles(all.map(({ fannedMs }) => fannedMs)) },
      ];
    });
  },

  async celebrity(bench, followers) {
    const great = await gather(bench.system, { name: "great", authors: 1, followers }, bench.progress);
    const few = await gather(bench.system, { name: "few", ...small }, bench.progress);
    return allPushed(bench, async (redis) => {
      await activate(redis, [...great.followers, ...few.followers]);
      const smallFor = (seconds: number) => posting(bench, redis, few, small.rate, seconds);
      await Promise.all([celebrityPosts(bench, redis, great, () => false), smallFor(2)]);
      const alone = await smallFor(bench.rounds * bench.seconds);
      let isOver = false;
      const [[reached, others], cpu] = await withCpu(bench, () =>
        Promise.all([
          celebrityPosts(bench, redis, great, (sent) => !isOver || sent < bench.rounds),
          smallFor(bench.rounds * bench.seconds).finally(() => {
            isOver = true;
          }),
        ]),
      );
      const missing = reached.reduce((sum, { lacking: count }) => sum + count, 0) / (reached.length * sample);
      const row = rowOf(bench, { cpu, of: reached.length, rps: null, missing, failed: 0 });
      const small0 = { ...row, cpuUs: {}, missing: 0, rps: small.rate };
      const smallRow = ({ all, failed }: typeof alone) => ({
        ...small0,
        failed: digits(failed, 6),
        ...quantiles(all.map(({ fannedMs }) => fannedMs)),
      });
      return [
        { ...row, profile: "celebrity", ...quantiles(reached.map(({ fannedMs }) => fannedMs)) },
        { ...smallRow(alone), profile: "others-alone" },
        { ...smallRow(others), profile: "others-meanwhile" },
      ];
    });
  },

  async inserts(bench, followers) {
    const crowd = await gather(bench.system, { name: "great", authors: 1, followers }, bench.progress);
    const [first = "0", second = first] = bench.cores.split(",");
    return allPushed(bench, async (redis) => {
      await activate(redis, crowd.followers);
      await celebrityPosts(bench, redis, crowd, () => false);
      const pids = bench.system.pids();
      pin(first, pids.get("feed") ?? 0);
      pin(second, pids.get("redis") ?? 0);
      try {
        const rates: number[] = [];
        const [, cpu] = await withCpu(bench, async () => {
          for (let round = 0; round < bench.rounds; round++) rates.push(await burstRate(bench, redis, crowd));
        });
        const inserts = bench.rounds * burst * followers;
        const rps = Math.round(rates.toSorted((a, b) => a - b)[rates.length >> 1] ?? 0);
        return [
          {
            ...rowOf(bench, { cpu, of: inserts, rps, missing: 0, failed: 0 }),
            profile: "inserts",
            p50Ms: null,
            p99Ms: null,
          },
        ];
      } finally {
        for (const name of ["feed", "redis"]) pin(bench.cores, pids.get(name) ?? 0);
      }
    });
  },
};

/** While nobody's followers pull, however many they are. */
async function allPushed<T>(bench: Bench, work: (redis: Redis) => Promise<T>): Promise<T> {
  const before = await pullAbove(bench.system, everybody);
  try {
    return await within(bench, work);
  } finally {
    await pullAbove(bench.system, before);
  }
}

async function within<T>({ system }: Bench, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = await openReadModels(system);
  try {
    return await work(redis);
  } finally {
    redis.close();
  }
}

/** Posts of a crowd's authors in turn, at a fixed rate; each is followed into one follower's feed and to the end of its fan-out. */
async function posting(
  { system }: Bench,
  redis: Redis,
  { authors, followers }: Crowd,
  rate: number,
  seconds: number,
): Promise<{ all: Said[]; failed: number }> {
  const fanned = watchFanned(redis);
  const beganMs = performance.now();
  const said = Array.from({ length: rate * seconds }, async (_, nth) => {
    const dueMs = beganMs + (nth * 1_000) / rate;
    await sleep(Math.max(0, dueMs - performance.now()));
    const id = await say(system, authors[nth % authors.length] as Person, `number ${nth}`);
    if (id === undefined) return undefined;
    const reader = followers[(nth * 7) % Math.min(sample, followers.length)] as Person;
    const [page, fannedAt] = await Promise.all([
      readFeed(system, reader).then((got) => ({ got, atMs: performance.now() })),
      fanned.until(id),
    ]);
    if (page.got === undefined) return undefined;
    const isMissing = !holds(page.got, id);
    return { shownMs: page.atMs - dueMs, fannedMs: fannedAt - dueMs, isMissing };
  });
  try {
    const all = (await Promise.all(said)).filter((one) => one !== undefined);
    return { all, failed: 1 - all.length / said.length };
  } finally {
    await fanned.stop();
  }
}

/** Posts of the one whom everybody follows, each when the one before is everywhere, while `goesOn` says so. */
async function celebrityPosts(
  { system }: Bench,
  redis: Redis,
  { authors, followers }: Crowd,
  goesOn: (sent: number) => boolean,
) {
  const fanned = watchFanned(redis);
  const each = Math.max(1, Math.floor(followers.length / sample));
  const looked = followers.filter((_, nth) => nth % each === 0).slice(0, sample);
  const done: { fannedMs: number; lacking: number }[] = [];
  try {
    do {
      const dueMs = performance.now();
      const id = await say(system, authors[0] as Person, "to everybody");
      if (id === undefined) continue;
      const fannedMs = (await fanned.until(id)) - dueMs;
      done.push({ fannedMs, lacking: await lacking(redis, looked, id) });
    } while (goesOn(done.length));
    return done;
  } finally {
    await fanned.stop();
  }
}

/** Timeline entries a second while a few posts go to everybody at once. */
async function burstRate({ system }: Bench, redis: Redis, { authors, followers }: Crowd): Promise<number> {
  const fanned = watchFanned(redis);
  try {
    const beganMs = performance.now();
    const ends = Array.from({ length: burst }, async (_, nth) =>
      fanned.until((await say(system, authors[0] as Person, `to everybody ${nth}`)) ?? ""),
    );
    const endMs = Math.max(...(await Promise.all(ends)));
    return (burst * followers.length * 1_000) / (endMs - beganMs);
  } finally {
    await fanned.stop();
  }
}

/** The id of a new post; undefined where it failed. */
async function say({ url }: System, { token }: Person, text: string): Promise<string | undefined> {
  const { status, body } = await ask<ShownPost>(url, "POST", "/v1/posts", { token, body: { text }, key: randomUUID() });
  return status === 201 ? body.id : undefined;
}

/** The first page; undefined where it failed. */
async function readFeed({ url }: System, { token }: Person): Promise<FeedPage | undefined> {
  const { status, body } = await ask<FeedPage>(url, "GET", "/v1/feed?pageSize=20", { token });
  return status === 200 ? body : undefined;
}

/** On the page, or pushed below it by what came since. */
function holds({ items }: FeedPage, id: string): boolean {
  const shown = items.map(({ activityId }) => activityId);
  return shown.includes(id) || (shown.length === 20 && BigInt(shown.at(-1) ?? 0) > BigInt(id));
}

function quantiles(all: readonly number[]) {
  const histogram = createHistogram();
  for (const ms of all) histogram.record(ms * 1_000);
  return { p50Ms: histogram.atMs(0.5), p99Ms: histogram.atMs(0.99) };
}

function rowOf(
  { system }: Bench,
  {
    cpu,
    of,
    rps,
    missing,
    failed,
  }: { cpu: ReadonlyMap<string, number>; of: number; rps: number | null; missing: number; failed: number },
): Omit<Row, "profile" | "p50Ms" | "p99Ms"> {
  const cpuUs = Object.fromEntries([...cpu].map(([name, us]) => [name, digits(us / Math.max(1, of), 2)]));
  const right = { failed: digits(failed, 6), wrong: 0, stale: 0 };
  return {
    envoy: system.envoy,
    connections: 1,
    rps,
    cpuUs,
    shareOfKoa: null,
    koaP99Ms: null,
    hitRate: null,
    ...right,
    missing: digits(missing, 6),
  };
}
