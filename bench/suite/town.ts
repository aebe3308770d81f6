import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { openMysql } from "#lib/storage/mysql.ts";
import { caughtUp } from "../../tests/support/faults.ts";
import { ask, type FeedPage } from "../../tests/support/person.ts";
import { usage } from "../../tools/cli.ts";
import { createLanes, findSystem, openOperator } from "../../tools/operator.ts";
import type { Progress } from "../../tools/progress.ts";
import { personOf } from "../../tools/seed/people.ts";
import { type Network, plant } from "../../tools/seed/plant.ts";
import { randomOf } from "../../tools/seed/random.ts";
import { textOf } from "../../tools/seed/texts.ts";
import { type Person, signer } from "./crowd.ts";
import { deployment, type System } from "./system.ts";

export type Size = { readonly users: number; readonly follows: number; readonly posts: number };

/** Everybody and everything there is to ask for. */
export type Town = {
  readonly size: Size;
  readonly people: readonly Person[];
  /** Posts that everybody may see, newest first. */
  readonly posts: readonly string[];
  /** Authors who block nobody and whom nobody blocks. */
  readonly authors: readonly string[];
};

/**
 * What an instance directory is remembered by: the size of its town, how many posts all first pages show together, and the
 * newest post that was planted.
 */
type Mark = { readonly size: Size; readonly shown: number; readonly newest: string };
const markFile = (dir: string): string => join(dir, "town.json");
const markOf = (dir: string): Mark | undefined =>
  existsSync(markFile(dir)) ? (JSON.parse(readFileSync(markFile(dir), "utf8")) as Mark) : undefined;

/** Posts that the first pages of everybody show together; 0 where nothing was planted yet. */
export const shownOf = (dir: string): number => markOf(dir)?.shown ?? 0;

const seed = 8;
/** Every so many-th person mutes two whom they follow, and blocks a third. */
const excludingEach = 10;
const callsAtOnce = 8;
/** A facts backlog of the whole seed: fan-outs of 20,000 posts take half a minute. */
const heardMs = 20 * 60_000;
const likesEach = 1;
const commentsEach = 1;

/** Has the town stand in a system: planted by the import calls where it is new, as it is where the directory has it. */
export async function settle(system: System, size: Size, progress: Progress): Promise<Town> {
  const { dir, servers } = system.instance;
  const mark = markOf(dir);
  if (mark !== undefined && !isDeepStrictEqual(mark.size, size)) {
    throw usage(`${dir} holds a town of another size, ${JSON.stringify(mark.size)}; name another --dir`);
  }
  const town = networkOf(size);
  if (mark === undefined) await planted(dir, town, progress);
  const ids = await idsOf(servers.mysqlUrl, size.users);
  const people = await Promise.all(ids.map(await signer(dir)));
  if (mark === undefined) await exclude(system.url, town, people);
  progress.update({ what: "facts on their way", done: 0 });
  await caughtUp(servers, heardMs);
  const apart = new Set(blockersAndBlocked(town).map((nth) => ids[nth]));
  const authors = ids.filter((id) => !apart.has(id));
  const posts = await postsOf(servers.mysqlUrl, new Set(authors), mark?.newest);
  if (mark === undefined) {
    const shown = (await shownBy(system.url, people)).size;
    writeFileSync(markFile(dir), JSON.stringify({ size, shown, newest: posts[0] ?? "0" } satisfies Mark));
  }
  return { size, people, authors, posts };
}

function networkOf({ users, follows, posts }: Size): Network {
  return {
    name: `bench-${users}-${follows}-${posts}`,
    users,
    postsEach: posts,
    personOf: (nth) => ({ ...personOf(seed, nth), username: `town_${nth}` }),
    textOf: (author, nth) => textOf(seed, author, nth),
    followsOf(nth) {
      const random = randomOf("town follows", nth);
      const found = new Set<number>();
      while (found.size < follows) {
        const whom = random.below(users);
        if (whom !== nth) found.add(whom);
      }
      return [...found];
    },
    reactions: { likesEach, commentsEach, comments: ["Yes.", "Well said 🧵", "ほんとうに。"] },
  };
}

async function planted(dir: string, network: Network, progress: Progress): Promise<void> {
  const operator = await openOperator(findSystem({ dir, env: process.env }));
  try {
    await plant({ network, operator, progress, password: "", nowMs: Date.now() });
  } finally {
    operator.close();
  }
}

/** In the order of their numbers. */
async function idsOf(mysqlUrl: string, users: number): Promise<string[]> {
  const rows = await withSchema(mysqlUrl, "user", "SELECT id, username FROM user WHERE username LIKE 'town\\_%'");
  const ids = new Map(rows.map((row) => [row.username, String(row.id)]));
  return Array.from({ length: users }, (_, nth) => ids.get(`town_${nth}`) ?? "");
}

/** What was posted after the town was planted is left out, so that a kept instance has the same posts again. */
async function postsOf(mysqlUrl: string, authors: ReadonlySet<string>, newest: string | undefined): Promise<string[]> {
  const rows = await withSchema(mysqlUrl, "post", "SELECT id, author_id FROM post WHERE deleted = 0 ORDER BY id DESC");
  const planted = rows.filter(({ id }) => newest === undefined || BigInt(String(id)) <= BigInt(newest));
  return planted.filter((row) => authors.has(String(row.author_id))).map((row) => String(row.id));
}

async function withSchema(mysqlUrl: string, noun: string, sql: string) {
  const db = openMysql({ url: mysqlUrl, database: `${deployment}_${noun}` });
  try {
    return await db.query(sql);
  } finally {
    await db.close();
  }
}

const peopleWhoExclude = ({ users }: Network): number[] =>
  Array.from({ length: Math.ceil(users / excludingEach) }, (_, nth) => nth * excludingEach);

const blockersAndBlocked = (network: Network): number[] =>
  peopleWhoExclude(network).flatMap((nth) => [nth, network.followsOf(nth)[0] ?? nth]);

/** So that no page may be answered without looking who is to be left out of it. */
async function exclude(url: string, network: Network, people: Town["people"]): Promise<void> {
  const lanes = createLanes(callsAtOnce);
  for (const nth of peopleWhoExclude(network)) {
    for (const [at, whom] of network.followsOf(nth).slice(0, 3).entries()) {
      await lanes.run(async () => {
        const path = `/v1/users/${people[whom]?.id}/${at === 0 ? "block" : "mute"}`;
        const { status } = await ask(url, "PUT", path, { token: String(people[nth]?.token) });
        if (status >= 300) throw new Error(`PUT ${path}: ${status}`);
      });
    }
  }
  await lanes.drain();
}

/** The posts on the first pages of everybody. */
async function shownBy(url: string, people: Town["people"]): Promise<ReadonlySet<string>> {
  const lanes = createLanes(callsAtOnce);
  const shown = new Set<string>();
  for (const { token } of people) {
    await lanes.run(async () => {
      const { body } = await ask<FeedPage>(url, "GET", "/v1/feed?pageSize=20", { token });
      for (const { post } of body.items) shown.add(post.id);
    });
  }
  await lanes.drain();
  return shown;
}
