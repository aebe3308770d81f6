import type { Db } from "#lib/storage/mysql.ts";
import { until } from "./until.ts";

/** Waits until the relay of a service is done: everything is numbered, folded, projected and in the stream. */
export const everyFactTold = (db: Db): Promise<void> =>
  until("every fact is told", async () => {
    const open = "SELECT 1 FROM outbox WHERE position IS NULL UNION ALL SELECT 1 FROM relay WHERE published < position";
    return (await db.query(open)).length === 0;
  });
