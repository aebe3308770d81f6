import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A process that will not be mistaken for a later one with the same number. */
export type ProcessMark = { pid: number; startMark: string };

export function markOf(pid: number): ProcessMark | undefined {
  const startMark = startMarkOf(pid);
  return startMark === undefined ? undefined : { pid, startMark };
}

export function isAlive({ pid, startMark }: ProcessMark): boolean {
  return startMarkOf(pid) === startMark;
}

/** Resident memory, where the system tells. */
export function residentBytes(pid: number): number {
  try {
    const pages = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1];
    return Number(pages) * 4096;
  } catch {
    return 0;
  }
}

/** Ticks since boot, and which boot; elsewhere the time that `ps` says. A zombie counts as gone. */
function startMarkOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The program's name is in brackets and may hold anything; state is the first field after it, start time the 20th.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${fields[19]}`;
  } catch {
    if (process.platform === "linux") return undefined;
    const asked = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" });
    return asked.status === 0 ? asked.stdout.trim() : undefined;
  }
}
