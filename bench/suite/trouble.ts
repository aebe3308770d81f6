import { setTimeout as sleep } from "node:timers/promises";
import { until } from "#lib/harness/until.ts";
import { authorVersions, encodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import { openMysql } from "#lib/storage/mysql.ts";
import { redisCommand } from "../../tests/support/faults.ts";
import { openReadModels } from "./crowd.ts";
import { deployment, type System } from "./system.ts";

/** Names that change each second. */
const renamesPerSecond = 5;

/** Empties Redis: what the next requests ask for is made of truth again. */
export const flush = async ({ instance }: System): Promise<void> =>
  void (await redisCommand(instance.servers.redisUrl, "FLUSHALL"));

/** Kills the BFF and the feed service a quarter of the way; they start again with nothing in memory. */
export function kill({ instance }: System, seconds: number): () => Promise<void> {
  const killing = sleep(seconds * 250).then(() => {
    instance.kill("bff");
    instance.kill("feed");
  });
  return async () => {
    await killing;
    await until("all are back", async () => (await instance.status()).degraded.length === 0);
  };
}

/**
 * Gives authors new names, as the user service would: a new version in its row, then in the read model. There is no call for
 * it yet.
 */
export function rename(system: System): () => Promise<void> {
  const db = openMysql({ url: system.instance.servers.mysqlUrl, database: `${deployment}_user` });
  let isOver = false;
  const renaming = (async () => {
    const redis = await openReadModels(system);
    const rows = await db.query("SELECT id FROM user");
    for (let nth = 0; !isOver; nth++) {
      const id = BigInt(String(rows[(nth * 7) % rows.length]?.id));
      await db.exec("UPDATE user SET display_name = ?, version = version + 1 WHERE id = ?", [`Renamed ${nth}`, id]);
      const [row] = await db.query("SELECT version FROM user WHERE id = ?", [id]);
      const pipeline = redis.pipeline();
      authorVersions.put(redis, pipeline, { id, value: encodeAuthorVersion(Number(row?.version)) });
      await redis.run(pipeline);
      await sleep(1_000 / renamesPerSecond);
    }
    redis.close();
  })();
  return async () => {
    isOver = true;
    await renaming;
    await db.close();
  };
}
