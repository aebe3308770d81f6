import { closeSync, copyFileSync, mkdirSync, openSync, readSync, renameSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";

/** One full log and one older: what a person reads, and no more disk than that. */
const logMaxBytes = 10 * 1024 * 1024;
/** A start writes a few lines; more is not searched for the word "ready". */
const outputMaxBytes = 256 * 1024;

export type Log = { file: string; descriptor: number; startBytes: number };

/** Opens a process's log for appending. The process writes to the file itself, so it outlives a killed launcher. */
export function openLog(dir: string, name: string): Log {
  mkdirSync(join(dir, "logs"), { recursive: true });
  const file = join(dir, "logs", `${name}.log`);
  if (sizeOf(file) > logMaxBytes) renameSync(file, `${file}.1`);
  const descriptor = openSync(file, "a", 0o600);
  return { file, descriptor, startBytes: sizeOf(file) };
}

/** What was written since the log was opened. */
export function outputSince({ file, startBytes }: Log): string {
  const sizeBytes = Math.min(Math.max(sizeOf(file) - startBytes, 0), outputMaxBytes);
  const bytes = Buffer.alloc(sizeBytes);
  const descriptor = openSync(file, "r");
  try {
    return bytes.toString("utf8", 0, readSync(descriptor, bytes, 0, sizeBytes, startBytes));
  } finally {
    closeSync(descriptor);
  }
}

/** Bounds a log in use: the writer appends, so after the cut it goes on at the new end. */
export function boundLog(dir: string, name: string): void {
  const file = join(dir, "logs", `${name}.log`);
  if (sizeOf(file) <= logMaxBytes) return;
  copyFileSync(file, `${file}.1`);
  truncateSync(file);
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
