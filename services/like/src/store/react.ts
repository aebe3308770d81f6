import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { append, type Fact, type Origin } from "#lib/events/outbox.ts";
import { tellAllPending } from "#lib/events/pending.ts";
import { newId } from "#lib/storage/id.ts";
import { bigintOf, type Sql } from "#lib/storage/mysql.ts";
import { likeChanged, likeName, type Subject } from "../events.ts";

/** How somebody wants to react to a subject from now on. */
export type Wish = {
  readonly userId: bigint;
  readonly subject: Subject;
  readonly reaction: Reaction;
  /** Only where they react in this way now. */
  readonly only?: Reaction;
  readonly origin: Origin;
};

/** The viewer's set after a change; `changed` is false where it was so already. */
export type Liked = { readonly version: bigint; readonly changed: boolean };

type Pair = {
  readonly userId: bigint;
  readonly subject: Subject;
  readonly reaction: Reaction;
  readonly version: bigint;
};

/**
 * Grants some wishes, one after the other, in one transaction of a few statements. The people's rows are locked, so versions of
 * their sets have no gaps.
 */
export async function reactAll(tx: Sql, wishes: readonly Wish[]): Promise<Liked[]> {
  const versions = await lockLikers(tx, [...new Set(wishes.map(({ userId }) => userId))]);
  const pairs = await pairsOf(tx, wishes);
  const changed = new Map<string, Pair>();
  const facts: Fact[] = [];
  const unchanged: Wish[] = [];
  const liked = wishes.map((wish): Liked => {
    const { userId, subject, reaction, only, origin } = wish;
    const name = likeName(subject, userId);
    const before = changed.get(name) ?? pairs.get(name);
    const previous = before?.reaction ?? Reaction.UNSPECIFIED;
    const setVersion = versions.get(userId) ?? 0n;
    if (previous === reaction || (only !== undefined && previous !== only)) {
      unchanged.push(wish);
      return { version: setVersion, changed: false };
    }
    const version = (before?.version ?? 0n) + 1n;
    changed.set(name, { userId, subject, reaction, version });
    const setVersionNow = isInSet(subject) ? setVersion + 1n : setVersion;
    versions.set(userId, setVersionNow);
    facts.push(likeChanged({ subject, userId, reaction, previous, version }, origin));
    return { version: setVersionNow, changed: true };
  });
  await write(tx, [...changed.values()], versions);
  await append(tx, facts);
  const named = ({ userId, subject, origin }: Wish) => ({
    aggregate: likeName(subject, userId),
    partition: subject.id,
    origin,
  });
  await tellAllPending(tx, unchanged.map(named));
  return liked;
}

/** Whether a viewer's set says how they react to it: to comments they are asked about one by one, for no feed shows any. */
export const isInSet = ({ kind }: Subject): boolean => kind === SubjectKind.POST;

/** The versions of people's sets, locked in the order of their ids. */
async function lockLikers(tx: Sql, userIds: readonly bigint[]): Promise<Map<bigint, bigint>> {
  const lock = async (ids: readonly bigint[]) => {
    const rows = await tx.query(
      "SELECT user_id, like_version FROM liker WHERE user_id IN (?) ORDER BY user_id FOR UPDATE", // PRIMARY
      [ids],
    );
    return rows.map((row) => [bigintOf(row.user_id), bigintOf(row.like_version)] as const);
  };
  const known = new Map(await lock(userIds));
  const fresh = userIds.filter((id) => !known.has(id)).sort((a, b) => (a < b ? -1 : 1));
  if (fresh.length === 0) return known;
  await tx.exec("INSERT INTO liker (user_id) VALUES ? ON DUPLICATE KEY UPDATE like_version = like_version", [
    fresh.map((id) => [id]),
  ]);
  return new Map([...known, ...(await lock(fresh))]);
}

async function pairsOf(tx: Sql, wishes: readonly Wish[]): Promise<Map<string, Pair>> {
  const rows = await tx.query(
    "SELECT user_id, subject_kind, subject_id, reaction, version FROM reaction WHERE (user_id, subject_kind, subject_id) IN (?)", // PRIMARY
    [wishes.map(({ userId, subject }) => [userId, subject.kind, subject.id])],
  );
  const pairs = rows.map((row): Pair => {
    const subject = { kind: Number(row.subject_kind) as SubjectKind, id: bigintOf(row.subject_id) };
    const reaction = Number(row.reaction) as Reaction;
    return { userId: bigintOf(row.user_id), subject, reaction, version: bigintOf(row.version) };
  });
  return new Map(pairs.map((pair) => [likeName(pair.subject, pair.userId), pair]));
}

async function write(tx: Sql, pairs: readonly Pair[], versions: ReadonlyMap<bigint, bigint>): Promise<void> {
  if (pairs.length === 0) return;
  const fresh = pairs.map((pair) => ({ ...pair, likeId: newId() }));
  await tx.exec(
    "INSERT INTO reaction (user_id, subject_kind, subject_id, reaction, version, like_id) VALUES ? ON DUPLICATE KEY UPDATE reaction = VALUES(reaction), version = VALUES(version), like_id = VALUES(like_id)",
    [
      fresh.map(({ userId, subject: { kind, id }, reaction, version, likeId }) => [
        userId,
        kind,
        id,
        reaction,
        version,
        likeId,
      ]),
    ],
  );
  await tx.exec(
    "INSERT INTO reaction_of (subject_id, subject_kind, user_id, reaction, like_id) VALUES ? ON DUPLICATE KEY UPDATE reaction = VALUES(reaction), like_id = VALUES(like_id)",
    [fresh.map(({ userId, subject: { kind, id }, reaction, likeId }) => [id, kind, userId, reaction, likeId])],
  );
  await tx.exec(
    "INSERT INTO liker (user_id, like_version) VALUES ? ON DUPLICATE KEY UPDATE like_version = VALUES(like_version)",
    [[...versions]],
  );
}
