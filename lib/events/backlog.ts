import { counter, gauge } from "#lib/mesh/metrics.ts";
import { bigintOf, type Row, type Statements } from "#lib/storage/mysql.ts";
import type { Leases } from "./lease.ts";
import type { Places } from "./stream-life.ts";

/** Rows that one look counts: beyond, "this many" is all there is to know. */
const countMax = 10_000;

export const events = counter({
  name: "skein_events_total",
  help: "Facts by what became of them: published by their relay; applied, passed over, retried, parked or replayed by a consumer.",
  labels: ["stream", "result"],
});

/** How far the facts of one service's held shards are from being in the stream, and from being heard. */
type Backlog = {
  readonly unpublished: number;
  readonly unpublishedSeconds: number;
  /** Of the consumer that is furthest behind; undefined where nobody told a place, so nobody is known to listen. */
  readonly unheard: { readonly events: number; readonly seconds: number } | undefined;
};
type Told = { readonly noun: string; readonly db: Statements; readonly leases: Leases; readonly places: Places };

const relays = new Map<string, Told>();
const consumers = new Map<string, Statements>();

/** Has each scrape look how much of a service's outbox is still on its way, in the shards this process holds. */
export const watchOutbox = (told: Told): void => void relays.set(told.noun, told);

/** Has each scrape count the parked events of a stream. */
export const watchParked = (noun: string, db: Statements): void => void consumers.set(noun, db);

let looking: Promise<Map<string, Backlog>> | undefined;
/** One look for all the gauges of a scrape. */
function look(): Promise<Map<string, Backlog>> {
  looking ??= Promise.all([...relays.values()].map(async (told) => [told.noun, await backlogOf(told)] as const))
    .then((found) => new Map(found))
    .finally(() => {
      looking = undefined;
    });
  return looking;
}

const backlogGauge = (name: `skein_${string}`, help: string, partOf: (backlog: Backlog) => number | undefined) =>
  gauge({
    name,
    help,
    labels: ["stream"],
    async collect(shown) {
      for (const [stream, backlog] of await look()) {
        const value = partOf(backlog);
        if (value === undefined) shown.remove({ stream });
        else shown.set({ stream }, value);
      }
    },
  });

backlogGauge(
  "skein_outbox_unpublished",
  `Facts in this process's shards that are not in the stream yet; at most ${countMax} unnumbered ones are counted.`,
  ({ unpublished }) => unpublished,
);
backlogGauge(
  "skein_outbox_oldest_seconds",
  "Age of the oldest fact in this process's shards that is not in the stream yet; 0 where there is none.",
  ({ unpublishedSeconds }) => unpublishedSeconds,
);
backlogGauge(
  "skein_consumer_lag_events",
  "Facts of this process's shards that the slowest consumer has not applied, as told every 2 s.",
  ({ unheard }) => unheard?.events,
);
backlogGauge(
  "skein_consumer_lag_seconds",
  "Age of the oldest fact that the slowest consumer has not applied, as told every 2 s; 0 where there is none.",
  ({ unheard }) => unheard?.seconds,
);

gauge({
  name: "skein_parked_events",
  help: `Facts that could not be applied and wait for somebody to look; at most ${countMax} are counted.`,
  labels: ["stream"],
  async collect(shown) {
    for (const [stream, db] of consumers) {
      const [row] = await db.query(
        `SELECT COUNT(*) AS n FROM (SELECT 1 FROM parked WHERE stream = ? LIMIT ${countMax}) AS some`, // PRIMARY
        [stream],
      );
      shown.set({ stream }, Number(row?.n));
    }
  },
});

async function backlogOf({ noun, db, leases, places }: Told): Promise<Backlog> {
  const held = [-1, ...leases.held()];
  const [[fresh], [numbered], heard] = await Promise.all([
    db.query(
      `SELECT COUNT(*) AS n, ${ageOf("MIN(create_time)")} AS age FROM
       (SELECT create_time FROM outbox FORCE INDEX (by_position) WHERE shard IN (?) AND position IS NULL LIMIT ${countMax}) AS some`,
      [held],
    ),
    db.query(
      `SELECT SUM(r.position - r.published) AS n, MAX(${ageOf("o.create_time")}) AS age
       FROM relay r JOIN outbox o ON o.shard = r.shard AND o.position = r.published + 1
       WHERE r.shard IN (?) AND r.published < r.position`, // by_position, a row a shard
      [held],
    ),
    places(noun).catch(() => new Map<number, bigint>()),
  ]);
  return {
    unpublished: Number(fresh?.n) + Number(numbered?.n ?? 0),
    unpublishedSeconds: Math.max(secondsOf(fresh), secondsOf(numbered)),
    unheard: heard.size === 0 ? undefined : await unheardOf(db, held, heard),
  };
}

/** What is numbered beyond the places told. A shard nobody told a place of was not heard at all. */
async function unheardOf(db: Statements, held: readonly number[], heard: ReadonlyMap<number, bigint>) {
  const rows = await db.query("SELECT shard, position FROM relay WHERE shard IN (?)", [held]);
  const behind = rows
    .map((row) => ({ shard: Number(row.shard), last: bigintOf(row.position) }))
    .map(({ shard, last }) => ({ shard, place: heard.get(shard) ?? 0n, last }))
    .filter(({ place, last }) => place < last);
  if (behind.length === 0) return { events: 0, seconds: 0 };
  const one = `SELECT ${ageOf("create_time")} AS age FROM outbox WHERE shard = ? AND position = ?`; // by_position
  const ages = await db.query(
    behind.map(() => `(${one})`).join(" UNION ALL "),
    behind.flatMap(({ shard, place }) => [shard, place + 1n]),
  );
  return {
    events: behind.reduce((sum, { place, last }) => sum + Number(last - place), 0),
    seconds: Math.max(0, ...ages.map(secondsOf)),
  };
}

/** By the database's own clock, which wrote the time. */
const ageOf = (time: string): string => `TIMESTAMPDIFF(MICROSECOND, ${time}, NOW(3))`;

const secondsOf = (row: Row | undefined): number => Math.max(0, Number(row?.age ?? 0)) / 1e6;
