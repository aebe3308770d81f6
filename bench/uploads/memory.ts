import { readdirSync, readFileSync } from "node:fs";
import type { Instance } from "../../tools/launcher/instance.ts";

const lookMs = 250;
const pageBytes = 4_096;
const tenths = 10;

/** Watches what the media service and the process it decodes in take, at its highest in each tenth of the work. */
export async function watchMemory(instance: Pick<Instance, "status">, total: number) {
  const pid = await pidOf(instance);
  const highestMiB: number[] = [];
  let done = 0;
  const timer = setInterval(() => {
    const tenth = Math.min(tenths - 1, Math.floor((done * tenths) / total));
    const mib = Math.round([pid, ...childrenOf(pid)].reduce((sum, each) => sum + residentOf(each), 0) / 2 ** 20);
    highestMiB[tenth] = Math.max(highestMiB[tenth] ?? 0, mib);
  }, lookMs);
  return {
    at(now: number): void {
      done = now;
    },
    async end(): Promise<{ highestMiB: number[]; restarts: number }> {
      clearInterval(timer);
      return {
        highestMiB: Array.from(highestMiB, (mib) => mib ?? 0),
        restarts: (await pidOf(instance)) === pid ? 0 : 1,
      };
    },
  };
}

async function pidOf(instance: Pick<Instance, "status">): Promise<number> {
  const { processes } = await instance.status();
  return processes.find(({ name }) => name === "media-1")?.pid ?? 0;
}

/** Linux alone tells; elsewhere nothing is counted. */
function childrenOf(pid: number): number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks.flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "latin1").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function residentOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * pageBytes;
  } catch {
    return 0;
  }
}
