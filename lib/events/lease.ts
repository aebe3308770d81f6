import type { Log } from "#lib/mesh/log.ts";
import type { Loop } from "#lib/mesh/run.ts";
import type { Db, Sql } from "#lib/storage/mysql.ts";

/** Partitions of every stream, for good: the number is part of subjects and of each row's shard. */
export const shards = 64;

/** A holder that was not heard of for this long has lost its shares. */
const lifeSeconds = 5;
/** Three renewals may be missed before a share is lost. */
const renewMs = 1_500;

export type Leases = {
  /** The shards this process works on now. */
  held(): ReadonlySet<number>;
  /** Those of the held that the database still grants, locked for the rest of the transaction: the fence. */
  fenced(tx: Sql): Promise<number[]>;
  /** Calls back at every change of the held set. */
  onChange(tell: () => void): void;
  readonly loop: Loop;
};

/**
 * Shares the 64 shards of one kind of work (`team`) among the live processes, evenly, by rows in the team's own schema
 * (after Chubby's and Kinesis' leases). A paused holder that comes back finds nothing granted by `fenced`.
 */
export function leases({ db, team, holder, log }: { db: Db; team: string; holder: string; log: Log }): Leases {
  let held: ReadonlySet<number> = new Set();
  const listeners: (() => void)[] = [];
  const nameOf = (shard: number) => `${team}/${shard}`;
  const change = (next: ReadonlySet<number>) => {
    if (next.size === held.size && [...next].every((shard) => held.has(shard))) return;
    held = next;
    log.info("leases", { team, held: held.size });
    for (const tell of listeners) tell();
  };

  async function tick(): Promise<void> {
    const expiry = `TIMESTAMPADD(SECOND, ${lifeSeconds}, NOW(3))`;
    await db.exec(
      `INSERT INTO lease (name, team, holder, fence, expire_time) VALUES (?, ?, ?, 0, ${expiry}) ON DUPLICATE KEY UPDATE expire_time = ${expiry}`,
      [`${team}#${holder}`, `${team}#`, holder],
    );
    await db.exec(`UPDATE lease SET expire_time = ${expiry} WHERE team = ? AND holder = ? AND expire_time > NOW(3)`, [
      team,
      holder,
    ]);
    const rows = await db.query(
      "SELECT name, holder, expire_time > NOW(3) AS live FROM lease WHERE team IN (?) ORDER BY name",
      [[team, `${team}#`]],
    );
    const live = rows.filter((row) => Number(row.live) === 1);
    const members = live.filter((row) => String(row.name).includes("#")).length;
    const mine = live.filter((row) => row.holder === holder && !String(row.name).includes("#"));
    const share = Math.ceil(shards / Math.max(1, members));
    const names = mine.map((row) => String(row.name));
    if (names.length > share) {
      const extra = names.slice(share);
      change(new Set(names.slice(0, share).map(shardOf)));
      await db.exec(
        "UPDATE lease SET holder = '', fence = fence + 1, expire_time = NOW(3) WHERE name IN (?) AND holder = ?",
        [extra, holder],
      );
      return;
    }
    const taken = new Set(live.map((row) => row.name));
    const free = allShards.map(nameOf).filter((name) => !taken.has(name));
    for (const name of free.slice(0, share - names.length)) if (await claim(name, expiry)) names.push(name);
    change(new Set(names.map(shardOf)));
  }

  const claim = async (name: string, expiry: string): Promise<boolean> => {
    const rows = await db.exec(
      `UPDATE lease SET holder = ?, fence = fence + 1, expire_time = ${expiry} WHERE name = ? AND expire_time <= NOW(3)`,
      [holder, name],
    );
    return rows === 1;
  };

  return {
    held: () => held,
    onChange: (tell) => void listeners.push(tell),
    async fenced(tx) {
      if (held.size === 0) return [];
      const names = [...held].map(nameOf);
      const rows = await tx.query(
        "SELECT name FROM lease WHERE name IN (?) AND holder = ? AND expire_time > NOW(3) FOR UPDATE",
        [names, holder],
      );
      return rows.map((row) => shardOf(String(row.name)));
    },
    async loop(signal) {
      await db
        .exec("INSERT IGNORE INTO lease (name, team, holder, fence, expire_time) VALUES ?", [
          allShards.map((shard) => [nameOf(shard), team, "", 0, new Date(1000)]),
        ])
        .catch((reason) => log.warn("leases", { team, error: reason }));
      while (!signal.aborted) {
        await tick().catch((reason) => log.warn("leases", { team, error: reason }));
        await pause(renewMs, signal);
      }
      change(new Set());
      await db
        .exec("UPDATE lease SET holder = '', fence = fence + 1, expire_time = NOW(3) WHERE holder = ? AND team = ?", [
          holder,
          team,
        ])
        .catch(() => 0);
      await db.exec("DELETE FROM lease WHERE name = ?", [`${team}#${holder}`]).catch(() => 0);
    },
  };
}

const allShards = Array.from({ length: shards }, (_, shard) => shard);
const shardOf = (name: string): number => Number(name.slice(name.lastIndexOf("/") + 1));

/** Waits, but not past the end of the process. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, ms);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}
