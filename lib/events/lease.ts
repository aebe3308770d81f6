import type { Log } from "#lib/mesh/log.ts";
import type { Loop } from "#lib/mesh/run.ts";
import { shards } from "#lib/storage/id.ts";
import type { Sql, Statements } from "#lib/storage/mysql.ts";

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
export function leases({ db, team, holder, log }: { db: Statements; team: string; holder: string; log: Log }): Leases {
  let held: ReadonlySet<number> = new Set();
  const listeners: (() => void)[] = [];
  const namesHeld = () => [...held].map((shard) => `${team}/${shard}`);
  const change = (next: ReadonlySet<number>) => {
    if (next.size === held.size && [...next].every((shard) => held.has(shard))) return;
    held = next;
    log.info("leases", { team, held: held.size });
    for (const tell of listeners) tell();
  };

  async function tick(): Promise<void> {
    await renew(db, team, holder);
    let found = await survey(db, team, holder);
    if (!found.isMember) {
      await announce(db, team, holder);
      found = await survey(db, team, holder);
    }
    const { members, mine, free } = found;
    const share = Math.ceil(shards / Math.max(1, members));
    if (mine.length > share) {
      change(new Set(mine.slice(0, share).map(shardOf)));
      await release(db, mine.slice(share), holder);
      return;
    }
    for (const name of free.slice(0, share - mine.length)) if (await claim(db, name, holder)) mine.push(name);
    change(new Set(mine.map(shardOf)));
  }

  return {
    held: () => held,
    onChange: (tell) => void listeners.push(tell),
    async fenced(tx) {
      if (held.size === 0) return [];
      const rows = await tx.query(
        "SELECT name FROM lease WHERE name IN (?) AND holder = ? AND expire_time > NOW(3) FOR UPDATE",
        [namesHeld(), holder],
      );
      return rows.map((row) => shardOf(String(row.name)));
    },
    async loop(signal) {
      while (!signal.aborted) {
        await tick().catch((reason) => log.warn("leases", { team, error: reason }));
        await pause(renewMs, signal);
      }
      const names = namesHeld();
      change(new Set());
      await leave(db, team, names, holder).catch((reason) =>
        log.warn("leases run out by themselves", { error: reason }),
      );
    },
  };
}

const expiry = `TIMESTAMPADD(SECOND, ${lifeSeconds}, NOW(3))`;

/** Keeps this process a member, and what it holds, by one commit: idle processes do it all the time. */
async function renew(db: Statements, team: string, holder: string): Promise<void> {
  await db.exec(
    `UPDATE lease SET expire_time = ${expiry} WHERE team IN (?) AND holder = ? AND expire_time > NOW(3)`, // by_team
    [[team, `${team}#`], holder],
  );
}

/** Says that this process is alive, for the first time or after it was late. */
async function announce(db: Statements, team: string, holder: string): Promise<void> {
  await db.exec(
    `INSERT INTO lease (name, team, holder, fence, expire_time) VALUES (?, ?, ?, 0, ${expiry})
     ON DUPLICATE KEY UPDATE expire_time = ${expiry}`,
    [`${team}#${holder}`, `${team}#`, holder],
  );
}

/** How many processes share the work, which shards are this one's, and which are nobody's. */
async function survey(db: Statements, team: string, holder: string) {
  const rows = await db.query(
    "SELECT name, holder FROM lease WHERE team IN (?) AND expire_time > NOW(3) ORDER BY name",
    [[team, `${team}#`]],
  );
  const taken = rows.filter((row) => String(row.name).startsWith(`${team}/`));
  const names = new Set(taken.map((row) => String(row.name)));
  return {
    isMember: rows.some((row) => row.name === `${team}#${holder}`),
    members: rows.length - taken.length,
    mine: taken.filter((row) => row.holder === holder).map((row) => String(row.name)),
    free: Array.from({ length: shards }, (_, shard) => `${team}/${shard}`).filter((name) => !names.has(name)),
  };
}

/** Takes a free shard; false where another was quicker. */
async function claim(db: Statements, name: string, holder: string): Promise<boolean> {
  const team = name.slice(0, name.lastIndexOf("/"));
  const taken = await db.exec(
    `UPDATE lease SET holder = ?, fence = fence + 1, expire_time = ${expiry} WHERE name = ? AND expire_time <= NOW(3)`,
    [holder, name],
  );
  if (taken === 1) return true;
  const created = await db.exec(
    `INSERT IGNORE INTO lease (name, team, holder, fence, expire_time) VALUES (?, ?, ?, 1, ${expiry})`,
    [name, team, holder],
  );
  return created === 1;
}

async function release(db: Statements, names: readonly string[], holder: string): Promise<void> {
  if (names.length === 0) return;
  await db.exec(
    "UPDATE lease SET holder = '', fence = fence + 1, expire_time = NOW(3) WHERE name IN (?) AND holder = ?",
    [names, holder],
  );
}

async function leave(db: Statements, team: string, names: readonly string[], holder: string): Promise<void> {
  await release(db, names, holder);
  await db.exec("DELETE FROM lease WHERE name = ?", [`${team}#${holder}`]);
}

const shardOf = (name: string): number => Number(name.slice(name.lastIndexOf("/") + 1));

/** Waits, but not past the end of the process; `wakeable` gets what ends the wait early. */
export function pause(ms: number, signal: AbortSignal, wakeable = (_wake: () => void): void => {}): Promise<void> {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, ms);
    wakeable(end);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}
