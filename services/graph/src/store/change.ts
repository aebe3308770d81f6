import type { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { append, type Fact, type Origin } from "#lib/events/outbox.ts";
import { tellPending } from "#lib/events/pending.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import type { AccountMark } from "#lib/readmodel/account.ts";
import { maySeeAccount, mayWrite } from "#lib/readmodel/audience.ts";
import type { MemberChange } from "#lib/readmodel/member-set.ts";
import { type TieKind, tieMember, wordsMember } from "#lib/readmodel/tie.ts";
import { bigintOf, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { accountChanged, followName } from "../events.ts";
import { type Relation, relationsOf, standingOf, stranger } from "./relation.ts";

/** Who wants a change; `mustBeWanted` is asked before the commit: a run that was given up must not set back what was set since. */
export type Asked = { readonly viewerId: bigint; readonly origin: Origin; readonly mustBeWanted: () => void };

/** An account under this transaction's lock. What a change sets here is written at its end. */
export type Person = {
  readonly userId: bigint;
  state: AccountState;
  isPrivate: boolean;
  version: bigint;
  followVersion: bigint;
  tieVersion: bigint;
  followingCount: number;
};

/**
 * What readers are to be told after the commit. Where nothing changed, `reached` are the people whose sets must be as new
 * as their rows: whoever made the change before may have died before telling.
 */
export type Told = {
  readonly marks: ReadonlyMap<bigint, AccountMark>;
  readonly follows: readonly MemberChange[];
  readonly ties: readonly MemberChange[];
  readonly reached: readonly Readonly<Person>[];
};

/** One change of a person's, under way. */
export type Change = {
  readonly tx: Sql;
  readonly asked: Asked;
  readonly viewer: Person;
  /** Says that somebody's follow set holds somebody from now on, or no more. */
  follow(person: Person, followeeId: bigint, isMember: boolean): void;
  tie(person: Person, kind: TieKind, otherId: bigint, isMember: boolean): void;
  /** Says that somebody's muted words changed; `some`: any are left. */
  words(person: Person, some: boolean): void;
  /** Says that an account changed. */
  mark(person: Person): void;
  tell(fact: Fact): void;
};

/** The same, of two. */
export type PairChange = Change & {
  readonly other: Person;
  readonly relation: Relation;
  /** NOT_FOUND where the viewer may not know of the other. */
  mustSee(): void;
};

/** Runs a change of the viewer's own, under their row's lock. Only those whose account is open change anything. */
export const changeOwn = <T>(
  db: Statements,
  asked: Asked,
  work: (change: Change) => Promise<T>,
): Promise<Told & { made: T }> =>
  db.tx(async (tx) => {
    const viewer = await lock(tx, asked.viewerId, true);
    mayWrite(viewer);
    return committed(tx, asked, viewer as Person, [viewer as Person], work);
  });

/**
 * Runs a change between the viewer and somebody else. Both rows are locked in the order of their ids, so changes that touch
 * the same people wait for each other and none waits in a ring. Whoever's row does not change (`changes` names those whose
 * does) is locked shared: a popular account is followed by many at once.
 */
export const changePair = <T>(
  db: Statements,
  asked: Asked,
  otherId: bigint,
  changes: "viewer" | "other" | "both",
  work: (change: PairChange) => Promise<T>,
): Promise<Told & { made: T; relation: Relation }> =>
  db.tx(async (tx) => {
    const { viewerId } = asked;
    if (otherId === viewerId) throw invalid("user_id", "must be somebody else");
    const people = new Map<bigint, Person | undefined>();
    for (const id of viewerId < otherId ? [viewerId, otherId] : [otherId, viewerId]) {
      people.set(id, await lock(tx, id, changes === "both" || changes === (id === viewerId ? "viewer" : "other")));
    }
    const [viewer, other] = [people.get(viewerId), people.get(otherId)];
    mayWrite(viewer);
    if (viewer === undefined || other === undefined) throw notFound("user");
    const relation = (await relationsOf(tx, viewerId, [otherId])).get(otherId) ?? stranger;
    const changed = { both: [viewer, other], viewer: [viewer], other: [other] }[changes];
    const told = await committed(tx, asked, viewer, changed, (change) => {
      const mustSee = () => {
        if (!maySeeAccount(viewerId, otherId, standingOf(other, relation))) throw notFound("user");
      };
      return work({ ...change, other, relation, mustSee });
    });
    if (told.reached.length > 0) await tellPending(tx, followName(viewerId, otherId), otherId, asked.origin);
    if (told.reached.includes(other)) await tellPending(tx, followName(otherId, viewerId), viewerId, asked.origin);
    return { ...told, relation };
  });

/** Runs a change of an account itself, under its lock; `set` says what it is to be. Where it was so already, nothing is told. */
export const changeAccount = (
  db: Statements,
  asked: Asked,
  userId: bigint,
  set: (account: Person) => void,
): Promise<Told & { made: Person }> =>
  db.tx(async (tx) => {
    const account = await lock(tx, userId, true);
    if (account === undefined) throw notFound("user");
    const { state, isPrivate } = account;
    const told = await committed(tx, asked, account, [account], async ({ mark, tell }) => {
      set(account);
      if (account.state === state && account.isPrivate === isPrivate) return account;
      mark(account);
      tell(accountChanged(account, asked.origin));
      return account;
    });
    return { ...told, marks: new Map([[userId, markOf(account)]]) };
  });

/** Runs `work`, then writes the people it changed and the facts it told. */
async function committed<T>(
  tx: Sql,
  asked: Asked,
  viewer: Person,
  locked: readonly Person[],
  work: (change: Change) => Promise<T>,
): Promise<Told & { made: T }> {
  const marks = new Map<bigint, AccountMark>();
  const [follows, ties]: [MemberChange[], MemberChange[]] = [[], []];
  const facts: Fact[] = [];
  const touched = new Set<Person>();
  const tied = (person: Person, memberId: string, isMember: boolean): void => {
    touched.add(person);
    ties.push({ ownerId: person.userId, memberId, isMember, version: ++person.tieVersion });
  };
  const made = await work({
    tx,
    asked,
    viewer,
    follow(person, memberId, isMember) {
      touched.add(person);
      person.followingCount += isMember ? 1 : -1;
      follows.push({ ownerId: person.userId, memberId, isMember, version: ++person.followVersion });
    },
    tie: (person, kind, otherId, isMember) => tied(person, tieMember(kind, otherId), isMember),
    words: (person, some) => tied(person, wordsMember, some),
    mark(person) {
      touched.add(person);
      person.version++;
      marks.set(person.userId, markOf(person));
    },
    tell: (fact) => void facts.push(fact),
  });
  for (const person of touched) await save(tx, person);
  await append(tx, facts);
  if (touched.size > 0 || facts.length > 0) asked.mustBeWanted();
  return { made, marks, follows, ties, reached: touched.size > 0 ? [] : locked };
}

const markOf = ({ version, state, isPrivate }: Pick<Person, "version" | "state" | "isPrivate">): AccountMark => ({
  version: Number(version),
  state,
  isPrivate,
});

/**
 * An account by its id, locked. TiDB takes the shared lock as an exclusive one (tidb_enable_shared_lock_promotion).
 */
async function lock(tx: Sql, userId: bigint, exclusively: boolean): Promise<Person | undefined> {
  const [row] = await tx.query(
    `SELECT user_id, state, private, version, follow_version, tie_version, following_count FROM account WHERE user_id = ? ${exclusively ? "FOR UPDATE" : "LOCK IN SHARE MODE"}`, // PRIMARY
    [userId],
  );
  return row && personOf(row);
}

const save = (tx: Sql, person: Person): Promise<number> => {
  const { userId, state, isPrivate, version, followVersion, tieVersion, followingCount } = person;
  return tx.exec(
    "UPDATE account SET state = ?, private = ?, version = ?, follow_version = ?, tie_version = ?, following_count = ? WHERE user_id = ?",
    [state, isPrivate, version, followVersion, tieVersion, followingCount, userId],
  );
};

const personOf = (row: Row): Person => ({
  userId: bigintOf(row.user_id),
  state: Number(row.state) as AccountState,
  isPrivate: Number(row.private) === 1,
  version: bigintOf(row.version),
  followVersion: bigintOf(row.follow_version),
  tieVersion: bigintOf(row.tie_version),
  followingCount: Number(row.following_count),
});
