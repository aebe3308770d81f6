import { type Leases, pause } from "#lib/events/lease.ts";
import type { Log } from "#lib/mesh/log.ts";
import type { Loop } from "#lib/mesh/run.ts";
import { shards, shareOf } from "#lib/storage/id.ts";
import type { Objects } from "#lib/storage/objects.ts";
import type { MediaStore } from "../store.ts";

/** Media taken in one look; while there are as many, the next look follows at once. */
const batchMax = 100;

type Needs = {
  readonly store: MediaStore;
  readonly objects: Objects;
  readonly leases: Pick<Leases, "held">;
  readonly sweepMs: number;
  readonly log: Log;
};

/**
 * Collects what nobody wants: uploads that were left, media that nothing was made of, what was taken back, and what was part of a
 * post that is gone; and previews that no post shows. Each is one process's work; each step may run again.
 */
export function collector({ store, objects, leases, sweepMs, log }: Needs): Loop {
  async function sweep(signal: AbortSignal): Promise<void> {
    for (;;) {
      const held = leases.held();
      const due = await store.due(batchMax, (id) => held.has(shareOf(id, shards)));
      for (const { id, handle } of due) {
        if (signal.aborted) return;
        for (const prefix of [`parts/${id}/`, `m/${handle}/`]) await removeUnder(prefix);
        await store.remove(id);
      }
      if (due.length < batchMax) break;
    }
    for (;;) {
      const held = leases.held();
      const due = await store.duePreviews(batchMax, (id) => held.has(shareOf(id, shards)));
      for (const { id, handle } of due) {
        if (signal.aborted) return;
        await removeUnder(`m/${handle}/`);
        await store.removePreview(id);
      }
      if (due.length < batchMax) return;
    }
  }

  async function removeUnder(prefix: string): Promise<void> {
    for (const key of await objects.list(prefix)) await objects.delete(key);
  }

  return async (signal) => {
    while (!signal.aborted) {
      await sweep(signal).catch((error: unknown) => log.warn("collecting goes on later", { error }));
      await pause(sweepMs, signal);
    }
  };
}
