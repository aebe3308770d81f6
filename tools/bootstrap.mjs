// The door of every npm script. It runs on Node 20 with nothing installed, brings the Node and the packages that the
// rest is written for, and hands over. Plain JavaScript, because nothing that could strip types is there yet.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findNode } from "./bootstrap/node.mjs";
import { ensurePackages } from "./bootstrap/packages.mjs";

const projectDir = dirname(dirname(fileURLToPath(import.meta.url)));

/** What each npm script runs, with the arguments that come before the caller's. */
const commands = {
  start: ["tools/launcher/main.ts", "start"],
  stop: ["tools/launcher/main.ts", "stop"],
  status: ["tools/launcher/main.ts", "status"],
  restart: ["tools/launcher/main.ts", "restart"],
  reset: ["tools/launcher/main.ts", "reset"],
  seed: ["tools/seed.ts"],
  import: ["tools/import.ts"],
  explain: ["tools/explain.ts"],
  account: ["tools/account.ts"],
  fanout: ["tools/fanout.ts"],
  audit: ["tools/audit.ts"],
  parked: ["tools/parked.ts"],
  rebuild: ["tools/rebuild.ts"],
  logs: ["tools/logs.ts"],
  trace: ["tools/trace.ts"],
  chaos: ["tools/chaos.ts"],
  bench: ["bench/main.ts"],
  scale: ["tools/scale.ts"],
  get: ["tools/get.ts"],
  compose: ["tools/compose.ts"],
  gen: ["tools/gen.ts"],
  check: ["tools/check.ts"],
  test: ["tools/test.ts"],
};

/** A shell reports a death by signal as 128 + its number; so do we. */
const signals = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

const [command = "", ...callerArgs] = process.argv.slice(2);

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`skein: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function main() {
  const [file, ...ownArgs] = commands[command] ?? [];
  if (file === undefined) {
    console.error(`skein: unknown command "${command}"; known: ${Object.keys(commands).join(", ")}`);
    return 2;
  }
  if (!existsSync(join(projectDir, file))) throw new Error(`${file} is missing; this checkout is not complete`);
  const cacheDir = openCacheDir();
  const say = (line) => console.error(`skein: ${line}`);
  const node = await findNode({ cacheDir, command, say });
  const env = environment({ cacheDir, node });
  await ensurePackages({ projectDir, cacheDir, node, env, command, say });
  return handOver(node, [join(projectDir, file), ...ownArgs, ...callerArgs], env);
}

function openCacheDir() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const cacheDir = process.env.SKEIN_CACHE || join(base, "skein");
  try {
    mkdirSync(cacheDir, { recursive: true });
  } catch (error) {
    throw new Error(
      `cannot write the cache directory ${cacheDir} (${error.code}); set SKEIN_CACHE to a directory you can write`,
    );
  }
  return cacheDir;
}

function environment({ cacheDir, node }) {
  const path = [dirname(node), join(projectDir, "node_modules", ".bin"), process.env.PATH].join(delimiter);
  return { ...process.env, PATH: path, SKEIN_CACHE: cacheDir, NODE_COMPILE_CACHE: join(cacheDir, "compile") };
}

/** Runs the command with the terminal it was given; its exit code becomes ours. */
function handOver(node, args, env) {
  const child = spawn(node, args, { stdio: "inherit", env });
  // A terminal sends Ctrl-C to the whole group and `kill` only to us: both must reach the child, and we must outlive it.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? 128 + (signals[signal] ?? 0)));
  });
}
