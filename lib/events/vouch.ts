import type { Log } from "#lib/mesh/log.ts";
import type { Statements } from "#lib/storage/mysql.ts";
import { type Leases, pause } from "./lease.ts";

/**
 * How often it is told that the read models are up to date. Who came back to them waits for it: all together, where this
 * process came back too, or where something is still to be brought there; or one alone, of whom nobody knows.
 */
const hurryMs = 250;
const restMs = 1_000;

/** Tells readers that the read models are up to the truth, in the shards that `caughtUp` answers. True where it is urgent. */
export type Vouch = (caughtUp: () => Promise<readonly number[]>) => Promise<boolean>;

type Options = { readonly noun: string; readonly db: Statements; readonly leases: Leases; readonly log: Log };

/**
 * Vouches again and again until it is told to end, beside the relay's passes: one that waits for NATS keeps no reader
 * waiting. `behind` answers the held shards with numbered facts that are not projected.
 */
export async function keepVouching(
  { noun, db, leases, log }: Options,
  vouch: Vouch,
  behind: (held: ReadonlySet<number>) => Promise<readonly { readonly shard: number }[]>,
  signal: AbortSignal,
): Promise<void> {
  let left = 0;
  const caughtUp = async () => {
    const held = leases.held();
    // In this order: a fact that is numbered between the two looks is seen by the second.
    const unnumbered = await db.query(
      "SELECT DISTINCT shard FROM outbox WHERE shard IN (?) AND position IS NULL", // by_position
      [[-1, ...held]],
    );
    const unprojected = await behind(held);
    const missing = new Set([...unnumbered.map((row) => Number(row.shard)), ...unprojected.map(({ shard }) => shard)]);
    left = missing.size;
    return [...held].filter((shard) => !missing.has(shard));
  };
  while (!signal.aborted) {
    // A store that is away has nothing to be vouched for, and is told of elsewhere.
    const isUrgent = await vouch(caughtUp).catch((reason) => {
      log.debug("not vouched", { noun, error: reason });
      return true;
    });
    await pause(isUrgent || left > 0 ? hurryMs : restMs, signal);
  }
}
