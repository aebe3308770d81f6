import { setTimeout as sleep } from "node:timers/promises";
import { LaunchFailure } from "../servers/failure.ts";
import { endLeftovers, holderOf, releaseInstance } from "./claim.ts";
import { isAlive } from "./process-mark.ts";
import { killGroup } from "./supervise.ts";

/** Every stage of a stop has its own limit; this is all of them and a margin. */
const stopTimeoutMs = 30_000;
const pollMs = 50;

/** Asks the launcher to stop, or ends what a killed one left. False where there is nothing to stop. */
export async function stopInstance(dir: string, say: (line: string) => void): Promise<boolean> {
  const holder = holderOf(dir);
  if (holder === undefined) {
    const ended = await endLeftovers(dir, say);
    await releaseInstance(dir);
    return ended > 0;
  }
  process.kill(holder.pid, "SIGTERM");
  for (let waitedMs = 0; isAlive(holder) && waitedMs < stopTimeoutMs; waitedMs += pollMs) await sleep(pollMs);
  if (!isAlive(holder)) return true;
  say(`the launcher (pid ${holder.pid}) does not stop; killing it`);
  killGroup(holder.pid);
  if (isAlive(holder)) process.kill(holder.pid, "SIGKILL");
  await endLeftovers(dir, say);
  if (isAlive(holder)) throw new LaunchFailure(`pid ${holder.pid} cannot be ended`);
  await releaseInstance(dir);
  return true;
}
