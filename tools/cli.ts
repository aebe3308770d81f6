import { join, resolve } from "node:path";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { exitCodes, LaunchFailure } from "./servers/failure.ts";

const projectDir = join(import.meta.dirname, "..");

export type Env = Readonly<Record<string, string | undefined>>;

/** The directory of the instance meant: --dir, SKEIN_DIR, or the project's own. */
export const instanceDir = (dir: string | undefined, env: Env): string =>
  resolve(dir ?? (env.SKEIN_DIR || join(projectDir, ".skein")));

/** Runs a command to its exit code: what a person has to put right is one line. */
export async function exitCodeOf(name: string, command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (reason) {
    const message = reason instanceof Error ? reason.message : String(reason);
    console.error(`${name}: ${message}`);
    return reason instanceof LaunchFailure ? reason.exitCode : exitCodes.failed;
  }
}

export const usage = (message: string): LaunchFailure =>
  new LaunchFailure(`${message}; --help lists the options`, { exitCode: exitCodes.usage });

/** What a command was told; an option that is none, or lacks its value, is wrong usage and named. */
export function parsed<const T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (reason) {
    throw usage(reason instanceof Error ? (reason.message.split(". ")[0] ?? "") : String(reason));
  }
}

const unitMs: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3600e3, d: 24 * 3600e3 };

/** The moment that --since names, in epoch milliseconds: 90s, 5m, 2h, 1d ago, or a time such as 2026-11-22T09:45. */
export function momentOf(since: string): number {
  const [, count, unit = ""] = /^(\d+)([smhd])$/.exec(since) ?? [];
  const time = count === undefined ? Date.parse(since) : Date.now() - Number(count) * (unitMs[unit] ?? 1);
  if (Number.isNaN(time)) throw usage(`--since ${since} is neither such as 5m nor a time`);
  return time;
}

/** A whole number from 1 to `max` that an option names. */
export function countOf(option: string, text: string, max: number): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > max) throw usage(`--${option} is a number from 1 to ${max}`);
  return count;
}
