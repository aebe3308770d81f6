import type { Log } from "#lib/mesh/log.ts";
import type { Loop } from "#lib/mesh/run.ts";
import { shards } from "#lib/storage/id.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { events as eventsTotal, watchOutbox, watchParked } from "./backlog.ts";
import type { Bus } from "./bus.ts";
import { type Leases, pause } from "./lease.ts";
import { batchMax, type Fold, numberNew } from "./number.ts";
import { append, type Event, eventColumns, eventOf } from "./outbox.ts";
import { replayParked } from "./parked.ts";
import { together } from "./spans.ts";
import { type Life, type Places, streamLife } from "./stream-life.ts";
import { parkingUndecodable } from "./undecodable.ts";
import { keepVouching, type Vouch } from "./vouch.ts";

type Options = {
  readonly noun: string;
  readonly db: Statements;
  readonly bus: Bus;
  readonly leases: Leases;
  readonly log: Log;
  readonly places: Places;
  /**
   * Adds up what a batch changes, in the transaction that numbers it: exact counts without hot rows. It decodes all facts
   * before it writes; one that it cannot decode is parked, here as in `project`, and added up when it is replayed.
   */
  readonly fold?: Fold;
  /**
   * The service's own read models. A writer applied the same before its answer; here it happens again, before anyone
   * hears of the fact, for the writer that died in between.
   */
  readonly project?: (events: readonly Event[]) => Promise<void>;
  /** Repeated for as long as the relay runs. */
  readonly vouch?: Vouch;
};

/** Facts of which nobody told, because their writer died or NATS is away, are found by looking: soon, while any flow. */
const pollMs = 250;
const idlePollMs = 1_000;
const idleAfterMs = 10_000;
/**
 * Facts that come while a pass is under way gather for so long before the next, or as long as that pass took: a pass costs nearly the
 * same for one and for many, so who is busy spends half of the time on it.
 */
const gatherMs = 10;
const gatherMsMax = 50;
/** After a failure (a store is away): the next try. */
const againMs = 300;

/**
 * Carries facts from the outbox to the stream: number → fold → project → publish → mark. Numbers are given to
 * committed rows only and never by `id > cursor` (commit order is not id order); a crash anywhere repeats a step that
 * is harmless to repeat. After the transactional outbox, https://microservices.io/patterns/data/transactional-outbox.html.
 */
export function createRelay(options: Options) {
  const { noun, db, bus, leases, log, fold, project, vouch } = options;
  const life = streamLife(options);
  const published = eventsTotal.labels(noun, "published");
  watchOutbox(options);
  /** How far this process projected each shard. A gap is never passed over, so everything below is projected too. */
  const projected = new Map<number, bigint>();
  const isProjected = ({ shard, position }: Event) => project === undefined || position <= (projected.get(shard) ?? 0n);
  const folding: Fold | undefined =
    fold &&
    (async (tx, all) => (await parkingUndecodable({ noun, sql: tx }, all, (events) => fold(tx, events))).flat());
  const rest = resting(() => leases.held().size < shards && bus.nudge(noun));

  async function pass(): Promise<boolean> {
    const due = await dueIn(options, life.known());
    if (due.size === 0) return false;
    rest.found();
    const numbered = due.has("fact") ? await numberNew(db, leases, folding) : [];
    const left = await projectNew(numbered);
    const more = await publish(numbered);
    return numbered.length >= batchMax || left || more;
  }

  /** Publishes what is numbered and not yet in this incarnation of the stream; true where there is more. */
  async function publish(numbered: readonly Event[]): Promise<boolean> {
    if (!bus.up()) return false;
    const incarnation = await life.incarnation();
    const behind = await db.query(
      "SELECT shard, position, published FROM relay WHERE shard IN (?) AND published < position AND incarnation = ?",
      [[-1, ...leases.held()], incarnation],
    );
    if (behind.length === 0) return false;
    const share = Math.ceil(batchMax / behind.length);
    const ranges = behind.map((row) => ({ shard: Number(row.shard), after: bigintOf(row.published) }));
    const due = await numberedSince(db, ranges, numbered, share);
    const events = due.filter(isProjected);
    if (events.length === 0) return due.length > 0;
    const told = await Promise.allSettled(events.map((event) => bus.publish(noun, event, incarnation)));
    const acks = told.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    if (!(await life.acknowledged(acks, incarnation))) return true;
    for (const one of told) if (one.status === "rejected") throw one.reason;
    await mark(db, events, incarnation);
    published.inc(events.length);
    return events.length >= share;
  }

  /**
   * Projects what is numbered and not in the stream, from where this process left off: what an earlier pass failed at,
   * or a holder before this one did not get to, comes first. True where there is more.
   */
  async function projectNew(numbered: readonly Event[]): Promise<boolean> {
    if (project === undefined) return false;
    const behind = await unprojected(db, leases.held(), projected);
    if (behind.length === 0) return false;
    const share = Math.ceil(batchMax / behind.length);
    const events = await numberedSince(db, behind, numbered, share);
    await together("project", events, (going) => parkingUndecodable({ noun, sql: db }, going, project));
    for (const { shard, position } of events) projected.set(shard, position);
    return events.length >= share;
  }

  const loop: Loop = async (signal) => {
    const vouched = vouch && keepVouching(options, vouch, (held) => unprojected(db, held, projected), signal);
    const replayed = (fold ?? project) && replayOwn(options)(signal);
    bus.onNudge(noun, rest.wake);
    bus.onReconnect(() => life.suspect());
    bus.onReplay(noun, (shard, before, incarnation) => {
      life.replay(shard, before, incarnation).catch((reason) => log.warn("relay", { noun, error: reason }));
    });
    leases.onChange(rest.wake);
    while (!signal.aborted) {
      rest.begin();
      const more = await pass().catch(async (reason) => {
        log.warn("relay", { noun, error: reason });
        await pause(againMs, signal);
        return false;
      });
      if (!more) await rest.end(signal);
    }
    await pass().catch((reason) => log.warn("relay left facts for the next one", { noun, error: reason }));
    await Promise.all([vouched, replayed]);
  };

  /** `nudge` is called after a commit: the pass begins at once rather than at the next look. */
  return { loop, nudge: rest.nudge };
}

/**
 * The pause between two passes, which ends early where somebody nudged since the pass began. A nudge here is told to the
 * other holders too: the fact may be in a shard of theirs.
 */
function resting(tellOthers: () => void) {
  let nudged = false;
  let beganMs = performance.now();
  let foundMs = beganMs;
  let wake = () => {};
  const wakeUp = () => {
    nudged = true;
    wake();
  };
  return {
    begin: () => {
      nudged = false;
      beganMs = performance.now();
    },
    async end(signal: AbortSignal): Promise<void> {
      const tookMs = performance.now() - beganMs;
      if (nudged) return await pause(Math.min(gatherMsMax, Math.max(gatherMs, tookMs)), signal);
      const isIdle = performance.now() - foundMs > idleAfterMs;
      await pause(isIdle ? idlePollMs : pollMs, signal, (end) => {
        wake = end;
      });
    },
    /** There was something to do: more may come. */
    found: () => {
      foundMs = performance.now();
    },
    wake: wakeUp,
    nudge: () => {
      wakeUp();
      tellOthers();
    },
  };
}

/** What was parked because it could not be decoded, once somebody asked for it. */
function replayOwn({ noun, db, leases, log, fold, project }: Options): Loop {
  watchParked(noun, db);
  const apply = async (tx: Sql, events: readonly Event[]) => {
    // No pass is between its look for facts and its fold meanwhile: it would number its sum before this earlier one.
    await leases.fenced(tx);
    await append(tx, (await fold?.(tx, events)) ?? []);
    await project?.(events);
  };
  return replayParked({ noun, db, leases, log, apply, applied: () => {} });
}

/** What there may be to do: facts without a number; or `more` with those that have one. */
type Due = "fact" | "more";

/**
 * What there is to do, in one statement, because most looks find nothing: facts without a number, or not in the stream,
 * shards in an older life of it, or a life that is not the recorded one any more.
 */
async function dueIn({ noun, db, bus, leases }: Options, known: Life | undefined): Promise<ReadonlySet<Due>> {
  if (known === undefined && bus.up()) return new Set(["fact", "more"]);
  const held = [-1, ...leases.held()];
  const { incarnation, created } = known ?? { incarnation: 0, created: "" };
  const found = await db.query(
    `(SELECT 'fact' AS due FROM outbox WHERE shard IN (?) AND position IS NULL LIMIT 1)
     UNION ALL (SELECT 'more' FROM relay WHERE shard IN (?) AND (published < position OR incarnation < ?) LIMIT 1)
     UNION ALL (SELECT 'more' FROM relay_stream WHERE name = ? AND ? > 0 AND (incarnation <> ? OR created <> ?))`, // by_position, PRIMARY
    [held, held, incarnation, noun, incarnation, incarnation, created],
  );
  return new Set(found.map(({ due }) => due as Due));
}

/** The held shards with facts that are neither in the stream nor projected by this process, and after which. */
async function unprojected(db: Statements, held: ReadonlySet<number>, projected: ReadonlyMap<number, bigint>) {
  const rows = await db.query(
    "SELECT shard, position, published FROM relay WHERE shard IN (?) AND published < position",
    [[-1, ...held]],
  );
  return rows
    .map((row) => ({ shard: Number(row.shard), last: bigintOf(row.position), published: bigintOf(row.published) }))
    .map((row) => ({ ...row, after: greater(row.published, projected.get(row.shard) ?? 0n) }))
    .filter(({ after, last }) => after < last);
}

const greater = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** What comes after some positions, shard by shard: what was numbered just now is at hand, and anything else is read. */
async function numberedSince(
  db: Statements,
  ranges: readonly { readonly shard: number; readonly after: bigint }[],
  numbered: readonly Event[],
  share: number,
): Promise<Event[]> {
  const atHand = Map.groupBy(numbered, ({ shard }) => shard);
  const due = ranges.map(({ shard, after }) => {
    const fresh = atHand.get(shard);
    return fresh?.[0]?.position === after + 1n ? fresh : numberedAfter(db, shard, after, share);
  });
  return (await Promise.all(due)).flat();
}

async function numberedAfter(db: Statements, shard: number, after: bigint, limit: number): Promise<Event[]> {
  const rows = await db.query(
    `SELECT ${eventColumns} FROM outbox WHERE shard = ? AND position > ? ORDER BY position LIMIT ${limit}`, // by_position
    [shard, after],
  );
  return rows.map(eventOf);
}

/** Only forward, and only within the incarnation they were published in. */
async function mark(db: Statements, events: readonly Event[], incarnation: number): Promise<void> {
  const upTo = new Map<number, bigint>();
  for (const { shard, position } of events) upTo.set(shard, position);
  const cases = [...upTo].flat();
  await db.exec(
    `UPDATE relay SET published = GREATEST(published, CASE shard ${"WHEN ? THEN ? ".repeat(upTo.size)} END) WHERE shard IN (?) AND incarnation = ?`,
    [...cases, [...upTo.keys()], incarnation],
  );
}
