// Installs what package-lock.json says, when it is not there already.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { npmCommand, npmFailure, patience } from "./npm.mjs";

/** An install takes seconds; a lock older than this belongs to one that hangs. */
const installTimeoutMs = 600_000;
const lockPollMs = 200;

export async function ensurePackages({ projectDir, cacheDir, node, env, command, say }) {
  if (installed(projectDir)) return;
  const modules = lstatSync(join(projectDir, "node_modules"), { throwIfNoEntry: false });
  if (modules?.isSymbolicLink()) {
    throw new Error("node_modules is a link and lacks packages of package-lock.json; run npm ci where it points");
  }
  const lock = join(cacheDir, `install-${createHash("sha256").update(projectDir).digest("hex").slice(0, 16)}.lock`);
  await takeLock(lock);
  try {
    // Whoever held the lock may have done the work.
    if (installed(projectDir)) return;
    say("installing packages");
    const startTime = Date.now();
    const [program, ...args] = npmCommand(node);
    const result = spawnSync(program, [...args, "ci", "--ignore-scripts", "--loglevel=error", ...patience], {
      cwd: projectDir,
      env,
      encoding: "utf8",
      timeout: installTimeoutMs,
      maxBuffer: 16 * 1024 * 1024,
    });
    if (result.status !== 0) throw npmFailure(result, command, "npm ci");
    say(`packages are here (${((Date.now() - startTime) / 1000).toFixed(1)} s)`);
  } finally {
    rmSync(lock, { force: true });
  }
}

/** npm writes the hidden lock file last, so it names what is really there. */
function installed(projectDir) {
  try {
    const wanted = read(join(projectDir, "package-lock.json")).packages;
    const present = read(join(projectDir, "node_modules", ".package-lock.json")).packages;
    return Object.entries(wanted).every(
      ([path, entry]) => path === "" || entry.optional || present[path]?.version === entry.version,
    );
  } catch {
    return false;
  }
}

function read(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

async function takeLock(lock) {
  for (let waitedMs = 0; waitedMs < installTimeoutMs; waitedMs += lockPollMs) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (alive(lock)) await sleep(lockPollMs);
    else rmSync(lock, { force: true });
  }
  throw new Error(`another install holds ${lock}; remove it if none runs`);
}

function alive(lock) {
  try {
    process.kill(Number(readFileSync(lock, "utf8")), 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
