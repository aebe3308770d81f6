import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { lastLine, runCommand } from "../servers/command.ts";
import { LaunchFailure } from "../servers/failure.ts";
import { type SystemPlace, serviceEnv } from "./start-services.ts";

const seedTimeoutMs = 120_000;
const projectDir = join(import.meta.dirname, "..", "..");

export type DemoAccount = { username: string; password: string };

/** Fills a new instance with people to look at. The seed writes the accounts to `demo.json`, which marks it as done. */
export async function seedDemo(place: SystemPlace): Promise<boolean> {
  const seed = join(projectDir, "tools", "seed.ts");
  if (!existsSync(seed) || existsSync(demoFile(place.dir))) return false;
  const env = { ...serviceEnv(place), SKEIN_DIR: place.dir, SKEIN_DEMO_FILE: demoFile(place.dir) };
  const done = await runCommand(process.execPath, [seed, "--demo"], { env, cwd: projectDir, timeoutMs: seedTimeoutMs });
  if (done.exitCode === 0) return true;
  throw new LaunchFailure(
    `the demo data cannot be written: ${lastLine(done.stderr || done.stdout)}; --no-demo leaves it out`,
  );
}

export async function demoAccounts(dir: string): Promise<DemoAccount[]> {
  try {
    const parsed: unknown = JSON.parse(await readFile(demoFile(dir), "utf8"));
    const list = Array.isArray(parsed) ? parsed : (parsed as { accounts?: unknown }).accounts;
    return Array.isArray(list) ? (list as DemoAccount[]) : [];
  } catch {
    return [];
  }
}

function demoFile(dir: string): string {
  return join(dir, "demo.json");
}
