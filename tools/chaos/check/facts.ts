import type { Db } from "#lib/storage/mysql.ts";
import { services } from "../../launcher/kinds.ts";
import type { Finding, Truth } from "./truth.ts";

/** Rows of an outbox that are read at once. */
const pageMax = 10_000;

type Fact = { readonly version: number; readonly shard: number; readonly position: number };
/** Facts by what they are about. */
type Facts = ReadonlyMap<string, readonly Fact[]>;

/** Rows that change by themselves and say each change: the aggregate of a row, and the version it is at. */
const told = {
  post: `SELECT CONCAT('post:', id) AS aggregate, version FROM post
    UNION ALL SELECT CONCAT('save:', user_id, ':', post_id), version FROM save`,
  comment: "SELECT CONCAT('comment:', id) AS aggregate, version FROM comment",
  like: "SELECT CONCAT('like:', subject_kind, ':', subject_id, ':', user_id) AS aggregate, version FROM reaction",
  graph: `SELECT CONCAT('follow:', follower_id, ':', followee_id) AS aggregate, version FROM follow
    UNION ALL SELECT CONCAT('block:', user_id, ':', other_id), version FROM tie WHERE kind = 1
    UNION ALL SELECT CONCAT('mute:', user_id, ':', other_id), version FROM tie WHERE kind = 3
    UNION ALL SELECT CONCAT('member:', owner_id, ':', list_id, ':', member_id), version FROM list_member`,
} as const;

/** An import, and a change of words, is told under the version of a set that other changes move too. */
const isDense = (aggregate: string): boolean => !/^(follows|words):/.test(aggregate);

/**
 * Holds each service's rows to its facts, and the facts to each other: every version told, once, numbered densely within
 * its shard and in the order of versions. Reads all of every outbox: this is for runs of minutes.
 */
export async function checkFacts(truth: Truth): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const noun of services) {
    const facts = await factsOf(truth[noun]);
    found.push(...checkNumbers(noun, facts));
    for (const [aggregate, all] of facts) found.push(...checkAggregate(aggregate, all));
    if (noun in told) found.push(...(await checkRows(truth[noun], told[noun as keyof typeof told], facts)));
  }
  return found;
}

async function factsOf(db: Db): Promise<Facts> {
  const facts = new Map<string, Fact[]>();
  for (let after = "0"; ; ) {
    const rows = await db.query(
      `SELECT id, aggregate, version, shard, position FROM outbox WHERE id > ? ORDER BY id LIMIT ${pageMax}`, // PRIMARY
      [after],
    );
    for (const { aggregate, version, shard, position } of rows) {
      const one = { version: Number(version), shard: Number(shard), position: Number(position) };
      const known = facts.get(String(aggregate));
      if (known === undefined) facts.set(String(aggregate), [one]);
      else known.push(one);
    }
    if (rows.length < pageMax) return facts;
    after = String(rows.at(-1)?.id);
  }
}

function checkNumbers(noun: string, facts: Facts): Finding[] {
  const shards = Map.groupBy([...facts.values()].flat(), ({ shard }) => shard);
  return [...shards].flatMap(([shard, all]): Finding[] => {
    const positions = new Set(all.map(({ position }) => position));
    const last = Math.max(...positions);
    const where = `shard ${shard} of ${noun}`;
    if (positions.size < all.length) return [{ kind: "doubled", text: `${where} gave a position twice` }];
    if (last === all.length) return [];
    return [{ kind: "lost", text: `${where} has ${all.length} facts and is numbered up to ${last}` }];
  });
}

function checkAggregate(aggregate: string, facts: readonly Fact[]): Finding[] {
  const byVersion = facts.toSorted((a, b) => a.version - b.version);
  const found: Finding[] = [];
  for (const [nth, { version, position }] of byVersion.entries()) {
    const before = byVersion[nth - 1];
    if (before === undefined) {
      if (isDense(aggregate) && version > 1) found.push(missing(aggregate, 1));
    } else if (before.version === version) {
      found.push({ kind: "doubled", text: `version ${version} of ${aggregate} is told twice` });
    } else {
      if (isDense(aggregate) && before.version + 1 < version) found.push(missing(aggregate, version - 1));
      if (before.position > position)
        found.push({ kind: "order", text: `version ${version} of ${aggregate} is told before ${before.version}` });
    }
  }
  return found;
}

const missing = (aggregate: string, version: number): Finding => ({
  kind: "lost",
  text: `no fact tells version ${version} of ${aggregate}`,
});

async function checkRows(db: Db, sql: string, facts: Facts): Promise<Finding[]> {
  const rows = new Map((await db.query(sql)).map((row) => [String(row.aggregate), Number(row.version)]));
  const kinds = new Set([...rows.keys()].map((name) => name.slice(0, name.indexOf(":"))));
  const untold = [...rows].filter(([name, version]) => !facts.get(name)?.some((fact) => fact.version >= version));
  const rowless = [...facts.keys()].filter((name) => kinds.has(name.slice(0, name.indexOf(":"))) && !rows.has(name));
  return [
    ...untold.map(([name, version]) => missing(name, version)),
    ...rowless.map((name): Finding => ({ kind: "lost", text: `facts tell of ${name}, which has no row` })),
  ];
}
