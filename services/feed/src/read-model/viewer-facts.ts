import { type MarkedSet, type MemberSet, marksIn, membersIn } from "#lib/readmodel/member-set.ts";
import { type Ties, tiesIn, wordsVersionIn } from "#lib/readmodel/tie.ts";
import type { ViewerLook } from "#lib/readmodel/viewer-look.ts";
import { clocksMs, leastIdAt } from "#lib/storage/id.ts";

/** How some people and posts, those that were asked for, stand to a viewer; a set that Redis lacks is undefined, and truth decides. */
export type ViewerFacts = {
  readonly follows: MemberSet | undefined;
  readonly ties: ReadonlyMap<bigint, Ties> | undefined;
  /** Of the viewer's muted words: 0 for none. */
  readonly wordsVersion: bigint | undefined;
  readonly reacted: MarkedSet | undefined;
  readonly own: MarkedSet | undefined;
  /** Which states of the sets this is of, and what was asked; undefined for nobody's. */
  readonly asked: Asked | undefined;
};
type Asked = {
  readonly states: string;
  readonly userIds: Set<bigint>;
  readonly postIds: Set<bigint>;
  /** Ids from here on are of posts made after the sets were read: without a change of theirs, the viewer did nothing with those. */
  readonly youngId: bigint;
};

/** Ids asked about one viewer; with more the next look begins anew. */
const factsMax = 1_000;
const none: ReadonlySet<bigint> = new Set();

/** Somebody who is not signed in follows, mutes and keeps nothing. */
export const nobodysFacts: ViewerFacts = {
  follows: { version: 0n, lowWatermark: 0n, ids: none },
  ties: new Map(),
  wordsVersion: 0n,
  reacted: { version: 0n, lowWatermark: 0n, marks: new Map() },
  own: { version: 0n, lowWatermark: 0n, marks: new Map() },
  asked: undefined,
};

type Ids = { readonly userIds: readonly bigint[]; readonly postIds: readonly bigint[] };

/** The facts in an answer to `askViewer`, asked at `askedMs`. */
export function viewerFacts(answer: ViewerLook, { userIds, postIds }: Ids, askedMs: number): ViewerFacts {
  const [follows, ties, reacted, own] = answer;
  // That there is none is known as well: its owner writes the state where it makes one.
  const states = answer.map((part) => (part as [state?: string])[0] ?? "none");
  return {
    follows: membersIn(follows, userIds),
    ties: tiesIn(ties, userIds),
    wordsVersion: wordsVersionIn(ties),
    reacted: marksIn(reacted, postIds),
    own: marksIn(own, postIds),
    asked: {
      states: states.join(),
      userIds: new Set(userIds),
      postIds: new Set(postIds),
      youngId: leastIdAt(askedMs + clocksMs),
    },
  };
}

/** Whether facts tell of all of some ids. */
export function tellsOf({ asked }: ViewerFacts, { userIds, postIds }: Ids): boolean {
  if (asked === undefined) return false;
  for (const id of userIds) if (!asked.userIds.has(id)) return false;
  for (const id of postIds) if (id < asked.youngId && !asked.postIds.has(id)) return false;
  return true;
}

/** Earlier facts and later ones together, where they are of the same states of the sets; else the later ones. */
export function joined(earlier: ViewerFacts | undefined, later: ViewerFacts): ViewerFacts {
  const [before, now] = [earlier?.asked, later.asked];
  if (earlier === undefined || before === undefined || now === undefined || before.states !== now.states) return later;
  if (sizeOf(earlier) + sizeOf(later) > factsMax) return later;
  return {
    ...later,
    follows: later.follows && { ...later.follows, ids: union(earlier.follows?.ids, later.follows.ids) },
    ties: merged(earlier.ties, later.ties),
    reacted: later.reacted && { ...later.reacted, marks: merged(earlier.reacted?.marks, later.reacted.marks) },
    own: later.own && { ...later.own, marks: merged(earlier.own?.marks, later.own.marks) },
    asked: {
      states: now.states,
      userIds: union(before.userIds, now.userIds),
      postIds: union(before.postIds, now.postIds),
      youngId: before.youngId,
    },
  };
}

export const sizeOf = (facts: ViewerFacts | undefined): number =>
  1 + (facts?.asked?.userIds.size ?? 0) + (facts?.asked?.postIds.size ?? 0);

const union = (a: ReadonlySet<bigint> = none, b: ReadonlySet<bigint>): Set<bigint> => new Set([...a, ...b]);
const merged = <V>(a: ReadonlyMap<bigint, V> = new Map(), b: ReadonlyMap<bigint, V> = new Map()): Map<bigint, V> =>
  new Map([...a, ...b]);
