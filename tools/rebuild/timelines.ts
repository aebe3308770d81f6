import { setTimeout as sleep } from "node:timers/promises";
import { switchList } from "#lib/readmodel/generation.ts";
import { lag } from "#lib/readmodel/lag.ts";
import { pulledView } from "#lib/readmodel/pulled.ts";
import { encodeEntry, encodeSeal, entriesMax, type Seal, slack, sliceOf } from "#lib/readmodel/timeline.ts";
import { timeOf } from "#lib/storage/id.ts";
import { bigintOf, type Db } from "#lib/storage/mysql.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { againMs, looksMax, sum, type Tally, triesMax } from "./tally.ts";

/** Whose activities a timeline is made of, and from which version of that. */
type Authors = { readonly ids: readonly bigint[]; readonly version: bigint };

type Needs = {
  readonly redis: Redis;
  readonly post: Db;
  readonly keyOf: (redis: Redis, ownerId: bigint) => string;
  readonly authorsOf: (ownerIds: readonly bigint[]) => Promise<ReadonlyMap<bigint, Authors>>;
};

/** Owners that are read and compared together. */
const groupMax = 16;
/** Groups under way at once: MySQL, Redis and this process each have something to do. */
const groupsAtOnce = 3;
/** As long as a timeline gets before it is trimmed. */
const keptMax = entriesMax + slack;

/** A post this old was pushed, or will not be: what is missing of younger ones is looked at again before it is told. */
const comingMs = 10_000;

/** Entries by their 16 bytes as latin1 text, which compares as the numbers do. */
type Entries = readonly string[];

/**
 * Rebuilds timelines down to where each is whole. A second generation is made from MySQL, held against the first, and
 * put in its place by one script that refuses where anybody pushed since it was read; so no push is lost.
 */
export function timelineRebuild(needs: Needs) {
  return async (ownerIds: readonly bigint[]): Promise<Tally> => {
    const groups: bigint[][] = [];
    const { present, absent, stale } = await presentOf(needs, ownerIds);
    for (let at = 0; at < present.length; at += groupMax) groups.push(present.slice(at, at + groupMax));
    const tallies: Tally[] = [sum([{ absent, stale }])];
    const worker = async () => {
      for (let group = groups.pop(); group !== undefined; group = groups.pop()) {
        tallies.push(await groupRebuilt(needs, group));
      }
    };
    await Promise.all(Array.from({ length: groupsAtOnce }, worker));
    return sum(tallies);
  };
}

/** Those that have a timeline to rebuild; one under construction is its builder's. */
async function presentOf({ redis, keyOf }: Needs, ownerIds: readonly bigint[]) {
  const pipeline = redis.pipeline();
  for (const ownerId of ownerIds) pipeline.lindexBuffer(keyOf(redis, ownerId), -1);
  const lasts = await redis.run(pipeline);
  const present = ownerIds.filter((_, nth) => sliceOf([lasts[nth]]).seal !== undefined);
  const absent = lasts.filter((last) => last === null).length;
  return { present, absent, stale: ownerIds.length - present.length - absent };
}

async function groupRebuilt(needs: Needs, ownerIds: readonly bigint[]): Promise<Tally> {
  const tallies: Partial<Tally>[] = [];
  let due = ownerIds;
  for (let tried = 1; due.length > 0; tried++) {
    const mayWait = tried < looksMax;
    const outcomes = await look(needs, due, mayWait);
    const again = outcomes.filter(({ again }) => again).map(({ ownerId }) => ownerId);
    if (tried === triesMax) {
      tallies.push({ busy: again.length });
      again.length = 0;
    }
    tallies.push(...outcomes.filter(({ again }) => !again).map(({ tally }) => tally));
    due = again;
    if (due.length > 0) await sleep(againMs);
  }
  return sum(tallies);
}

type Outcome = { readonly ownerId: bigint; readonly again: boolean; readonly tally: Partial<Tally> };
type First = { readonly key: string; readonly elements: readonly Buffer[]; readonly seal: Seal | undefined };

/** Truth is read before the first generation, so that what is only in the latter was pushed since, or is wrong. */
async function look(needs: Needs, ownerIds: readonly bigint[], mayWait: boolean): Promise<Outcome[]> {
  const { redis } = needs;
  const timeMs = Date.now();
  const seals = (await firstOf(needs, ownerIds, -1)).firsts;
  const authors = await needs.authorsOf(ownerIds);
  const truths = await Promise.all(
    ownerIds.map((ownerId, nth) => truthOf(needs.post, authors.get(ownerId), seals[nth]?.seal)),
  );
  const { firsts, isElsewhere } = await firstOf(needs, ownerIds, 0);
  const switching = redis.pipeline();
  const outcomes: Outcome[] = [];
  const asked: { ownerId: bigint; tally: Tally }[] = [];
  for (const [nth, ownerId] of ownerIds.entries()) {
    const [first, truth, by] = [firsts[nth] as First, truths[nth], authors.get(ownerId)];
    const before = seals[nth]?.seal;
    const isSame = first.seal?.timeMs === before?.timeMs && first.seal?.version === before?.version;
    if (first.seal === undefined || by === undefined || truth === undefined || by.version !== first.seal.version) {
      outcomes.push({ ownerId, again: false, tally: first.elements.length === 0 ? { absent: 1 } : { stale: 1 } });
    } else if (!isSame) outcomes.push({ ownerId, again: true, tally: {} });
    else {
      const made = await secondOf(needs.post, first, first.seal, truth, by, isElsewhere);
      if (made.after === undefined) outcomes.push({ ownerId, again: false, tally: { ...made.tally, right: 1 } });
      else if (made.mayCome && mayWait) outcomes.push({ ownerId, again: true, tally: {} });
      else {
        const entries = made.after.map((bytes) => Buffer.from(bytes, "latin1"));
        const low = entries.length > keptMax ? entries[entriesMax - 1]?.readBigUInt64BE(0) : undefined;
        const kept = low === undefined ? entries : entries.slice(0, entriesMax);
        const seal = encodeSeal({ ...first.seal, lowWatermark: low ?? first.seal.lowWatermark, timeMs });
        switchList(redis, switching, { key: first.key, before: first.elements, after: [...kept, seal] });
        asked.push({ ownerId, tally: sum([made.tally]) });
      }
    }
  }
  const switched = asked.length === 0 ? [] : await redis.run(switching);
  for (const [nth, { ownerId, tally }] of asked.entries()) {
    outcomes.push({ ownerId, again: switched[nth] !== 1, tally: { ...tally, switched: 1 } });
  }
  return outcomes;
}

/**
 * The lag, then the timelines from an index on: what leaves the lag in between is in its timelines by then. Reads find
 * elsewhere what is in the lag, and what is pulled from its author.
 */
async function firstOf({ redis, keyOf }: Needs, ownerIds: readonly bigint[], from: number) {
  const keys = ownerIds.map((ownerId) => keyOf(redis, ownerId));
  const pipeline = redis.pipeline();
  lag.read(redis, pipeline);
  for (const key of keys) pipeline.lrangeBuffer(key, from, -1);
  const view = pulledView(redis);
  const heard = view.look(pipeline);
  const [late, ...lists] = await redis.run(pipeline);
  heard(lists.pop());
  const firsts = keys.map((key, nth): First => {
    const elements = (lists[nth] ?? []) as Buffer[];
    return { key, elements, seal: elements.length === 0 ? undefined : sliceOf([elements.at(-1)]).seal };
  });
  const waiting = new Set((late as Buffer[]).map((bytes) => bytes.toString("latin1")));
  const pulledIds = new Set(view.known().map(({ authorId }) => authorId));
  const isElsewhere = (entry: string) => waiting.has(entry) || pulledIds.has(authorOf(entry));
  return { firsts, isElsewhere };
}

/** The newest activities of the authors down to the low watermark, newest first. */
async function truthOf(post: Db, authors: Authors | undefined, seal: Seal | undefined): Promise<Entries | undefined> {
  if (authors === undefined || seal === undefined) return undefined;
  const rows = await post.query(
    `SELECT author_id, activity_id FROM activity WHERE author_id IN (?) AND activity_id >= ? AND deleted = 0 ORDER BY activity_id DESC LIMIT ${keptMax + 1}`, // PRIMARY
    [authors.ids, seal.lowWatermark],
  );
  return rows.map((row) =>
    encodeEntry({ activityId: bigintOf(row.activity_id), authorId: bigintOf(row.author_id) }).toString("latin1"),
  );
}

type Second = {
  /** What is missing is so new that its writer may be about to push it. */
  readonly mayCome: boolean;
  readonly after: Entries | undefined;
  readonly tally: Pick<Tally, "entries" | "missing" | "extra" | "outOfOrder" | "hidden">;
};

/** The second generation, and how the first one differs; without `after` the first one stays. */
async function secondOf(
  post: Db,
  { elements }: First,
  seal: Seal,
  truth: Entries,
  authors: Authors,
  isElsewhere: (entry: string) => boolean,
): Promise<Second> {
  const first = elements.slice(0, -1).map((bytes) => bytes.toString("latin1"));
  const low = encodeEntry({ activityId: seal.lowWatermark, authorId: 0n }).toString("latin1");
  // Trimmed since: what is below the new end is no part of either.
  const due = truth.filter((entry) => entry >= low);
  const outOfOrder = first.filter((entry, nth) => nth > 0 && entry >= (first[nth - 1] as string)).length;
  if (outOfOrder === 0 && first.length === due.length && first.every((entry, nth) => entry === due[nth])) {
    return {
      mayCome: false,
      after: undefined,
      tally: { entries: due.length, missing: 0, extra: 0, outOfOrder, hidden: 0 },
    };
  }
  const [has, wanted] = [new Set(first), new Set(due)];
  const isCut = due.length > keptMax;
  const last = due.at(-1) ?? "";
  const missing = due.filter((entry) => !has.has(entry) && !isElsewhere(entry));
  const mayCome = missing.some((entry) => timeOf(idOf(entry)) > Date.now() - comingMs);
  const beyond = [...has].filter((entry) => !wanted.has(entry) && !(isCut && entry < last));
  const { fresh, hidden } = await judged(post, beyond, authors);
  const after = [...wanted, ...fresh].sort().reverse();
  const extra = beyond.length - fresh.length - hidden;
  const isRight = missing.length + extra + outOfOrder + hidden === 0 && !isCut;
  const tally = { entries: after.length, missing: missing.length, extra, outOfOrder, hidden };
  return { mayCome, after: isRight ? undefined : after, tally };
}

/**
 * Entries that truth did not name: pushed since it was read; hidden from readers, because the post was deleted or its
 * author is not followed any more, which a timeline may hold; or wrong.
 */
async function judged(post: Db, entries: Entries, authors: Authors): Promise<{ fresh: Entries; hidden: number }> {
  if (entries.length === 0) return { fresh: [], hidden: 0 };
  const ids = entries.map(idOf);
  const rows = await post.query("SELECT id, author_id, deleted FROM post WHERE id IN (?)", [ids]); // PRIMARY
  const known = new Map(
    rows.map((row) => {
      const entry = { activityId: bigintOf(row.id), authorId: bigintOf(row.author_id) };
      const isShown = Number(row.deleted) === 0 && authors.ids.includes(entry.authorId);
      return [encodeEntry(entry).toString("latin1"), isShown];
    }),
  );
  const fresh = entries.filter((entry) => known.get(entry) === true);
  return { fresh, hidden: entries.filter((entry) => known.get(entry) === false).length };
}

const idOf = (entry: string): bigint => Buffer.from(entry, "latin1").readBigUInt64BE(0);
const authorOf = (entry: string): bigint => Buffer.from(entry, "latin1").readBigUInt64BE(8);
