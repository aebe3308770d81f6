import { type ChildProcess, fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Job, Outcome } from "./child.ts";
import type { Prepared } from "./kinds.ts";
import { Refusal } from "./refusal.ts";

/** One file. The slowest that the limits let through (50 megapixels of AVIF) takes about a quarter of it. */
const jobMs = 30_000;
/** What the process may take: decoding 50 megapixels takes 200 MB, and as much again where they come in passes. */
const memoryBytesMax = 1024 * 1024 * 1024;
const lookMs = 50;
const pageBytes = 4_096;
/** Files that wait. One more is refused: it stays where it is, and is tried later. */
const waitingMax = 100;
/** Files after which the process makes room for a new one: what decoders leave behind does not add up. */
const jobsMax = 500;
const heapMaxMiB = 128;

/** More files wait than will be decoded soon. */
class BusyError extends Error {}

/**
 * Decodes files one after another in a process of its own, which is started when it is first needed and again where it died. A
 * file that takes more than 30 s, more than 1 GiB, or the process's life, is refused as too costly. `path` is where ffmpeg is
 * looked for.
 */
export function createDecoder({ path }: { readonly path: string }) {
  let child: ChildProcess | undefined;
  let jobs = 0;
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  function started(): ChildProcess {
    if (child?.connected && jobs < jobsMax) return child;
    if (child?.connected) child.disconnect();
    jobs = 0;
    child = fork(new URL("./child.ts", import.meta.url), {
      execArgv: [`--max-old-space-size=${heapMaxMiB}`],
      env: { PATH: path, MALLOC_ARENA_MAX: "2" },
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      serialization: "advanced",
    });
    child.unref();
    return child;
  }

  async function run(job: Job): Promise<Prepared> {
    const running = started();
    jobs++;
    const watch = watched(running);
    try {
      const outcome = await answerOf(running, job);
      if (outcome === undefined) throw new Refusal("too-costly", "its decoder died of it");
      if ("prepared" in outcome) return outcome.prepared;
      if ("refused" in outcome) throw new Refusal(outcome.refused, outcome.message);
      throw new Error(outcome.failed);
    } finally {
      watch.close();
    }
  }

  return {
    /** What is kept of a file. A Refusal where it is not what it was said to be; a BusyError where too many wait. */
    async decode(job: Job): Promise<Prepared> {
      if (waiting >= waitingMax) throw new BusyError(`${waitingMax} files wait`);
      waiting++;
      const turn = last.then(() => run(job));
      last = turn.catch(() => {});
      return await turn.finally(() => waiting--);
    },

    /** The process at work, for who counts what it takes. */
    pid: (): number | undefined => child?.pid,

    close(): void {
      if (child?.connected) child.disconnect();
      child = undefined;
    },
  };
}

/** What the process makes of a file; undefined where it ends over it. */
function answerOf(child: ChildProcess, job: Job): Promise<Outcome | undefined> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      child.off("message", answered).off("exit", ended).off("error", failed);
    };
    const answered = (outcome: unknown) => {
      settle();
      resolve(outcome as Outcome);
    };
    const ended = () => {
      settle();
      resolve(undefined);
    };
    const failed = (reason: unknown) => {
      settle();
      reject(reason);
    };
    child.on("message", answered).on("exit", ended).on("error", failed);
    child.send(job);
  });
}

/** Kills a process that takes too long, or too much. Its memory is looked at where the system shows it. */
function watched(child: ChildProcess): { close(): void } {
  const kill = () => void child.kill("SIGKILL");
  const late = setTimeout(kill, jobMs);
  const looking = setInterval(() => {
    readFile(`/proc/${child.pid}/statm`, "latin1").then(
      (text) => Number(text.split(" ")[1]) * pageBytes > memoryBytesMax && kill(),
      () => {},
    );
  }, lookMs);
  return {
    close() {
      clearTimeout(late);
      clearInterval(looking);
    },
  };
}
