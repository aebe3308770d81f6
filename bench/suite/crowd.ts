import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "#lib/harness/until.ts";
import { createLog } from "#lib/mesh/log.ts";
import { homeTimelines, readModelScripts } from "#lib/readmodel/families.ts";
import { sliceOf } from "#lib/readmodel/timeline.ts";
import { openRedis, type Redis } from "#lib/storage/redis.ts";
import { sessions } from "../../services/user/src/handlers/session.ts";
import type { Keys } from "../../tools/launcher/keys.ts";
import { createLanes, findSystem, insist, openOperator } from "../../tools/operator.ts";
import type { Progress } from "../../tools/progress.ts";
import { deployment, type System } from "./system.ts";

export type Person = { readonly id: string; readonly token: string };

/** A few authors, and many who follow all of them and nobody else. */
export type Crowd = { readonly authors: readonly Person[]; readonly followers: readonly Person[] };

/** As many as an import call takes. */
const usersPerCall = 1_000;
const followsPerCall = 2_500;
const callsAtOnce = 3;
const timelinesPerCall = 1_000;
const obeyedMs = 5_500;
/** Longer than any run. */
const tokenSeconds = 6 * 3_600;

/** Has a crowd stand in a system; the same names are the same people. */
export async function gather(
  system: System,
  { name, authors, followers }: { name: string; authors: number; followers: number },
  progress: Progress,
): Promise<Crowd> {
  const { dir } = system.instance;
  const operator = await openOperator(findSystem({ dir, env: process.env }));
  const lanes = createLanes(callsAtOnce);
  const open = async (kind: string, count: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let first = 0; first < count; first += usersPerCall) {
      await lanes.run(async () => {
        const users = Array.from({ length: Math.min(usersPerCall, count - first) }, (_, nth) => ({
          username: `${name}_${kind}${first + nth}`,
        }));
        const { userIds } = await insist((options) => operator.user.importUsers({ users, password: "" }, options));
        const lists = userIds.map((followerId) => ({ followerId }));
        await insist((options) => operator.graph.importFollows({ lists }, options));
        for (const [nth, id] of userIds.entries()) ids[first + nth] = id;
        progress.update({ what: `people of ${name}`, done: ids.length, total: count });
      });
    }
    await lanes.drain();
    return ids;
  };
  try {
    const authorIds = await open("a", authors);
    const followerIds = await open("f", followers);
    const followeeIds = authorIds.map(BigInt);
    const perCall = Math.max(1, Math.floor(followsPerCall / authors));
    for (let first = 0; first < followers; first += perCall) {
      const lists = followerIds.slice(first, first + perCall).map((followerId) => ({ followerId, followeeIds }));
      await lanes.run(async () => void (await insist((options) => operator.graph.importFollows({ lists }, options))));
      progress.update({ what: `follows of ${name}`, done: first, total: followers });
    }
    await lanes.drain();
    const signIn = await signer(dir);
    return {
      authors: await Promise.all(authorIds.map(signIn)),
      // Signing takes a tenth of a millisecond, and of a hundred thousand nobody will ask.
      followers: await Promise.all(followerIds.map((id, nth) => (nth < usersPerCall ? signIn(id) : { id, token: "" }))),
    };
  } finally {
    operator.close();
  }
}

/** From how many followers on authors are pulled. Answers the number that counted before. */
export async function pullAbove({ instance }: System, wanted: number): Promise<number> {
  const operator = await openOperator(findSystem({ dir: instance.dir, env: process.env }));
  try {
    const { pullAbove: before } = await insist((options) => operator.feed.configureFanout({}, options));
    await insist((options) => operator.feed.configureFanout({ pullAbove: wanted }, options));
    // Each process obeys within five seconds.
    if (before !== wanted) await sleep(obeyedMs);
    return Number(before);
  } finally {
    operator.close();
  }
}

/** Signs in without a password: access tokens as the user service would make them. */
export async function signer(dir: string): Promise<(id: string) => Promise<Person>> {
  const keys = JSON.parse(readFileSync(join(dir, "keys.json"), "utf8")) as Keys;
  const { open } = await sessions({ accessKey: JSON.stringify(keys.access.private), lifeSeconds: tokenSeconds });
  return async (id) => ({ id, token: (await open(BigInt(id))).accessToken });
}

/** The read models of a system, as its services reach them. */
export async function openReadModels({ instance }: System): Promise<Redis> {
  const log = createLog({ name: "bench", level: "error" });
  const redis = openRedis({ url: instance.servers.redisUrl, deployment, scripts: readModelScripts, log });
  await until("Redis is there", () => redis.reached());
  return redis;
}

/** Makes people active, as a visit would: they have a timeline, which is empty until something is pushed. */
export async function activate(redis: Redis, people: readonly Person[]): Promise<void> {
  for (let first = 0; first < people.length; first += timelinesPerCall) {
    const ownerIds = people.slice(first, first + timelinesPerCall).map(({ id }) => BigInt(id));
    const seal = await homeTimelines.build(redis, ownerIds);
    await seal(ownerIds.map((ownerId) => ({ ownerId, entries: [], seal: { lowWatermark: 0n, version: 0n } })));
  }
}

/** How many of some people's timelines begin without an activity that must be there. */
export async function lacking(redis: Redis, people: readonly Person[], activityId: string): Promise<number> {
  const pipeline = redis.pipeline();
  for (const { id } of people) homeTimelines.readHead(redis, pipeline, BigInt(id), 20);
  const heads = (await redis.run(pipeline)).map(sliceOf);
  return heads.filter(({ entries }) => !entries.some((entry) => entry.activityId === BigInt(activityId))).length;
}
