import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";
import type { Leases } from "./lease.ts";
import { type Event, eventColumns, eventFor, eventOf, type Fact, insert } from "./outbox.ts";

/** Facts of one pass. A pass is one transaction, one burst of publishes and one mark. */
export const batchMax = 500;

/**
 * Adds up what a batch changes, within the transaction that numbers it, and answers what there is to tell of that. Each such fact
 * adds up facts of its own shard alone; what adds up those of several is appended by the fold itself, and numbered by a later pass.
 */
export type Fold = (tx: Sql, events: readonly Event[]) => Promise<readonly Fact[]>;

/**
 * Gives the next positions of their shards to committed facts that have none, and folds them, in one transaction under
 * the lease's fence. Within an aggregate positions follow versions: a version is written under its row's lock, so
 * whoever sees the later one committed sees the earlier one too, if it looks for it. What the fold tells is numbered behind them: only
 * who holds its shard tells it, so nothing earlier of it can be without a number, unless the batch was cut.
 */
export function numberNew(db: Statements, leases: Leases, fold?: Fold): Promise<Event[]> {
  if (leases.held().size === 0) return Promise.resolve([]);
  return db.tx(async (tx) => {
    const granted = await leases.fenced(tx);
    if (granted.length === 0) return [];
    const { found, isCut } = await unnumbered(tx, granted);
    const batch = inVersionOrder(found);
    if (batch.length === 0) return []; // They are in shards that went to another process meanwhile.
    const last = await lastPositions(tx, [...new Set(batch.map(({ shard }) => shard))]);
    const numbered = (event: Event): Event => {
      const position = (last.get(event.shard) ?? 0n) + 1n;
      last.set(event.shard, position);
      return { ...event, position };
    };
    const events = batch.map(numbered);
    const inBatch = new Set(batch.map(({ shard }) => shard));
    const sums = ((await fold?.(tx, events)) ?? [])
      .map(eventFor)
      .map((sum) => (isCut || !inBatch.has(sum.shard) ? sum : numbered(sum)));
    await keepPositions(tx, events, last);
    await insert(tx, sums);
    return [...events, ...sums.filter(({ position }) => position > 0n)];
  });
}

async function unnumbered(tx: Sql, granted: readonly number[]): Promise<{ found: Event[]; isCut: boolean }> {
  const some = await tx.query(
    `SELECT ${eventColumns} FROM outbox FORCE INDEX (by_position) WHERE shard IN (?) AND position IS NULL LIMIT ${batchMax + 1}`,
    [granted],
  );
  if (some.length <= batchMax) return { found: some.map(eventOf), isCut: false };
  const rows = await tx.query(`SELECT ${eventColumns} FROM outbox WHERE id IN (?)`, [await oldestIds(tx, granted)]); // PRIMARY
  const events = rows.map(eventOf);
  return { found: [...events, ...(await leftOut(tx, events))], isCut: true };
}

/** Those of a backlog are taken from one range of the index a shard: a long one, or a long table, costs no more. */
async function oldestIds(tx: Sql, granted: readonly number[]): Promise<bigint[]> {
  const one = `(SELECT id FROM outbox WHERE shard = ? AND position IS NULL ORDER BY id LIMIT ${batchMax})`; // by_position
  const rows = await tx.query(granted.map(() => one).join(" UNION ALL "), granted);
  const ids = rows.map((row) => bigintOf(row.id));
  return ids.sort((a, b) => (a < b ? -1 : 1)).slice(0, batchMax);
}

/** The cut may have left out an earlier version whose id, of another process' clock, is greater. */
async function leftOut(tx: Sql, events: readonly Event[]): Promise<Event[]> {
  const known = new Set(events.map(({ aggregate, version }) => `${aggregate} ${version}`));
  const later = events.filter(({ aggregate, version }) => version > 1n && !known.has(`${aggregate} ${version - 1n}`));
  if (later.length === 0) return [];
  const rows = await tx.query(
    `SELECT ${eventColumns} FROM outbox FORCE INDEX (by_position) WHERE shard IN (?) AND position IS NULL AND aggregate IN (?)`,
    [[...new Set(later.map(({ shard }) => shard))], [...new Set(later.map(({ aggregate }) => aggregate))]],
  );
  const ids = new Set(events.map(({ id }) => id));
  return rows.map(eventOf).filter(({ id }) => !ids.has(id));
}

/** By id, but no version of an aggregate before a smaller one. */
function inVersionOrder(events: readonly Event[]): Event[] {
  const places = new Map<string, number[]>();
  const byId = [...events].sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const [at, { aggregate }] of byId.entries()) places.set(aggregate, [...(places.get(aggregate) ?? []), at]);
  const ordered = [...byId];
  for (const at of places.values()) {
    if (at.length === 1) continue;
    const versions = at.map((index) => byId[index] as Event).sort((a, b) => (a.version < b.version ? -1 : 1));
    for (const [nth, index] of at.entries()) ordered[index] = versions[nth] as Event;
  }
  return ordered;
}

async function lastPositions(tx: Sql, of: readonly number[]): Promise<Map<number, bigint>> {
  const rows = await tx.query("SELECT shard, position FROM relay WHERE shard IN (?) FOR UPDATE", [of]);
  return new Map(rows.map((row) => [Number(row.shard), bigintOf(row.position)]));
}

async function keepPositions(tx: Sql, events: readonly Event[], last: ReadonlyMap<number, bigint>): Promise<void> {
  const pairs = events.flatMap(({ id, position }) => [id, position]);
  await tx.exec(`UPDATE outbox SET position = CASE id ${"WHEN ? THEN ? ".repeat(events.length)} END WHERE id IN (?)`, [
    ...pairs,
    events.map(({ id }) => id),
  ]);
  await tx.exec("INSERT INTO relay (shard, position) VALUES ? ON DUPLICATE KEY UPDATE position = VALUES(position)", [
    [...last].map(([shard, position]) => [shard, position]),
  ]);
}
