import { Code } from "@connectrpc/connect";
import { isAway, problem } from "#lib/mesh/errors.ts";
import { type Going, going, inTraces } from "#lib/mesh/trace.ts";
import { isDuplicate, type Sql, type Statements } from "./mysql.ts";

/** Members of one batch: a statement of so many rows is far below what a server takes in one packet. */
const membersMax = 100;
/** Members that wait for the next batch; one more is refused at once, UNAVAILABLE, `overloaded`. */
const waitingMax = 1_000;
/** A batch that takes longer waits for somebody's lock or a slow disk: it holds up no other from then on. */
const lateMs = 100;
/** Batches under way at most, where the others are late: there are other uses of connections. */
const batchesMax = 4;

/** A member that knows whether anybody still waits for it. */
export type Wanted = {
  /** Throws where nobody does, and from then on always; asked last before the commit. */
  readonly mustBeWanted: () => void;
};

type Options<M extends Wanted, R> = {
  /** What the members are, for whoever is refused. */
  readonly what: string;
  readonly db: Statements;
  /** Does what all members want, and answers in their order. */
  readonly work: (tx: Sql, members: readonly M[]) => Promise<readonly R[]>;
};

type Waiting<M extends Wanted, R> = PromiseWithResolvers<R> & { readonly member: M; readonly trace: Going };

/**
 * Group commit: what waits at the same time shares a transaction, so that a sync of the disk and a round trip a statement are
 * paid once for all (after DeWitt et al., SIGMOD '84). There is no timer: who comes alone leaves at once, and a batch leaves
 * when the one before it is committed. Where a batch fails its parts are tried, so one that cannot be done harms
 * nobody else; a store that is away fails them all. Members of a batch are in the order in which they came.
 */
export function batched<M extends Wanted, R>({ what, db, work }: Options<M, R>): (member: M) => Promise<R> {
  const waiting: Waiting<M, R>[] = [];
  let underWay = 0;
  let late = 0;

  function leave(): void {
    if (waiting.length === 0 || underWay > late || underWay >= batchesMax) return;
    underWay++;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      late++;
      leave();
    }, lateMs);
    void settle(waiting.splice(0, membersMax)).finally(() => {
      clearTimeout(timer);
      underWay--;
      if (isLate) late--;
      leave();
    });
  }

  /** Ends each member one way or the other; never rejects. */
  async function settle(batch: readonly Waiting<M, R>[]): Promise<void> {
    const members = batch.filter(isWanted);
    if (members.length === 0) return;
    const transaction = async (tx: Sql) => {
      const done = await work(tx, members.map(asMember));
      for (const { member } of members) asked(member);
      return done;
    };
    try {
      const traces = members.map(({ trace }) => trace);
      // Many do not wait for a lock that one of them lacks: that one does, alone.
      const tries = members.length > 1 ? 1 : undefined;
      const found = await inTraces(traces, () => db.tx(transaction, tries));
      for (const [nth, { resolve }] of members.entries()) resolve(found[nth] as R);
    } catch (reason) {
      if (reason instanceof UnwantedError) return settle(members);
      if (members.length > 1 && !isAway(reason)) await Promise.all(partsOf(members, reason).map(settle));
      else for (const { reject } of members) reject(reason);
    }
  }

  function asked(member: M): void {
    try {
      member.mustBeWanted();
    } catch (cause) {
      throw new UnwantedError("nobody waits for a member of the batch", { cause });
    }
  }

  function isWanted({ member, reject }: Waiting<M, R>): boolean {
    try {
      member.mustBeWanted();
      return true;
    } catch (reason) {
      reject(reason);
      return false;
    }
  }

  return (member) => {
    if (waiting.length >= waitingMax) {
      return Promise.reject(problem(Code.Unavailable, "overloaded", `${waitingMax} ${what} wait for the database`));
    }
    const one = { ...Promise.withResolvers<R>(), member, trace: going() };
    waiting.push(one);
    leave();
    return one.promise;
  };
}

/**
 * What is tried next of a batch that failed. A key that was used before is found at once, so the halves are: few transactions more, not a
 * hundred. Anything else was waited for: each member is alone from here on.
 */
function partsOf<T>(members: readonly T[], reason: unknown): (readonly T[])[] {
  if (!isDuplicate(reason)) return members.map((one) => [one]);
  const half = Math.ceil(members.length / 2);
  return [members.slice(0, half), members.slice(half)];
}

const asMember = <M extends Wanted>({ member }: { readonly member: M }): M => member;

class UnwantedError extends Error {}
