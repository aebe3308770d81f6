import { setTimeout as sleep } from "node:timers/promises";
import { LaunchFailure } from "../servers/failure.ts";
import { type Kind, kindOf } from "./kinds.ts";
import { callersOf, untilCalled, untilLeft, untilReached, viewsAbout } from "./proxies.ts";
import type { Supervised } from "./supervise.ts";

/**
 * Clients of an edge look for it again within 0.4 s of its start where they are ours; before that the other one must not
 * go. How many there were says nothing: those of others come and go.
 */
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
  if (turns.length === 0) throw new LaunchFailure(`no ${kinds.join(", ")} runs here: there is nothing to restart`);
  for (const kind of kinds) {
    const count = turns.filter(({ name }) => kindOf(name) === kind).length;
    if (count === 1) say(`${kind} has one replica: requests that need it wait or fail until it is back`);
  }
  for (const process of turns) {
    const startTime = Date.now();
    const turn = `${rolled.length + 1} of ${turns.length}`;
    try {
      given.throwIfAborted();
      await takeTurn(process, { watched, given, say, turn });
      given.throwIfAborted();
    } catch (error) {
      if (!given.aborted) throw error;
      throw new LaunchFailure("the restart was cut short: the instance stops", { cause: error });
    }
    rolled.push({ name: process.name, ms: Date.now() - startTime });
  }
  return rolled;
}

async function takeTurn(
  process: Supervised,
  {
    watched,
    given,
    say,
    turn,
  }: { watched: readonly Supervised[]; given: AbortSignal; say: (line: string) => void; turn: string },
): Promise<void> {
  const { name } = process;
  const startTime = Date.now();
  const since = () => `${((Date.now() - startTime) / 1000).toFixed(1)} s`;
  const about = viewsAbout(
    name,
    watched.map((each) => each.record()),
  );
  const own = about.find(({ proxy }) => proxy === name);
  const callers = own && kindOf(name) === "mesh" ? await callersOf(own) : undefined;
  say(`${name} drains (${turn})`);
  const ended = new AbortController();
  const left = untilLeft(own ? [] : about, ended.signal).then(() => {
    if (!own && !ended.signal.aborted) say(`${name} gets nothing new (${since()})`);
  });
  const rolling = process.roll(() => {
    ended.abort();
    say(`${name} ended (${since()}), starting`);
  });
  await rolling.finally(() => ended.abort());
  await left;
  await untilReached(about, given);
  if (own && callers !== undefined) await untilCalled(own, { callers, given, say });
  else if (own) await sleep(reconnectMs, undefined, { signal: given });
  say(`${name} serves again (${since()})`);
}
