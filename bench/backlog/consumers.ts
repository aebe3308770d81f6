import { setTimeout as sleep } from "node:timers/promises";
import { openMysql } from "#lib/storage/mysql.ts";

/** A holder looks at its leases every 1.5 s. */
const noticeMs = 2_000;

/** Feed's consumers and fan-outs, which stop when somebody else holds their shares of the work; reads go on. */
export async function holdConsumers(mysqlUrl: string) {
  const feed = openMysql({ url: mysqlUrl, database: "skein_feed" });
  const post = openMysql({ url: mysqlUrl, database: "skein_post" });
  const give = (holder: string, minutes: number) =>
    feed.exec(
      "UPDATE lease SET holder = ?, fence = fence + 1, expire_time = TIMESTAMPADD(MINUTE, ?, NOW(3)) WHERE name LIKE 'post/%'",
      [holder, minutes],
    );
  return {
    async stop(): Promise<void> {
      await give("nobody", 120);
      await sleep(noticeMs);
    },
    go: () => give("", 0),

    /** Facts told and not heard, and activities heard and not fanned out. */
    async backlog(): Promise<number> {
      const [told] = await post.query("SELECT SUM(position) AS n FROM relay");
      const [heard] = await feed.query("SELECT SUM(position) AS n FROM place WHERE stream = 'post'");
      const [open] = await feed.query("SELECT COUNT(*) AS n FROM fanout_task");
      return Number(told?.n ?? 0) - Number(heard?.n ?? 0) + Number(open?.n);
    },

    close: async (): Promise<void> => void (await Promise.all([feed.close(), post.close()])),
  };
}
