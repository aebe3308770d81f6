import { bigintOf, type Db, type Sql } from "#lib/storage/mysql.ts";
import type { Leases } from "./lease.ts";
import { type Event, eventColumns, eventOf } from "./outbox.ts";

/** Facts of one pass. A pass is one transaction, one burst of publishes and one mark. */
export const batchMax = 500;

/**
 * Gives the next positions of their shards to committed facts that have none, and folds them, in one transaction under
 * the lease's fence. Within an aggregate positions follow versions: a version is written under its row's lock, so
 * whoever sees the later one committed sees the earlier one too, if it looks for it.
 */
export function numberNew(
  db: Db,
  leases: Leases,
  fold?: (tx: Sql, events: readonly Event[]) => Promise<void>,
): Promise<Event[]> {
  if (leases.held().size === 0) return Promise.resolve([]);
  return db.tx(async (tx) => {
    const found = await tx.query("SELECT 1 FROM outbox WHERE shard IN (?) AND position IS NULL LIMIT 1", [
      [...leases.held()],
    ]);
    if (found.length === 0) return [];
    const granted = await leases.fenced(tx);
    if (granted.length === 0) return [];
    const batch = inVersionOrder(await unnumbered(tx, granted));
    const last = await lastPositions(tx, [...new Set(batch.map(({ shard }) => shard))]);
    const events = batch.map((event) => {
      const position = (last.get(event.shard) ?? 0n) + 1n;
      last.set(event.shard, position);
      return { ...event, position };
    });
    await keepPositions(tx, events, last);
    if (fold !== undefined) await fold(tx, events);
    return events;
  });
}

async function unnumbered(tx: Sql, granted: readonly number[]): Promise<Event[]> {
  const rows = await tx.query(
    `SELECT ${eventColumns} FROM outbox WHERE shard IN (?) AND position IS NULL ORDER BY id LIMIT ${batchMax}`, // by_position
    [granted],
  );
  if (rows.length < batchMax) return rows.map(eventOf);
  // The cut may have left out an earlier version whose id, of another process' clock, is greater.
  const aggregates = [...new Set(rows.map((row) => String(row.aggregate)))];
  const more = await tx.query(
    `SELECT ${eventColumns} FROM outbox WHERE shard IN (?) AND position IS NULL AND aggregate IN (?)`,
    [granted, aggregates],
  );
  const byId = new Map([...rows, ...more].map((row) => [row.id, row]));
  return [...byId.values()].map(eventOf);
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
