import { spawn } from "node:child_process";
import { join } from "node:path";

export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs a command of the project (`parked`, `rebuild`, …) on the stores of a test's own deployment. */
export function runOn(deployment: string, name: string, args: readonly string[]): Promise<Ran> {
  const { TEST_MYSQL_URL: MYSQL_URL, TEST_REDIS_URL: REDIS_URL } = process.env;
  const env = { ...process.env, MYSQL_URL, REDIS_URL, DEPLOYMENT: deployment };
  const file = join(import.meta.dirname, "..", `${name}.ts`);
  const child = spawn(process.execPath, [file, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.stderr += text;
  });
  return new Promise((done) => child.on("close", (code) => done({ code, ...said })));
}
