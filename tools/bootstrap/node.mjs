// Finds a Node that runs the source as it is: this one, or the pinned one out of the npm registry.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { npmCommand, npmFailure, patience } from "./npm.mjs";

const version = "24.21.0";
/** Strips types without a flag, and carries `crypto.argon2`. */
const oldestFitting = [24, 12];
/** SHA-256 of the package by platform: what is run is what was tried. */
const pins = {
  "linux-x64": "61ecf27ad70afee991b671c28561eb497028294a67d132f9bbaac9ad73f81d3b",
  "linux-arm64": "fba3076c16d21e5d814577436bdcb782b9b66bed09c6fa8278298e8933288bbb",
};

export async function findNode({ cacheDir, command, say }) {
  if (fits(process.versions.node)) return process.execPath;
  const platform = `${process.platform}-${process.arch}`;
  const dir = join(cacheDir, `node-${version}-${platform}`);
  const node = join(dir, "bin", "node");
  if (existsSync(node)) return node;
  const pin = pins[platform];
  if (pin === undefined) {
    throw new Error(
      `Node ${oldestFitting.join(".")} or newer is needed (this is ${process.versions.node}); install it`,
    );
  }
  say(`this is Node ${process.versions.node}; fetching Node ${version}, once for all clones`);
  const startTime = Date.now();
  const scratch = mkdtempSync(join(cacheDir, ".node-"));
  try {
    const tarball = download({ name: `node-${platform}@${version}`, into: scratch, command });
    const actual = createHash("sha256").update(tarball).digest("hex");
    if (actual !== pin) throw new Error(`the fetched Node ${version} has SHA-256 ${actual}, not the pinned ${pin}`);
    mkdirSync(join(scratch, "out", "bin"), { recursive: true });
    writeFileSync(join(scratch, "out", "bin", "node"), fileFromTar(gunzipSync(tarball), "package/bin/node"));
    chmodSync(join(scratch, "out", "bin", "node"), 0o755);
    // The rename is the publication: two that run at once both end with a whole directory.
    if (!existsSync(dir)) renameSync(join(scratch, "out"), dir);
    say(`Node ${version} is here (${(tarball.length / 1e6).toFixed(0)} MB, ${seconds(startTime)})`);
  } catch (error) {
    if (!existsSync(node)) throw error.code === "ENOSPC" ? new Error(`the disk that holds ${cacheDir} is full`) : error;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return node;
}

function fits(running) {
  const [major, minor] = running.split(".").map(Number);
  return major > oldestFitting[0] || (major === oldestFitting[0] && minor >= oldestFitting[1]);
}

function download({ name, into, command }) {
  const [program, ...args] = npmCommand(process.execPath);
  const packed = spawnSync(
    program,
    [...args, "pack", name, "--loglevel=error", "--pack-destination", into, ...patience],
    {
      cwd: into,
      encoding: "utf8",
    },
  );
  if (packed.status !== 0) throw npmFailure(packed, command, `npm pack ${name}`);
  return readFileSync(join(into, packed.stdout.trim().split("\n").at(-1)));
}

/** A tar is 512-byte blocks: a header with name (0, 100) and octal size (124, 12), then the file. */
function fileFromTar(tar, wanted) {
  for (let at = 0; at + 512 <= tar.length; ) {
    const name = tar.toString("utf8", at, at + 100).replace(/\0.*$/s, "");
    const sizeBytes = Number.parseInt(tar.toString("latin1", at + 124, at + 136), 8) || 0;
    if (name === wanted) return tar.subarray(at + 512, at + 512 + sizeBytes);
    at += 512 + Math.ceil(sizeBytes / 512) * 512;
  }
  throw new Error(`${wanted} is not in the package`);
}

function seconds(startTime) {
  return `${((Date.now() - startTime) / 1000).toFixed(1)} s`;
}
