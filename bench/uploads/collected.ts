import { setTimeout as sleep } from "node:timers/promises";
import { openMysql } from "#lib/storage/mysql.ts";

/** Longer than anything lives that nothing was made of, on this system. */
const endMs = 300_000;
const lookMs = 1_000;

/** Waits until every upload is collected; answers how many rows are left at the end. */
export async function collectedAll(mysqlUrl: string, said: (rows: number) => void): Promise<number> {
  const db = openMysql({ url: mysqlUrl, database: "skein_media" });
  try {
    for (const end = Date.now() + endMs; ; ) {
      const [row] = await db.query("SELECT COUNT(*) AS rows_left FROM media");
      const left = Number(row?.rows_left);
      if (left === 0 || Date.now() > end) return left;
      said(left);
      await sleep(lookMs);
    }
  } finally {
    await db.close();
  }
}
