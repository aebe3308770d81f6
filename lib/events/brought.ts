import type { Told } from "#lib/mesh/facts.ts";
import type { Event } from "./outbox.ts";

/** Facts that are remembered. Of older ones the relay brings again what is there already, which is harmless. */
const rememberedMax = 10_000;

export type Brought = ReturnType<typeof broughtFacts>;

/**
 * Which facts their own writers have brought to the read models, in this process, so that its relay need not bring them again. What is
 * not remembered is brought: its writer died, or lives in another replica, or could not reach Redis. `since` says since when the server
 * answers without a break: what was brought before the last one counts no more.
 */
export function broughtFacts(since: () => number) {
  const known = new Map<bigint, number>();
  const sinceNow = (): number | undefined => {
    try {
      return since();
    } catch {
      return undefined; // It is away.
    }
  };

  return {
    /** Does what brings a call's facts of one aggregate there, and remembers them where that was done (it answers true). */
    async bring(told: Told | undefined, aggregate: string, work: () => Promise<boolean>): Promise<boolean> {
      const before = sinceNow();
      const isDone = await work();
      if (!isDone || told === undefined || before === undefined || before !== sinceNow()) return isDone;
      for (const [name, { noun, id }] of told.facts) {
        if (noun === told.noun && name.startsWith(`${aggregate} `)) known.set(id, before);
      }
      for (const id of known.keys()) {
        if (known.size <= rememberedMax) break;
        known.delete(id);
      }
      return isDone;
    },

    /** Those of some facts that are still to be brought. They are forgotten, so a second run brings all. */
    left<E extends Pick<Event, "id">>(events: readonly E[]): E[] {
      const now = sinceNow();
      return events.filter(({ id }) => {
        const at = known.get(id);
        known.delete(id);
        return at === undefined || at !== now;
      });
    },
  };
}
