import { setTimeout as sleep } from "node:timers/promises";

/** What is older is a backlog: reads show it by other means, so it can wait a little more. */
const behindMs = 2_000;
/** Work on a backlog rests so many times as long as it took: whoever reads and writes meanwhile keeps most of the machine. */
const restShare = 3;
/** One rest at most: a store that answers slowly is no reason to stand still. */
const restMsMax = 500;

/** Does work on facts made at a time (epoch ms). Where they are a backlog, a rest follows before this answers. */
export async function atPace<T>(timeMs: number, work: () => Promise<T>): Promise<T> {
  const beganTime = performance.now();
  const done = await work();
  if (timeMs < Date.now() - behindMs) await sleep(Math.min(restMsMax, restShare * (performance.now() - beganTime)));
  return done;
}
