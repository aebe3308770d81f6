import type { Log } from "#lib/mesh/log.ts";
import { bigintOf, type Row, type Statements } from "#lib/storage/mysql.ts";
import type { Bus, StreamState } from "./bus.ts";
import type { Leases } from "./lease.ts";

/** Where the consumers of a stream have got to, by shard: the lowest is where a new incarnation begins. */
export type Places = (noun: string) => Promise<ReadonlyMap<number, bigint>>;

type Options = {
  readonly noun: string;
  readonly db: Statements;
  readonly bus: Bus;
  readonly leases: Leases;
  readonly log: Log;
  readonly places: Places;
};

/** One life of a stream. */
export type Life = { readonly incarnation: number; readonly created: string };
type Known = Life & { lastSequence: bigint };
type Ack = { readonly sequence: bigint; readonly duplicate: boolean };

/**
 * JetStream is transport: it may vanish, or come back younger. Its state is compared with what this service recorded at
 * every connect, and each PubAck with those before. Missing, younger or behind begins a new incarnation: an empty
 * stream, told again from the lowest position any consumer recorded.
 */
export function streamLife(options: Options) {
  const { noun, db, leases, log } = options;
  /** What this process knows to be so; undefined while it has to look. */
  let sure: Known | undefined;
  /** Grows with each reason to look, so that one that comes while looking is not forgotten. */
  let reasons = 0;

  /** Makes a life void, so that whoever looks next begins another; unless another has begun already. */
  const doubt = async (incarnation: number, why: string): Promise<void> => {
    log.warn("stream in doubt", { noun, incarnation, why });
    sure = undefined;
    await db.exec("UPDATE relay_stream SET created = '' WHERE name = ? AND incarnation = ?", [noun, incarnation]);
  };

  return {
    /** The life as this process last saw it; undefined while it has to look. */
    known: (): Life | undefined => sure,

    /** The incarnation to publish in. The held shards are in it when this answers. */
    async incarnation(): Promise<number> {
      const before = reasons;
      const known = sure !== undefined && (await isRecorded(db, noun, sure)) ? sure : await settle(options);
      sure = reasons === before ? known : undefined;
      await adopt(options, known.incarnation);
      return known.incarnation;
    },

    /** The connection was away: look before the next publish. */
    suspect(): void {
      sure = undefined;
      reasons++;
    },

    /** A consumer misses facts of a shard in some life. Its place is before them, so a new life tells them. */
    async replay(shard: number, before: bigint, incarnation: number): Promise<void> {
      if (leases.held().has(shard)) await doubt(incarnation, `facts of shard ${shard} before ${before} are missed`);
    },

    /** Keeps how far the stream got, by acks in the order published; false where they show that it went back. */
    async acknowledged(acks: readonly Ack[], incarnation: number): Promise<boolean> {
      const fresh = acks.filter(({ duplicate }) => !duplicate).map(({ sequence }) => sequence);
      const before = sure?.lastSequence ?? 0n;
      if (fresh.some((sequence) => sequence <= before)) {
        await doubt(incarnation, "its sequences went back");
        return false;
      }
      const last = fresh.at(-1) ?? before;
      if (sure !== undefined) sure.lastSequence = last;
      await db.exec(
        "UPDATE relay_stream SET last_sequence = GREATEST(last_sequence, ?) WHERE name = ? AND incarnation = ?",
        [last, noun, incarnation],
      );
      return true;
    },
  };
}

/** Whether a life is the one that counts: another process may have begun a new one, or be in doubt. */
async function isRecorded(db: Statements, noun: string, { incarnation, created }: Known): Promise<boolean> {
  const rows = await db.query("SELECT 1 FROM relay_stream WHERE name = ? AND incarnation = ? AND created = ?", [
    noun,
    incarnation,
    created,
  ]);
  return rows.length === 1;
}

/** Settles which life of the stream is now. The row's lock makes processes that doubt at once agree on one. */
async function settle({ noun, db, bus, log }: Options): Promise<Known> {
  await db.exec("INSERT IGNORE INTO relay_stream (name, incarnation, created, last_sequence) VALUES (?, 0, '', 0)", [
    noun,
  ]);
  return db.tx(async (tx) => {
    const [row] = await tx.query(
      "SELECT incarnation, created, last_sequence FROM relay_stream WHERE name = ? FOR UPDATE",
      [noun],
    );
    const known = knownOf(row);
    const state = await bus.state(noun);
    if (isWhole(known, state)) return known;
    const incarnation = Math.max(known.incarnation, state?.incarnation ?? 0) + 1;
    const begin = state === undefined ? bus.createStream : bus.renewStream;
    const { created, lastSequence } = await begin(noun, incarnation);
    await tx.exec("UPDATE relay_stream SET incarnation = ?, created = ?, last_sequence = ? WHERE name = ?", [
      incarnation,
      created,
      lastSequence,
      noun,
    ]);
    log.warn("stream begins a new incarnation", { noun, incarnation });
    return { incarnation, created, lastSequence };
  });
}

/** Takes the held shards into an incarnation: what an older one had counts only up to the lowest place. */
async function adopt({ noun, db, leases, places }: Options, incarnation: number): Promise<void> {
  const rows = await db.query("SELECT shard FROM relay WHERE incarnation < ? AND shard IN (?)", [
    incarnation,
    [-1, ...leases.held()],
  ]);
  if (rows.length === 0) return;
  const lowest = await places(noun).catch(() => new Map<number, bigint>());
  for (const row of rows) {
    const shard = Number(row.shard);
    await db.exec(
      "UPDATE relay SET published = LEAST(published, ?), incarnation = ? WHERE shard = ? AND incarnation < ?",
      [lowest.get(shard) ?? 0n, incarnation, shard, incarnation],
    );
  }
}

/** Nothing is missing where the stream is the one recorded and reaches as far as was acknowledged. */
const isWhole = (known: Known, state: StreamState | undefined): boolean =>
  state !== undefined &&
  state.created === known.created &&
  state.incarnation === known.incarnation &&
  state.lastSequence >= known.lastSequence;

const knownOf = (row: Row | undefined): Known => ({
  incarnation: Number(row?.incarnation ?? 0),
  created: String(row?.created ?? ""),
  lastSequence: bigintOf(row?.last_sequence),
});
