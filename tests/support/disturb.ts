import { setTimeout as sleep } from "node:timers/promises";
import { type Kind, kindOf } from "../../tools/launcher/kinds.ts";
import { untilReached, viewsAbout } from "../../tools/launcher/proxies.ts";
import { type ProcessRecord, readState } from "../../tools/launcher/state.ts";
import { isWell } from "../../tools/servers/probe.ts";

const lookAgainMs = 50;
/** A process drains for 2.5 s, starts in 2, and its launcher waits up to 5 before a start. */
const backMs = 30_000;

/** Ends one replica with a signal and waits until another process has its name, is well, and is used by the proxies. */
export async function disturb({
  dir,
  kind,
  nth,
  signal,
}: {
  dir: string;
  kind: Kind;
  nth: number;
  signal: NodeJS.Signals;
}): Promise<string> {
  const replicas = processesOf(dir).filter(({ name }) => kindOf(name) === kind);
  const victim = replicas[nth % replicas.length];
  if (victim?.mark === undefined) throw new Error(`no ${kind} runs in ${dir}`);
  const { pid } = victim.mark;
  process.kill(pid, signal);
  const deadline = Date.now() + backMs;
  for (;;) {
    const now = processesOf(dir).find(({ name }) => name === victim.name);
    const isNew = now?.ready && now.mark !== undefined && now.mark.pid !== pid;
    if (isNew && (await isWell(now.healthUrl ?? ""))) break;
    if (Date.now() > deadline) throw new Error(`${victim.name} is not back after ${backMs} ms`);
    await sleep(lookAgainMs);
  }
  await untilReached(viewsAbout(victim.name, processesOf(dir)), AbortSignal.timeout(backMs));
  return victim.name;
}

function processesOf(dir: string): ProcessRecord[] {
  return readState(dir)?.processes ?? [];
}
