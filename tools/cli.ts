import { join, resolve } from "node:path";
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
