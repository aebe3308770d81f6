import type { Call } from "#lib/mesh/call.ts";
import type { Log } from "#lib/mesh/log.ts";
import { inTime } from "#lib/mesh/metrics.ts";
import { type AccountMark, accountMarks, encodeAccountMark } from "#lib/readmodel/account.ts";
import { followSets, tieSets, tiesMax } from "#lib/readmodel/families.ts";
import { inPassing } from "#lib/readmodel/passing.ts";
import type { Witness } from "#lib/readmodel/witness.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { Told } from "./store/change.ts";
import type { GraphStore } from "./store.ts";

/** What readers decide by: marks of accounts, follow sets, sets of ties. */
export type GraphReadModel = ReturnType<typeof graphReadModel>;

type Needs = { readonly redis: Redis; readonly store: GraphStore; readonly readers: Witness; readonly log: Log };

/** Whether a set is missing is asked so long; then it counts as there. */
const lookMs = 250;

export function graphReadModel({ redis, store, readers, log }: Needs) {
  const flights = new Map<bigint, Promise<void>>();
  const markAll = async (marks: ReadonlyMap<bigint, AccountMark>): Promise<void> => {
    const pipeline = redis.pipeline();
    for (const [id, mark] of marks) accountMarks.put(redis, pipeline, { id, value: encodeAccountMark(mark) });
    await redis.run(pipeline);
  };

  /** May run again. A set that is behind (whoever was to bring it up died) is dropped. */
  async function applyAll({ marks, follows, ties, reached }: Told): Promise<void> {
    const told: Promise<void>[] = [];
    if (marks.size > 0) told.push(markAll(marks));
    for (const change of follows) told.push(followSets.apply(redis, change));
    for (const change of ties) told.push(tieSets.apply(redis, change));
    if (reached.length > 0) {
      told.push(followSets.catchUp(redis, new Map(reached.map((person) => [person.userId, person.followVersion]))));
      told.push(tieSets.catchUp(redis, new Map(reached.map((person) => [person.userId, person.tieVersion]))));
    }
    await Promise.all(told);
  }

  return {
    /** Refuses a change that readers could not be told of, before it is made: another replica may reach them. */
    mustReachReaders: readers.mustReachReaders,

    /** Readers obey a change once this answers: call it after the commit. */
    apply: (told: Told, call?: Call): Promise<void> => readers.obeyed(() => applyAll(told), call),

    /** The relay's part, before anyone hears of the facts: what their writers died before they could apply. */
    async catchUp(touched: { follows: bigint[]; ties: bigint[]; marks: bigint[] }): Promise<void> {
      const { follows, ties, marks } = touched;
      if (follows.length > 0) await followSets.catchUp(redis, await store.followVersions(follows));
      if (ties.length > 0) await tieSets.catchUp(redis, await store.tieVersions(ties));
      if (marks.length > 0) await markAll(marksOf(await store.accounts(marks)));
    },

    /** Forgets the follow sets of an import, which changed in many places. */
    drop: (followerIds: readonly bigint[], call?: Call): Promise<void> =>
      readers.obeyed(() => followSets.drop(redis, followerIds), call),

    /** The set from truth, left in the read model unless it changed meanwhile. Without Redis the answer is the same. */
    loadFollows,

    /** The same for what decides about some accounts: their marks, and a viewer's sets where Redis has none. */
    async loadStandings<T>(
      viewerId: bigint | undefined,
      userIds: readonly bigint[],
      read: () => Promise<{ marks: ReadonlyMap<bigint, AccountMark>; answer: T }>,
    ): Promise<T> {
      const [{ answer }] = await Promise.all([
        inPassing(
          { log, what: "marks" },
          () => accountMarks.fill(redis, userIds),
          read,
          async (keep, { marks }) => {
            const entries = [...marks].map(([id, mark]) => ({ id, value: encodeAccountMark(mark) }));
            if (entries.length > 0) await keep(entries);
          },
        ),
        viewerId === undefined ? undefined : setsOnce(viewerId),
      ]);
      return answer;
    },
  };

  /** One build of a viewer's sets at a time: many requests of somebody new would lock the same row in turn. */
  function setsOnce(viewerId: bigint): Promise<void> {
    const flight = flights.get(viewerId) ?? loadSets(viewerId).finally(() => flights.delete(viewerId));
    flights.set(viewerId, flight);
    return flight;
  }

  /** Builds those of a viewer's two sets that are missing, where Redis is quick to say so: the next read asks again. */
  async function loadSets(viewerId: bigint): Promise<void> {
    const found = await inTime(lookMs, () =>
      redis.run(
        redis
          .pipeline()
          .exists(followSets.stateKey(redis, viewerId), followSets.setKey(redis, viewerId))
          .exists(tieSets.stateKey(redis, viewerId), tieSets.setKey(redis, viewerId)),
      ),
    ).catch(() => undefined);
    if (found === undefined) return;
    const [hasFollows, hasTies] = found.map((keys) => keys === 2);
    await Promise.all([hasFollows ? undefined : loadFollows(viewerId), hasTies ? undefined : loadTies(viewerId)]);
  }

  function loadFollows(userId: bigint): Promise<{ version: bigint; followeeIds: bigint[] }> {
    return inPassing(
      { log, what: "follow set" },
      () => followSets.rebuild(redis, userId),
      () => store.followSet(userId),
      (keep, { version, followeeIds }) => keep(whole(version), followeeIds),
    );
  }

  /** One that is larger than a set may be is not kept: each page asks. */
  function loadTies(userId: bigint): Promise<{ version: bigint; members: string[] }> {
    return inPassing(
      { log, what: "ties" },
      () => tieSets.rebuild(redis, userId),
      () => store.tieSet(userId, tiesMax + 1),
      async (keep, { version, members }) => {
        if (members.length <= tiesMax) await keep(whole(version), members);
      },
    );
  }
}

export const marksOf = (
  accounts: ReadonlyMap<bigint, { version: bigint; state: number; isPrivate: boolean }>,
): Map<bigint, AccountMark> =>
  new Map(
    [...accounts].map(([id, { version, state, isPrivate }]) => [id, { version: Number(version), state, isPrivate }]),
  );

const whole = (version: bigint) => ({ version, lowWatermark: 0n });
