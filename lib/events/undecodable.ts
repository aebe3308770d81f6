import type { Sql } from "#lib/storage/mysql.ts";
import type { Event } from "./outbox.ts";
import { park } from "./parked.ts";
import { UndecodableError } from "./poison.ts";

type Needs = { readonly noun: string; readonly sql: Sql };

/**
 * Does something with a service's own facts, and parks those that it cannot decode, so that the others go on: only a release
 * that knows them reads them. `work` decodes all it is given before it changes anything. It is halved until the culprit is
 * alone, so of 500 facts with one such in them it runs some twenty times. Answers what came of each part, in order.
 */
export async function parkingUndecodable<T>(
  { noun, sql }: Needs,
  events: readonly Event[],
  work: (events: readonly Event[]) => Promise<T>,
): Promise<T[]> {
  try {
    return [await work(events)];
  } catch (reason) {
    if (!(reason instanceof UndecodableError)) throw reason;
    if (events.length === 1) {
      await park(sql, noun, events, reason.message);
      return [];
    }
    const half = Math.ceil(events.length / 2);
    const before = await parkingUndecodable({ noun, sql }, events.slice(0, half), work);
    return [...before, ...(await parkingUndecodable({ noun, sql }, events.slice(half), work))];
  }
}
