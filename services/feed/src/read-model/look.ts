import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { perTurn } from "#lib/mesh/turn.ts";
import { accountMarks, decodeAccountMark } from "#lib/readmodel/account.ts";
import type { ViewerId } from "#lib/readmodel/audience.ts";
import { authorVersions, decodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import { cards, decodeShownCard } from "#lib/readmodel/card.ts";
import { commentCounts, decodeCount, likeCounts } from "#lib/readmodel/count.ts";
import { askViewer, type ViewerLook } from "#lib/readmodel/viewer-look.ts";
import type { Redis } from "#lib/storage/redis.ts";
import {
  type AuthorFacts,
  apart,
  type Limits,
  type NearCache,
  nearCache,
  type PostFacts,
  type Shelves,
  type Slot,
  viewersSets,
} from "./near.ts";
import { joined, nobodysFacts, tellsOf, type ViewerFacts, viewerFacts } from "./viewer-facts.ts";

/** What a page asks about: distinct ids, one or more of each. */
export type Asked = {
  readonly postIds: readonly bigint[];
  readonly authorIds: readonly bigint[];
  readonly viewerId: ViewerId;
  /** What deciding takes, or that and what stands beside a post: how the viewer reacts to it, and whether they keep it. */
  readonly depth: "card" | "whole";
  /** What was written before is to be seen (ms of `performance.now`): when whoever asks was asked. */
  readonly sinceMs: number;
};

/** What Redis says, in the order of the ids. */
export type Looked = {
  readonly posts: readonly PostFacts[];
  readonly authors: readonly AuthorFacts[];
  readonly viewer: ViewerFacts;
};

export type Look = ReturnType<typeof looking>;

/** Reads of one turn that share a round trip: of a hundred values each, so that no command holds Redis for long. */
const readsMax = 32;

const nearCounts = cacheCounts("near");

/** Looks at posts and authors for a viewer; what is not near is read in one round trip with everybody who looks in the same turn. */
export function looking(redis: Redis, limits?: Limits) {
  const near = nearCache(redis, limits);
  const together = perTurn(readsMax, (asks: readonly Asked[]) => lookTogether(redis, near, asks));
  return {
    /** Has what is near be as it is from now on, for who asks something else of Redis meanwhile. */
    settle: near.settle,

    async look(asked: Asked): Promise<Looked> {
      const known = near.isSettled(asked.sinceMs) ? nearAlone(near, asked) : undefined;
      return known ?? (await together(asked));
    },
  };
}

/** All of it from nearby; undefined where something is missing. */
function nearAlone(near: NearCache, asked: Asked): Looked | undefined {
  const found = [taken(near.open(), asked)];
  const { posts, authors, viewers } = missingIn(found);
  if (posts.size + authors.size + viewers.length > 0) return undefined;
  tell(found, { posts, authors, viewers });
  return answerOf(found[0] as Found) as Looked;
}

/** What one asker gets. The same slot may be of several. */
type Found = {
  readonly ask: Asked;
  posts: Slot<PostFacts>[];
  authors: Slot<AuthorFacts>[];
  viewer: Slot<ViewerFacts> | undefined;
  facts: ViewerFacts | Error | undefined;
};

/**
 * What is near was as it is when this read began, or is read again. Everything else is read by one command for the values, each key once,
 * and one for each viewer.
 */
async function lookTogether(redis: Redis, near: NearCache, asks: readonly Asked[]): Promise<(Looked | Error)[]> {
  const shelves = near.open();
  const found = asks.map((ask) => taken(shelves, ask));
  const read = missingIn(found);
  tell(found, read);
  const isSettled = asks.every(({ sinceMs }) => near.isSettled(sinceMs));
  const [isSure] = await Promise.all([isSettled || near.settle(), bring(redis, near, shelves, read)]);
  const others = isSure ? near.open() : apart();
  const changed = changedIn(found, read, others, isSure);
  if (changed !== undefined) await bring(redis, near, others, changed);
  return found.map(answerOf);
}

const taken = (shelves: Shelves, ask: Asked): Found => ({
  ask,
  posts: ask.postIds.map(shelves.posts.take),
  authors: ask.authorIds.map(shelves.authors.take),
  viewer: ask.viewerId === undefined ? undefined : shelves.viewers.take(ask.viewerId),
  facts: undefined,
});

/** What is to be read for some askers. */
type Missing = {
  readonly posts: Set<Slot<PostFacts>>;
  readonly authors: Set<Slot<AuthorFacts>>;
  /** Whose facts are not all there. */
  readonly viewers: readonly Found[];
};

function missingIn(found: readonly Found[]): Missing {
  const missing = { posts: new Set<Slot<PostFacts>>(), authors: new Set<Slot<AuthorFacts>>(), viewers: [] as Found[] };
  for (const one of found) {
    for (const slot of one.posts) if (slot.value === undefined) missing.posts.add(slot);
    for (const slot of one.authors) if (slot.value === undefined) missing.authors.add(slot);
    if (one.viewer === undefined || one.facts !== undefined) continue;
    const facts = one.viewer.value;
    if (facts !== undefined && tellsOf(facts, idsOf(one.ask))) one.facts = facts;
    else missing.viewers.push(one);
  }
  return missing;
}

/** What was near and changed meanwhile, or may have, in slots of other shelves; undefined where nothing is to be read for it. */
function changedIn(found: readonly Found[], read: Missing, shelves: Shelves, isSure: boolean): Missing | undefined {
  const viewers = new Set(read.viewers);
  let isChanged = false;
  const again = <V>(slots: Slot<V>[], fresh: ReadonlySet<Slot<V>>, take: (id: bigint) => Slot<V>) => {
    for (const [nth, slot] of slots.entries()) {
      if ((isSure && slot.isCurrent) || fresh.has(slot)) continue;
      slots[nth] = take(slot.id);
      isChanged = true;
    }
  };
  for (const one of found) {
    again(one.posts, read.posts, shelves.posts.take);
    again(one.authors, read.authors, shelves.authors.take);
    if (one.viewer === undefined || (isSure && one.viewer.isCurrent) || viewers.has(one)) continue;
    one.viewer = shelves.viewers.take(one.viewer.id);
    one.facts = undefined;
    isChanged = true;
  }
  return isChanged ? missingIn(found) : undefined;
}

function tell(found: readonly Found[], { posts, authors, viewers }: Missing): void {
  const asked = found.reduce((sum, one) => sum + one.posts.length + one.authors.length + 1, 0);
  const misses = posts.size + authors.size + viewers.length;
  nearCounts(asked - misses, misses);
}

const idsOf = ({ authorIds, postIds, depth }: Asked) => ({
  userIds: authorIds,
  postIds: depth === "whole" ? postIds : [],
});

/** Reads what is missing, in one round trip. A viewer whose sets cannot be read has an Error; whoever else is read with them does not. */
async function bring(redis: Redis, near: NearCache, shelves: Shelves, missing: Missing): Promise<void> {
  const [posts, authors] = [[...missing.posts], [...missing.authors]];
  const askedMs = Date.now();
  const keys = [
    ...posts.map(({ id }) => cards.keyOf(redis, id)),
    ...posts.map(({ id }) => likeCounts.keyOf(redis, id)),
    ...posts.map(({ id }) => commentCounts.keyOf(redis, id)),
    ...authors.map(({ id }) => authorVersions.keyOf(redis, id)),
    ...authors.map(({ id }) => accountMarks.keyOf(redis, id)),
  ];
  const asking = missing.viewers.map((one) => ({ one, slot: one.viewer as Slot<ViewerFacts> }));
  // Read before the sets themselves, so that no change of those goes unheard.
  if (shelves.areKept)
    for (const { slot } of asking) keys.push(...viewersSets.map((family) => family.stateKey(redis, slot.id)));
  if (keys.length === 0 && asking.length === 0) return;
  const pipeline = redis.pipeline();
  if (shelves.areKept) near.follow(pipeline);
  if (keys.length > 0) redis.values(pipeline, keys);
  for (const { one, slot } of asking) {
    const sets = viewersSets.flatMap((family) => family.readKeys(redis, slot.id));
    askViewer(redis, pipeline, sets, idsOf(one.ask));
  }
  const answers = await redis.runEach(pipeline);
  const viewers = answers.slice(answers.length - asking.length);
  const failed = answers.slice(0, answers.length - asking.length).find((answer) => answer instanceof Error);
  if (failed !== undefined) throw failed;
  const values = (answers[answers.length - asking.length - 1] ?? []) as (Buffer | null)[];
  fill(shelves, posts, authors, values);
  for (const [nth, { one, slot }] of asking.entries()) {
    const answer = viewers[nth];
    if (answer instanceof Error) {
      one.facts = answer;
      continue;
    }
    const facts = joined(
      slot.isCurrent ? slot.value : undefined,
      viewerFacts(answer as ViewerLook, idsOf(one.ask), askedMs),
    );
    one.facts = facts;
    shelves.viewers.put(slot, facts);
  }
}

/** Puts values into their slots, in the order of their keys. That there is none is known as well: the server tells when there is one. */
function fill(
  shelves: Shelves,
  posts: readonly Slot<PostFacts>[],
  authors: readonly Slot<AuthorFacts>[],
  values: readonly (Buffer | null)[],
): void {
  const at = <T>(place: number, decode: (bytes: Buffer) => T | undefined): T | undefined => {
    const bytes = values[place];
    return bytes ? decode(bytes) : undefined;
  };
  for (const [nth, slot] of posts.entries()) {
    const card = at(nth, decodeShownCard);
    const likes = at(posts.length + nth, decodeCount);
    const comments = at(2 * posts.length + nth, decodeCount);
    shelves.posts.put(slot, { card, likes, comments, answers: new Map() });
  }
  for (const [nth, slot] of authors.entries()) {
    const version = at(3 * posts.length + nth, decodeAuthorVersion);
    const mark = at(3 * posts.length + authors.length + nth, decodeAccountMark);
    shelves.authors.put(slot, { version, mark });
  }
}

function answerOf({ posts, authors, facts = nobodysFacts }: Found): Looked | Error {
  if (facts instanceof Error) return facts;
  return {
    posts: posts.map(({ value }) => value as PostFacts),
    authors: authors.map(({ value }) => value as AuthorFacts),
    viewer: facts,
  };
}
