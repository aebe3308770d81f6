import type { Sql } from "#lib/storage/mysql.ts";
import type { Event } from "./outbox.ts";
import { park } from "./parked.ts";
import { UndecodableError } from "./poison.ts";

type Needs = { readonly noun: string; readonly sql: Sql };

/**
 * Does something with a service's own facts, and parks those that it cannot decode, so that the others go on: only a release
 * that knows them reads them. `work` decodes all it is given before it changes anything. It is halved until the culprit is
 * alone, so of 500 facts with one such in them it runs some twenty times.
 */
export async function parkingUndecodable(
  { noun, sql }: Needs,
  events: readonly Event[],
  work: (events: readonly Event[]) => Promise<void>,
): Promise<void> {
  try {
    await work(events);
  } catch (reason) {
    if (!(reason instanceof UndecodableError)) throw reason;
    if (events.length === 1) return park(sql, noun, events, reason.message);
    const half = Math.ceil(events.length / 2);
    await parkingUndecodable({ noun, sql }, events.slice(0, half), work);
    await parkingUndecodable({ noun, sql }, events.slice(half), work);
  }
}
