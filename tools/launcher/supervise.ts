import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { LaunchFailure } from "../servers/failure.ts";
import type { ProcessSpec } from "../servers/process-spec.ts";
import { type Log, openLog, outputSince } from "./logs.ts";
import { markOf } from "./process-mark.ts";
import type { ProcessRecord } from "./state.ts";

const readyPollMs = 40;
const restartDelayMinMs = 100;
const restartDelayMaxMs = 5_000;
/** However late it is, a process may close its files. */
const stopTimeoutMinMs = 1_500;
/** Up this long, a process is well again, and its next death starts from the shortest delay. */
const steadyMs = 30_000;

/** A process that is kept running until it is told to stop. */
export type Supervised = {
  readonly name: string;
  record(): ProcessRecord;
  /** Starts it and resolves when it serves; fails when it ends before that. */
  start(): Promise<void>;
  healthy(): Promise<boolean>;
  signal(signal: NodeJS.Signals): boolean;
  /** Ends it as `stop` does, does something meanwhile, and starts it again; resolves when it serves. Not counted as a restart. */
  roll(ended: () => void | Promise<void>): Promise<void>;
  /** Asks it to end, and kills it when its own limit or the caller's time is over. */
  stop(deadlineTime: number): Promise<void>;
  /** Kills it. */
  discard(): Promise<void>;
};

export function supervise(
  spec: ProcessSpec,
  { dir, onChange, say }: { dir: string; onChange: () => void; say: (line: string) => void },
): Supervised {
  const record: ProcessRecord = {
    name: spec.name,
    version: spec.version,
    address: spec.address,
    ...(spec.healthUrl === undefined ? {} : { healthUrl: spec.healthUrl }),
    ...(spec.grpcAddress !== undefined && { grpcAddress: spec.grpcAddress }),
    ...(spec.metricsUrl !== undefined && { metricsUrl: spec.metricsUrl }),
    ready: false,
    restarts: 0,
  };
  let child: ChildProcess | undefined;
  let log: Log | undefined;
  let ended: Promise<string> = Promise.resolve("was not started");
  /** Under way while it is restarted on purpose. */
  let rolling: Promise<void> | undefined;
  const stopping = new AbortController();

  /** Waits for the end of a restart on purpose, if one is under way. */
  const wasRolled = async () => {
    const since = rolling;
    await since?.catch(() => undefined);
    return since !== undefined;
  };
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null;

  const spawnOnce = () => {
    log = openLog(dir, spec.name);
    const stdio = log.descriptor;
    // A group of its own: Ctrl-C in the terminal reaches the launcher alone, which stops everything in order.
    const spawned = spawn(spec.file, spec.args, { env: spec.env, stdio: ["ignore", stdio, stdio], detached: true });
    closeSync(log.descriptor);
    child = spawned;
    ended = new Promise((resolve) => {
      spawned.once("error", (error) => resolve(error.message));
      spawned.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    const mark = spawned.pid === undefined ? undefined : markOf(spawned.pid);
    if (mark === undefined) delete record.mark;
    else record.mark = mark;
    record.startTime = new Date().toISOString();
    onChange();
  };

  const untilReady = async () => {
    let end: string | undefined;
    void ended.then((reason) => {
      end = reason;
    });
    const deadline = Date.now() + spec.readyTimeoutMs;
    while (end === undefined && Date.now() < deadline && !stopping.signal.aborted) {
      if (log !== undefined && (await spec.ready(outputSince(log)))) {
        record.ready = true;
        onChange();
        return;
      }
      await sleep(readyPollMs);
    }
    if (stopping.signal.aborted) throw new LaunchFailure(`${spec.name} was stopped while it started`);
    const what = end === undefined ? `did not answer within ${spec.readyTimeoutMs / 1000} s` : `ended (${end})`;
    throw new LaunchFailure(`${spec.name} ${what}: ${lastWords(log)}; the whole log is ${log?.file}`);
  };

  const keepRunning = async () => {
    let delayMs = restartDelayMinMs;
    while (!stopping.signal.aborted) {
      const startTime = Date.now();
      const reason = await ended;
      if (await wasRolled()) continue;
      if (stopping.signal.aborted) return;
      record.ready = false;
      record.restarts++;
      delayMs = Date.now() - startTime > steadyMs ? restartDelayMinMs : delayMs;
      const words = reason.startsWith("signal") ? "" : `: ${lastWords(log)}`;
      say(`${spec.name} ended (${reason})${words}; starting it again in ${delayMs} ms`);
      onChange();
      await sleep(delayMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      delayMs = Math.min(delayMs * 2, restartDelayMaxMs);
      await wasRolled();
      if (stopping.signal.aborted) return;
      // A restart on purpose was quicker.
      if (isRunning()) continue;
      spawnOnce();
      untilReady().catch((error: Error) => say(error.message));
    }
  };

  /** Asks it to end, and kills it when its time is over. */
  const end = async (deadlineTime: number) => {
    if (child === undefined || !isRunning()) return;
    await spec.beforeStop?.();
    child.kill("SIGTERM");
    const finished = new AbortController();
    // One that is still starting may not listen to signals yet, and has nothing under way.
    const ownTimeoutMs = record.ready ? spec.stopTimeoutMs : stopTimeoutMinMs;
    const timeoutMs = Math.max(stopTimeoutMinMs, Math.min(ownTimeoutMs, deadlineTime - Date.now()));
    const late = sleep(timeoutMs, true, { signal: finished.signal }).catch(() => false);
    const isLate = await Promise.race([ended.then(() => false), late]);
    finished.abort();
    if (isLate) say(`${spec.name} did not stop within ${(timeoutMs / 1000).toFixed(1)} s; killing it`);
    killGroup(child.pid);
    await ended;
    record.ready = false;
    delete record.mark;
    onChange();
  };

  return {
    name: spec.name,
    record: () => record,
    async start() {
      spawnOnce();
      await untilReady();
      keepRunning().catch((error: Error) => say(`${spec.name}: ${error.message}`));
    },
    healthy: async () => record.mark !== undefined && (log === undefined || (await spec.ready(outputSince(log)))),
    signal: (signal) => child?.kill(signal) ?? false,
    async roll(told) {
      rolling = (async () => {
        await end(Number.POSITIVE_INFINITY);
        if (stopping.signal.aborted) return;
        try {
          await told();
        } finally {
          spawnOnce();
          await untilReady();
        }
      })();
      await rolling.finally(() => {
        rolling = undefined;
      });
    },
    async stop(deadlineTime) {
      stopping.abort();
      await wasRolled();
      await end(deadlineTime);
    },
    async discard() {
      stopping.abort();
      if (isRunning()) killGroup(child?.pid);
      // A restart under way may have begun the next one.
      await wasRolled();
      if (isRunning()) killGroup(child?.pid);
      await ended;
    },
  };
}

/** The process leads a group of its own; whatever it started goes with it. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}

function lastWords(log: Log | undefined): string {
  const lines =
    log === undefined
      ? []
      : outputSince(log)
          .split("\n")
          .filter((line) => line.trim() !== "");
  const line = lines.findLast((each) => /error|fatal|cannot|failed/i.test(each)) ?? lines.at(-1);
  return line?.trim().slice(0, 300) ?? "it wrote nothing";
}
