import { callOf } from "#lib/mesh/call.ts";
import { unavailable } from "#lib/mesh/errors.ts";
import { shards, shareOf } from "#lib/storage/id.ts";
import { bigintOf, type Param, type Row, type Sql, type Statements } from "#lib/storage/mysql.ts";
import type { Event, Origin } from "./outbox.ts";

/** Facts that a read adds up by itself. More means that the relay stands still, and then no read may be that dear. */
const pendingMax = 5_000;

/**
 * The shards of a noun whose facts belong into what is read for this call though they are not folded yet: those of the facts
 * that it must not be older than.
 */
export function lateShards(ctx: Parameters<typeof callOf>[0], noun: string): number[] {
  const { after } = callOf(ctx);
  return after === undefined ? [] : [...new Set(after.flatMap((one) => (one.noun === noun ? [one.shard] : [])))];
}

/**
 * The rows of a query, and what is committed in some shards and not folded into those rows, as of one moment: one statement,
 * so that each fact is in exactly one of the two. `columns` is how many the query has. UNAVAILABLE where there is too much.
 */
export async function withPending(
  db: Statements,
  { sql, columns, params }: { sql: string; columns: number; params: readonly Param[] },
  late: readonly number[],
): Promise<{ rows: Row[]; pending: Pick<Event, "type" | "payload">[] }> {
  if (late.length === 0) return { rows: await db.query(sql, params), pending: [] };
  const open = `SELECT ${"0, ".repeat(columns)}type, payload, 1 FROM outbox FORCE INDEX (by_position) WHERE shard IN (?) AND position IS NULL LIMIT ${pendingMax + 1}`;
  const all = await db.query(
    `SELECT kept.*, '' AS type, '' AS payload, 0 AS pending FROM (${sql}) AS kept UNION ALL (${open})`,
    [...params, late],
  );
  const [rows, pending] = [all.filter((row) => !isPending(row)), all.filter(isPending)];
  if (pending.length > pendingMax) throw unavailable("the count", new Error(`${pendingMax} facts are not folded`));
  return { rows, pending: pending.map(({ type, payload }) => ({ type: String(type), payload: payload as Buffer })) };
}

/**
 * Names what a write found done already: an earlier run of it, whose answer was lost or sent again by a proxy, may have told it
 * a moment ago. What is folded needs no name.
 */
export const tellPending = (sql: Sql, aggregate: string, partition: bigint, origin: Origin): Promise<void> =>
  tellAllPending(sql, [{ aggregate, partition, origin }]);

type Written = { readonly aggregate: string; readonly partition: bigint; readonly origin: Origin };

/** The same for several writes, by one statement. */
export async function tellAllPending(sql: Sql, written: readonly Written[]): Promise<void> {
  const asked = written.filter(({ origin }) => origin.told !== undefined);
  if (asked.length === 0) return;
  const rows = await sql.query(
    "SELECT id, shard, aggregate FROM outbox FORCE INDEX (by_position) WHERE shard IN (?) AND position IS NULL AND aggregate IN (?)",
    [[...new Set(asked.map(({ partition }) => shareOf(partition, shards)))], asked.map(({ aggregate }) => aggregate)],
  );
  for (const { id, shard, aggregate } of rows) {
    for (const { origin } of asked.filter((one) => one.aggregate === aggregate)) {
      origin.told?.facts.set(`${aggregate} ${id}`, { noun: origin.told.noun, shard: Number(shard), id: bigintOf(id) });
    }
  }
}

const isPending = ({ pending }: Row): boolean => bigintOf(pending) === 1n;
