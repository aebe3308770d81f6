import { randomUUID } from "node:crypto";
import { newId } from "#lib/storage/id.ts";
import { openMysql } from "#lib/storage/mysql.ts";
import { ask } from "../../tests/support/person.ts";
import { findSystem, insist, openOperator } from "../../tools/operator.ts";
import type { Progress } from "../../tools/progress.ts";
import type { Client } from "../load/processes.ts";
import { activate, gather, openReadModels, type Person, signer } from "../suite/crowd.ts";
import { watchFanned } from "../suite/fanned.ts";
import { deployment, type System } from "../suite/system.ts";
import type { Town } from "../suite/town.ts";
import { type Meter, type Point, readPages } from "./cost.ts";

/** What a curve is measured on. */
type Ground = {
  readonly system: System;
  readonly town: Town;
  readonly client: Client;
  readonly meter: Meter;
  readonly progress: Progress;
  readonly seconds: number;
};

export type Curve = {
  readonly title: string;
  /** What is varied. */
  readonly unit: string;
  readonly levels: readonly number[];
  /** Of the replicas of feed and BFF the system is to have; one each where absent. */
  readonly replicasOf?: (level: number) => number;
  readonly measure: (ground: Ground, level: number) => Promise<Point>;
};

/** Readers of each number of followings. */
const readers = 5;
const postsEach = 10;
const rowsPerInsert = 5_000;

export const curves: Readonly<Record<string, Curve>> = {
  page: {
    title: "A home page by its size",
    unit: "posts on the page",
    levels: [5, 10, 20, 50, 100],
    measure: (ground, pageSize) => pages(ground, pageSize, ground.town.people, pageSize),
  },
  followings: {
    title: "A home page of 20 by whom its reader follows",
    unit: "followings",
    levels: [10, 30, 100, 300, 1_000],
    async measure(ground, level) {
      return pages(ground, level, await followingSome(ground, level), 20);
    },
  },
  followers: {
    title: "A post by its author's followers, to the end of its fan-out",
    unit: "followers, all active",
    levels: [10, 100, 1_000, 10_000],
    measure: posts,
  },
  store: {
    title: "A home page of 20 by what is in the store",
    unit: "posts in MySQL beside the town's",
    levels: [1_000, 100_000, 1_000_000],
    async measure(ground, level) {
      await fillStore(ground, level);
      return pages(ground, level, ground.town.people, 20);
    },
  },
  replicas: {
    title: "A home page of 20 by replicas, on the same two cores",
    unit: "of BFF and feed service each",
    levels: [1, 2, 3],
    replicasOf: (level) => level,
    measure: (ground, level) => pages(ground, level, ground.town.people, 20),
  },
};

async function pages(
  { system, client, meter, seconds }: Ground,
  x: number,
  people: readonly Person[],
  pageSize: number,
): Promise<Point> {
  const of = { system, client, people, pageSize };
  await readPages(of, 0);
  await readPages(of, seconds);
  return { x, ...(await meter.of(() => readPages(of, seconds))) };
}

/** New people who follow the first so many of the town. */
async function followingSome({ system, town }: Ground, level: number): Promise<Person[]> {
  const { dir } = system.instance;
  const operator = await openOperator(findSystem({ dir, env: process.env }));
  try {
    const users = Array.from({ length: readers }, (_, nth) => ({ username: `follows_${level}_${nth}` }));
    const { userIds } = await insist((options) => operator.user.importUsers({ users, password: "" }, options));
    const followeeIds = town.people.slice(0, level).map(({ id }) => BigInt(id));
    for (const followerId of userIds) {
      await insist((options) => operator.graph.importFollows({ lists: [{ followerId, followeeIds }] }, options));
    }
    return await Promise.all(userIds.map(await signer(dir)));
  } finally {
    operator.close();
  }
}

async function posts({ system, meter, progress }: Ground, followers: number): Promise<Point> {
  const crowd = await gather(system, { name: `heard${followers}`, authors: 1, followers }, progress);
  const redis = await openReadModels(system);
  const fanned = watchFanned(redis);
  const [author] = crowd.authors;
  const say = async (nth: number) => {
    const about = { token: String(author?.token), body: { text: `to ${followers}, ${nth}` }, key: randomUUID() };
    const { status, body } = await ask<{ id: string }>(system.url, "POST", "/v1/posts", about);
    if (status !== 201) throw new Error(`a post was answered ${status}`);
    await fanned.until(body.id);
  };
  try {
    await activate(redis, crowd.followers);
    await say(0);
    const cost = await meter.of(async () => {
      for (let nth = 1; nth <= postsEach; nth++) await say(nth);
      return postsEach;
    });
    return { x: followers, ...cost };
  } finally {
    await fanned.stop();
    redis.close();
  }
}

/** Rows of somebody whom nobody follows, straight into the tables: what a store holds and no page shows. */
async function fillStore({ system, progress }: Ground, level: number): Promise<void> {
  const db = openMysql({ url: system.instance.servers.mysqlUrl, database: `${deployment}_post` });
  try {
    const authorId = 1n;
    const [row] = await db.query("SELECT COUNT(*) AS n FROM activity WHERE author_id = ?", [authorId]); // PRIMARY
    for (let there = Number(row?.n); there < level; there += rowsPerInsert) {
      const ids = Array.from({ length: Math.min(rowsPerInsert, level - there) }, () => newId());
      await db.exec("INSERT INTO post (id, author_id, version, text) VALUES ?", [
        ids.map((id) => [id, authorId, 1, "one of many"]),
      ]);
      await db.exec("INSERT INTO activity (author_id, activity_id, post_id) VALUES ?", [
        ids.map((id) => [authorId, id, id]),
      ]);
      progress.update({ what: "posts in the store", done: there, total: level });
    }
  } finally {
    await db.close();
  }
}
