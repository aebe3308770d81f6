import { type Connection, openConnection } from "./connection.ts";
import { type Card, type Deck, deal } from "./deck.ts";
import { createHistogram } from "./histogram.ts";

/** What to ask, how fast, how long. */
export type Order = {
  readonly host: string;
  readonly port: number;
  readonly deck: Deck;
  readonly connections: number;
  /** Requests a second whatever the answers do (open loop); each connection back to back (closed loop) where absent. */
  readonly rate?: number | undefined;
  readonly seconds: number;
  /** Everybody once instead, in turn. */
  readonly isSweep?: boolean;
  /** Every so many-th home page is kept, to be held to the truth. */
  readonly keepEach?: number;
};

/** A home page as it was answered. */
export type Kept = { readonly person: number; readonly sentTime: number; readonly body: Uint8Array };

export type Outcome = {
  /** Answered well within the time. */
  readonly answers: number;
  readonly failed: number;
  readonly seconds: number;
  /** Microseconds: since it was sent, or, in an open loop, since it should have been. */
  readonly latencies: Uint32Array;
  readonly bytes: number;
  /** Of the deck, for the next order. */
  readonly written: number;
  readonly kept: readonly Kept[];
  /** Answers that are no success, by status; 0 is a broken connection. */
  readonly statuses: Readonly<Record<number, number>>;
};

/** Home pages kept of one order. */
const keptMax = 64;
/** After the end, answers on their way are waited for this long; then they have failed. */
const graceMs = 5_000;
/** Of a request: the one at the very end of an open loop is not due because a product of fractions says so. */
const rounding = 1e-6;

/** Carries out one order. A closed loop tells what a server can do; an open one how soon it answers what comes. */
export function drive(order: Order): Promise<Outcome> {
  return new Promise((resolve) => {
    const { deck, connections, rate, seconds, isSweep = false, keepEach = Number.POSITIVE_INFINITY } = order;
    const cards = deal(deck);
    const histogram = createHistogram();
    const statuses: Record<number, number> = {};
    const kept: Kept[] = [];
    const idle: Connection[] = [];
    const opened: Connection[] = [];
    const beganMs = performance.now();
    const endMs = isSweep ? Number.POSITIVE_INFINITY : beganMs + seconds * 1_000;
    const sweepMax = isSweep ? deck.people.length : Number.POSITIVE_INFINITY;
    const stepMs = rate === undefined ? 0 : 1_000 / rate;
    let [sent, done, failed, answers, bytes, pages] = [0, 0, 0, 0, 0, 0];
    let lastMs = beganMs;

    /** When the next request is to be sent. */
    const dueMs = () => (rate === undefined ? performance.now() : beganMs + sent * stepMs);
    const isOver = () => sent >= sweepMax || (rate === undefined ? performance.now() : dueMs()) >= endMs;

    function tick(): void {
      while (idle.length > 0 && !isOver() && dueMs() <= performance.now()) begin(idle.pop() as Connection);
      if (isOver() && done === sent) finish();
      else if (performance.now() > endMs + graceMs) finish();
      else setTimeout(tick, rate === undefined ? 10 : 1);
    }

    function begin(connection: Connection): void {
      const since = dueMs();
      const card = cards.next(isSweep ? sent : undefined);
      under.set(connection, { card, since, sentTime: Date.now() });
      sent++;
      connection.send(card.bytes);
    }

    const under = new Map<Connection, { card: Card; since: number; sentTime: number }>();
    for (let nth = 0; nth < connections; nth++) {
      const connection = openConnection({
        host: order.host,
        port: order.port,
        onReady() {
          if (!isOver() && dueMs() <= performance.now()) begin(connection);
          else idle.push(connection);
        },
        onAnswer({ status, body }) {
          const { card, since, sentTime } = under.get(connection) as { card: Card; since: number; sentTime: number };
          const nowMs = performance.now();
          done++;
          bytes += body.length;
          if (status < 200 || status > 299) {
            failed++;
            statuses[status] = (statuses[status] ?? 0) + 1;
            return;
          }
          histogram.record((nowMs - since) * 1_000);
          if (nowMs <= endMs || rate !== undefined) answers++;
          lastMs = nowMs;
          if (card.kind === "feed" && pages++ % keepEach === 0 && kept.length < keptMax)
            kept.push({ person: card.person, sentTime, body });
        },
      });
      opened.push(connection);
    }
    tick();

    function finish(): void {
      // In an open loop also what was due and never sent, because all connections waited.
      const due = rate === undefined || isSweep ? sent : Math.max(sent, Math.ceil(rate * seconds - rounding));
      for (let nth = done; nth < due && rate !== undefined; nth++)
        histogram.record((performance.now() - beganMs - nth * stepMs) * 1_000);
      failed += due - done;
      if (due > done) statuses[0] = (statuses[0] ?? 0) + due - done;
      for (const connection of opened) connection.close();
      const took = isSweep || rate !== undefined ? (lastMs - beganMs) / 1_000 : seconds;
      const written = cards.written();
      resolve({
        answers,
        failed,
        seconds: took,
        latencies: histogram.counts,
        bytes,
        written,
        kept: keepEach < Number.POSITIVE_INFINITY ? kept : [],
        statuses,
      });
    }
  });
}
