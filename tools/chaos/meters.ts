import { setTimeout as sleep } from "node:timers/promises";
import { kindOf, services } from "../launcher/kinds.ts";
import { residentBytes } from "../launcher/process-mark.ts";
import type { Target } from "./target.ts";

/** A killed Envoy takes what it counted since the last look with it. */
const lookMs = 500;
const lookTimeoutMs = 1_000;
const retries = /upstream_rq_retry: (\d+)$/gm;

/** Counts what both Envoys send again, from now on, over their restarts, until it is told to stop. */
export function countRetries(target: Target) {
  const last = new Map<string, number>();
  const stopping = new AbortController();
  let total = 0;

  async function look(): Promise<void> {
    const proxies = target.processes().filter(({ name }) => ["edge", "mesh"].includes(kindOf(name)));
    await Promise.all(
      proxies.map(async ({ name, healthUrl = "", mark }) => {
        const text = await statsOf(healthUrl);
        if (text === undefined) return;
        const now = [...text.matchAll(retries)].reduce((sum, [, count]) => sum + Number(count), 0);
        const life = `${name} ${mark?.pid}`;
        total += now - (last.get(life) ?? 0);
        last.set(life, now);
      }),
    );
  }

  const looking = (async () => {
    await look();
    total = 0;
    while (!stopping.signal.aborted) {
      await look();
      await sleep(lookMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    await look();
  })();
  return {
    /** How many there were. */
    async stop(): Promise<number> {
      stopping.abort();
      await looking;
      return total;
    },
  };
}

const statsOf = (healthUrl: string): Promise<string | undefined> =>
  fetch(new URL(`/stats?filter=${encodeURIComponent("^cluster\\..*upstream_rq_retry$")}`, healthUrl), {
    signal: AbortSignal.timeout(lookTimeoutMs),
  })
    .then((response) => response.text())
    .catch(() => undefined);

/** Resident memory of the services and the BFF: what is ours and could leak. */
export const memoryOf = (target: Target): number =>
  target
    .processes()
    .filter(({ name }) => [...services, "bff"].includes(kindOf(name)))
    .reduce((sum, { mark }) => sum + (mark === undefined ? 0 : residentBytes(mark.pid)), 0);
