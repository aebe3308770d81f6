import { spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { exitCodes, LaunchFailure, writeFailure } from "../servers/failure.ts";
import { openLog } from "./logs.ts";

/** What a launcher in the background tells the one that started it. */
export type DetachMessage =
  | { kind: "said"; line: string }
  | { kind: "ready"; report: string }
  | { kind: "failed"; message: string; exitCode: number };

/** Starts the launcher again as a process of its own, shows its progress, and resolves with its report when it is ready. */
export function detach({
  dir,
  args,
  say,
}: {
  dir: string;
  args: readonly string[];
  say: (line: string) => void;
}): Promise<string> {
  const log = openDetachLog(dir);
  const stdio = log.descriptor;
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    detached: true,
    stdio: ["ignore", stdio, stdio, "ipc"],
    cwd: process.cwd(),
  });
  closeSync(log.descriptor);
  // Whoever interrupts the start wants no half-started instance in the background.
  const interrupt = () => child.kill("SIGTERM");
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  return new Promise((resolve, reject) => {
    child.on("message", (message: DetachMessage) => {
      if (message.kind === "said") say(message.line);
      if (message.kind === "failed") reject(new LaunchFailure(message.message, { exitCode: message.exitCode }));
      if (message.kind === "ready") {
        resolve(message.report);
        child.disconnect();
        child.unref();
      }
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      const message = `the launcher ended (${signal ?? code}) before it was ready; see ${log.file}`;
      reject(new LaunchFailure(message, { exitCode: exitCodes.failed }));
    });
  });
}

/** In the background process: tells the one that waits, if it still does. */
export function tellParent(message: DetachMessage): void {
  if (process.connected) process.send?.(message);
}

function openDetachLog(dir: string) {
  try {
    return openLog(dir, "launcher");
  } catch (error) {
    throw writeFailure(error, dir, "use --dir or SKEIN_DIR to name a directory you can write");
  }
}
