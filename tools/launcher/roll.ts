import { setTimeout as sleep } from "node:timers/promises";
import { LaunchFailure } from "../servers/failure.ts";
import { type Kind, kindOf } from "./kinds.ts";
import { untilLeft, untilReached, viewsAbout } from "./proxies.ts";
import type { Supervised } from "./supervise.ts";

/** Callers of a proxy look for it again within 0.4 s of its start; before that the other one must not go. */
const reconnectMs = 1_000;

export type Rolled = { name: string; ms: number };

/**
 * Restarts each kind replica by replica: it drains (the process itself: not ready, then GOAWAY, then what is in flight),
 * ends, starts, and the next one's turn comes when the proxies use it again. Stops at the first that does not come back.
 */
export async function roll({
  kinds,
  watched,
  given,
  say,
}: {
  kinds: readonly Kind[];
  watched: readonly Supervised[];
  given: AbortSignal;
  say: (line: string) => void;
}): Promise<Rolled[]> {
  const rolled: Rolled[] = [];
  const turns = kinds.flatMap((kind) => watched.filter(({ name }) => kindOf(name) === kind));
  for (const kind of kinds) {
    const count = turns.filter(({ name }) => kindOf(name) === kind).length;
    if (count === 1) say(`${kind} has one replica: requests that need it wait or fail until it is back`);
  }
  for (const process of turns) {
    if (given.aborted) throw new LaunchFailure("the restart was cut short: the instance stops");
    const { name } = process;
    const startTime = Date.now();
    const since = () => `${((Date.now() - startTime) / 1000).toFixed(1)} s`;
    const about = viewsAbout(
      name,
      watched.map((each) => each.record()),
    );
    say(`${name} drains (${rolled.length + 1} of ${turns.length})`);
    const ended = new AbortController();
    const isBehindProxies = about.some(({ proxy }) => proxy !== name);
    const left = untilLeft(isBehindProxies ? about : [], ended.signal).then(() => {
      if (isBehindProxies && !ended.signal.aborted) say(`${name} gets nothing new (${since()})`);
    });
    const rolling = process.roll(() => {
      ended.abort();
      say(`${name} ended (${since()}), starting`);
    });
    await rolling.finally(() => ended.abort());
    await left;
    await untilReached(about, given);
    if (!isBehindProxies) await sleep(reconnectMs, undefined, { signal: given }).catch(() => undefined);
    say(`${name} serves again (${since()})`);
    rolled.push({ name, ms: Date.now() - startTime });
  }
  return rolled;
}
