import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

const mainFile = join(import.meta.dirname, "..", "main.ts");

export type Outcome = { exitCode: number | null; stdout: string; stderr: string };

/** Runs the launcher as a person would, as a process of its own. */
export function runLauncher(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [mainFile, ...args], {
      env: { ...withoutServers(process.env), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const outcome: Outcome = { exitCode: null, stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      outcome.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      outcome.stderr += text;
    });
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ ...outcome, exitCode }));
  });
}

/** A directory that is gone after the test, with whatever runs in it. */
export async function instanceDir(context: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "skein-launcher-"));
  context.after(async () => {
    await runLauncher(["stop", "--dir", dir]);
    await rm(dir, { recursive: true, force: true });
  });
  return dir;
}

/** Servers that the surrounding test run was given are not what these tests are about. */
function withoutServers(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { MYSQL_URL: _mysql, REDIS_URL: _redis, NATS_URL: _nats, SKEIN_DIR: _dir, ...rest } = env;
  return rest;
}
