import { readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { requireSpace } from "../servers/cache.ts";
import { exitCodes, LaunchFailure, writeFailure } from "../servers/failure.ts";
import { isAlive, markOf, type ProcessMark } from "./process-mark.ts";
import { readState, stateOf } from "./state.ts";
import { killGroup } from "./supervise.ts";

/** A database that was left alone by its launcher may need this to close its files. */
const leftoverStopTimeoutMs = 10_000;
const pollMs = 50;
/** A fresh database takes 120 MB; its log and the stream grow from there. */
const instanceFreeMinBytes = 300 * 1024 * 1024;

const lockFile = (dir: string) => join(dir, "launcher.lock");

/** Makes this process the only launcher of a directory, and ends what an earlier one left running. */
export async function claimInstance(dir: string, say: (line: string) => void): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await requireSpace(dir, instanceFreeMinBytes);
    await lockInstance(dir);
  } catch (error) {
    throw writeFailure(error, dir, "use --dir or SKEIN_DIR to name a directory you can write");
  }
  await endLeftovers(dir, say);
}

export async function releaseInstance(dir: string): Promise<void> {
  await rm(join(dir, "state.json"), { force: true });
  await rm(lockFile(dir), { force: true });
}

/** The launcher that holds a directory, if it still runs. */
export function holderOf(dir: string): ProcessMark | undefined {
  try {
    const mark = JSON.parse(readFileSync(lockFile(dir), "utf8")) as ProcessMark;
    return isAlive(mark) ? mark : undefined;
  } catch {
    return undefined;
  }
}

/** Stops what the state file names, newest first. A process that only has the same number is left alone. */
export async function endLeftovers(dir: string, say: (line: string) => void): Promise<number> {
  const left = (readState(dir)?.processes ?? []).filter(({ mark }) => mark !== undefined && isAlive(mark));
  for (const { name, mark } of left.reverse()) {
    if (mark === undefined) continue;
    say(`ending ${name} (pid ${mark.pid}), left by a launcher that was killed`);
    signal(mark.pid, "SIGTERM");
    for (let waitedMs = 0; isAlive(mark) && waitedMs < leftoverStopTimeoutMs; waitedMs += pollMs) await sleep(pollMs);
    killGroup(mark.pid);
  }
  return left.length;
}

/** Nobody else starts in the directory from then on; fails where somebody has. */
export async function lockInstance(dir: string): Promise<void> {
  const own = JSON.stringify(markOf(process.pid));
  for (let tries = 0; tries < 2; tries++) {
    try {
      await writeFile(lockFile(dir), own, { flag: "wx", mode: 0o600 });
      return;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const holder = holderOf(dir);
    if (holder !== undefined) throw new LaunchFailure(runningLine(dir, holder), { exitCode: exitCodes.alreadyRunning });
    await rm(lockFile(dir), { force: true });
  }
  throw new LaunchFailure(`another start of ${dir} is under way`, { exitCode: exitCodes.alreadyRunning });
}

function runningLine(dir: string, holder: ProcessMark): string {
  const state = stateOf(holder, dir);
  if (state === undefined || state.phase === "starting") return `already starting in ${dir} (pid ${holder.pid})`;
  return `already running at ${state.edge ?? state.servers?.mysqlUrl.replace(/\/\/.*@/, "//") ?? dir} (pid ${holder.pid}); npm run stop ends it`;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended meanwhile.
  }
}
