import type { Log } from "#lib/mesh/log.ts";
import type { Loop } from "#lib/mesh/run.ts";
import { timeOf } from "#lib/storage/id.ts";
import { bigintOf, type Param, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { events as eventsTotal, watchParked } from "./backlog.ts";
import type { Bus, Delivered } from "./bus.ts";
import { type Leases, pause } from "./lease.ts";
import { atPace } from "./pace.ts";
import { park, parkedAmong, replayParked } from "./parked.ts";
import { isPassing, UndecodableError } from "./poison.ts";
import { together } from "./spans.ts";

type Options = {
  /** Whose facts. */
  readonly noun: string;
  readonly db: Statements;
  readonly bus: Bus;
  readonly leases: Leases;
  readonly log: Log;
  /**
   * Whether a fact changes anything here; all do where nothing is said. What changes nothing costs no transaction: its place is
   * kept with the next that does, or a moment later. One that it cannot decode is left to `apply`, and parked.
   */
  readonly concerns?: (event: Delivered) => boolean;
  /**
   * Applies facts in order, within the transaction that keeps the new place. Called again with the same facts after a
   * crash, a retry or a new incarnation, so every effect is idempotent by itself.
   */
  readonly apply: (tx: Sql, events: readonly Delivered[]) => Promise<void>;
  /** Work that may begin once the facts are applied; it hears of none that is parked. */
  readonly applied: (events: readonly Delivered[]) => void;
  /** Tells everyone how far this consumer is, so that a relay knows where to begin a new incarnation. */
  readonly tell: (noun: string, places: ReadonlyMap<number, bigint>) => Promise<void>;
};

type Place = { incarnation: number; sequence: bigint; position: bigint };

/** Facts applied in one transaction: more would hold up whatever else the process does. */
const batchMax = 64;
/** A fact that fails this often, within about two seconds, is poison; one that cannot be decoded is so at once. */
const triesMax = 5;
const againMs = 300;
/** A relay that was asked to tell facts again gets this long before it is asked once more. */
const retellMs = 1_000;
const keepMs = 2_000;

/**
 * One in-order consumer of the held shards of one stream. It begins at the lowest place of those, or at the start of a
 * stream that began a new incarnation. A dependency that is away is waited for; a fact that cannot be applied is parked
 * with everything later of its aggregate, and the others go on. Parked ones are replayed where somebody asked for it.
 */
export function createConsumer(options: Options): { readonly loop: Loop } {
  const { noun, db, bus, leases, log, tell } = options;
  watchParked(noun, db);
  /** The shards that are read now, and where each of them is. */
  let reading: ReadonlySet<number> = new Set();
  let places = new Map<number, Place>();
  /** Everything of the shards that are read was seen up to here. */
  let seen: Pick<Place, "incarnation" | "sequence"> | undefined;

  async function follow(held: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    const state = await bus.state(noun);
    if (state === undefined || held.size === 0) return pause(againMs, signal);
    seen = undefined;
    places = await load(db, noun, held);
    reading = held;
    const from = startOf(places, held, state.incarnation, state.lastSequence);
    let { incarnation } = state;
    for await (const batch of batches(bus.read(noun, held, from, signal))) {
      // A relay that had not heard of the new life told them; it tells them again in this one.
      const current = batch.filter((event) => event.incarnation >= incarnation);
      const { fresh, missed } = freshIn(places, current);
      const newest = fresh.at(-1);
      if (newest !== undefined) await atPace(timeOf(newest.id), () => hear(fresh, signal));
      if (missed !== undefined) {
        askAgain(missed);
        return pause(retellMs, signal);
      }
      const last = current.at(-1);
      if (last !== undefined) {
        incarnation = last.incarnation;
        seen = last;
      }
    }
  }

  async function hear(fresh: readonly Delivered[], signal: AbortSignal): Promise<void> {
    const mine = fresh.filter((event) => concerns(options, event));
    const heard = mine.length === 0 ? [] : await settle(options, mine, signal);
    count(noun, "passed", fresh.length - mine.length);
    for (const { shard, incarnation, sequence, position } of fresh)
      places.set(shard, { incarnation, sequence, position });
    if (heard.length > 0) options.applied(heard);
  }

  /** The stream lacks facts before this one, so it is left for later: its relay tells them again, in order. */
  function askAgain({ shard, position, incarnation }: Delivered): void {
    log.warn("missed facts", { noun, shard, before: String(position) });
    bus.askReplay(noun, shard, position, incarnation);
  }

  /** Shards in which nothing happened move on too, so that a restart does not read the whole stream for them. */
  async function keepUp(): Promise<void> {
    const positions = new Map([...places].map(([shard, { position }]) => [shard, position]));
    const [at, of] = [seen, reading];
    seen = undefined;
    const still = [...of].filter((shard) => leases.held().has(shard));
    if (at !== undefined && still.length > 0) {
      const { incarnation, sequence } = at;
      const rows = still.map((shard) => ({ shard, incarnation, sequence, position: positions.get(shard) ?? 0n }));
      await save(db, noun, rows).catch((reason) => {
        if (of === reading) seen ??= at; // Nobody is told of a place that is not kept.
        throw reason;
      });
    }
    await tell(noun, positions);
  }

  return {
    async loop(signal) {
      let turn = new AbortController();
      leases.onChange(() => turn.abort());
      const keeping = setInterval(
        () => void keepUp().catch((reason) => log.warn("place", { noun, error: reason })),
        keepMs,
      );
      const replaying = replayParked(options)(signal);
      while (!signal.aborted) {
        turn = new AbortController();
        await follow(leases.held(), AbortSignal.any([signal, turn.signal])).catch((reason) => {
          if (!signal.aborted) log.warn("consumer begins again", { noun, error: reason });
          return pause(againMs, signal);
        });
        turn.abort();
      }
      clearInterval(keeping);
      await replaying;
    },
  };
}

/** The lowest sequence still to come; a place of an older life, or beyond the end of this one, proves nothing. */
function startOf(
  places: ReadonlyMap<number, Place>,
  held: ReadonlySet<number>,
  incarnation: number,
  last: bigint,
): bigint {
  let lowest: bigint | undefined;
  for (const shard of held) {
    const place = places.get(shard);
    if (place === undefined || place.incarnation !== incarnation || place.sequence > last) return 1n;
    if (lowest === undefined || place.sequence < lowest) lowest = place.sequence;
  }
  return (lowest ?? 0n) + 1n;
}

/** What is new in a batch, up to a fact that others are missing before: positions of a shard are dense. */
function freshIn(places: ReadonlyMap<number, Place>, batch: readonly Delivered[]) {
  const reached = new Map([...places].map(([shard, { position }]) => [shard, position]));
  const fresh: Delivered[] = [];
  for (const event of batch) {
    const before = reached.get(event.shard);
    if (event.position <= (before ?? 0n)) continue;
    if (before !== undefined && event.position > before + 1n) return { fresh, missed: event };
    reached.set(event.shard, event.position);
    fresh.push(event);
  }
  return { fresh, missed: undefined };
}

/** Applies a batch; where that fails for its own sake, one by one, parking what stays impossible. Answers what was heard. */
async function settle(
  options: Options,
  batch: readonly Delivered[],
  signal: AbortSignal,
): Promise<readonly Delivered[]> {
  for (let tried = 1; !signal.aborted; tried++) {
    try {
      const heard = await together("hear", batch, (events) => applyAll(options, events));
      count(options.noun, "applied", heard.events.length);
      count(options.noun, "parked", heard.laterCount);
      return heard.events;
    } catch (reason) {
      options.log.warn("batch not applied", { noun: options.noun, size: batch.length, tried, error: reason });
      if (!isPassing(reason) && batch.length > 1) {
        const settled: Delivered[] = [];
        for (const event of batch) settled.push(...(await settle(options, [event], signal)));
        return settled;
      }
      if (reason instanceof UndecodableError || (!isPassing(reason) && tried >= triesMax)) {
        await options.db.tx(async (tx) => {
          await park(tx, options.noun, batch, reason instanceof Error ? reason.message : String(reason));
          await save(tx, options.noun, batch);
        });
        count(options.noun, "parked", batch.length);
        const [{ aggregate = undefined, traceparent = "" } = {}] = batch;
        const trace = traceparent.slice(3, 35) || undefined;
        options.log.error("parked", { noun: options.noun, aggregate, trace, error: reason });
        return [];
      }
      count(options.noun, "retried", batch.length);
      await pause(againMs, signal);
    }
  }
  throw new Error("stopped before the batch was applied");
}

function concerns({ concerns: decide }: Options, event: Delivered): boolean {
  try {
    return decide === undefined || decide(event);
  } catch (reason) {
    if (reason instanceof UndecodableError) return true;
    throw reason;
  }
}

type Heard = { readonly events: readonly Delivered[]; readonly laterCount: number };

/**
 * Everything a batch does, in one transaction. Answers the facts that were applied as they went on, below the spans in
 * which they were heard, and how many were left for later with their aggregates.
 */
function applyAll({ noun, db, apply }: Options, batch: readonly Delivered[]): Promise<Heard> {
  return db.tx(async (tx) => {
    const parked = await parkedAmong(tx, noun, batch);
    const now = batch.filter(({ aggregate }) => !parked.has(aggregate));
    const later = batch.filter(({ aggregate }) => parked.has(aggregate));
    await apply(tx, now);
    await park(tx, noun, later, "its aggregate is parked");
    await save(tx, noun, batch);
    return { events: now, laterCount: later.length };
  });
}

const count = (stream: string, result: "applied" | "passed" | "retried" | "parked", facts: number): void =>
  eventsTotal.inc({ stream, result }, facts);

async function load(db: Statements, noun: string, held: ReadonlySet<number>): Promise<Map<number, Place>> {
  const rows = await db.query(
    "SELECT shard, incarnation, sequence, position FROM place WHERE stream = ? AND shard IN (?)",
    [noun, [...held]],
  );
  const placeOf = (row: (typeof rows)[number]): Place => ({
    incarnation: Number(row.incarnation),
    sequence: bigintOf(row.sequence),
    position: bigintOf(row.position),
  });
  return new Map(rows.map((row) => [Number(row.shard), placeOf(row)]));
}

async function save(tx: Sql, noun: string, batch: readonly (Place & { shard: number })[]): Promise<void> {
  const last = new Map(batch.map((event) => [event.shard, event]));
  const rows: Param[][] = [...last.values()].map(({ shard, incarnation, sequence, position }) => [
    noun,
    shard,
    incarnation,
    sequence,
    position,
  ]);
  await tx.exec(
    "INSERT INTO place (stream, shard, incarnation, sequence, position) VALUES ? ON DUPLICATE KEY UPDATE incarnation = VALUES(incarnation), sequence = VALUES(sequence), position = VALUES(position)",
    [rows],
  );
}

/** What has come by now, together: the pace is the consumer's own. */
async function* batches<T>(events: AsyncGenerator<T>): AsyncGenerator<T[]> {
  const ask = () => {
    const next = events.next();
    next.catch(() => {}); // It may fail while the batch before it is applied: whoever awaits it hears of it then.
    return next;
  };
  let waiting = ask();
  try {
    for (;;) {
      const first = await waiting;
      if (first.done === true) return;
      const batch = [first.value];
      waiting = ask();
      while (batch.length < batchMax) {
        const more = await Promise.race([waiting, nothingYet()]);
        if (more === undefined || more.done === true) break;
        batch.push(more.value);
        waiting = ask();
      }
      yield batch;
    }
  } finally {
    // Not awaited: a generator that waits for its next event ends only with its signal.
    events.return(undefined).catch(() => {});
  }
}

const nothingYet = (): Promise<undefined> => new Promise((done) => setImmediate(done, undefined));
