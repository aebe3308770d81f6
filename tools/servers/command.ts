import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

export type Env = Record<string, string | undefined>;
export type CommandResult = { exitCode: number; stdout: string; stderr: string };

/** Programs run here print version lines and package lists; more than this is not ours to keep. */
const outputMaxChars = 8 * 1024 * 1024;
const notFoundExitCode = 127;

/** Runs a program to its end. A failure is an exit code, never a throw: the caller knows what it means. */
export function runCommand(
  program: string,
  args: readonly string[],
  { env, cwd, timeoutMs = 300_000 }: { env: Env; cwd?: string; timeoutMs?: number },
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      // What is read here is read in English.
      env: { ...env, LC_ALL: "C" },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ["ignore", "pipe", "pipe"],
      // Unlike the option `timeout`, whose timer stays behind (and keeps us alive) where the program does not exist.
      signal: AbortSignal.timeout(timeoutMs),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (stdout.length < outputMaxChars) stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (stderr.length < outputMaxChars) stderr += text;
    });
    child.on("error", (error) => resolve({ exitCode: notFoundExitCode, stdout, stderr: `${stderr}${error.message}` }));
    child.on("close", (code) => resolve({ exitCode: code ?? 1, stdout, stderr }));
  });
}

/** Where a program is on PATH; the directories that package managers leave out for users are looked at as well. */
export function onPath(name: string, env: Env): string | undefined {
  const dirs = [...(env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return dirs.map((dir) => join(dir, name)).find(executable);
}

export function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The line of a program's output that tells a person most. */
export function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "").at(-1) ?? "no output";
}
