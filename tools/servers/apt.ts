import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { makeScratch } from "./cache.ts";
import { type Env, lastLine, onPath, runCommand } from "./command.ts";
import { SourceFailure } from "./failure.ts";
import { versionIn } from "./version.ts";

/** Debian packages unpacked as files: no root, no installation, no service started. */
export type AptSource = {
  /** The version the system's mirrors offer of a package, or undefined. */
  candidate(packageName: string): Promise<string | undefined>;
  /** Unpacks packages, with the libraries this system lacks, below a directory; says how many bytes were fetched. */
  unpack(packageNames: readonly string[], rootDir: string): Promise<number>;
  /** What went wrong when the lists were fetched, as `: words`, or nothing. */
  updateFailure(): Promise<string>;
  close(): Promise<void>;
};

type Apt = { dir: string; options: string[]; updateFailure: string };

/** Everything else a package depends on (service scripts, Perl, user accounts) is of no use to an unpacked program. */
const libraryPattern = /^(lib|zlib1g|gcc-\d+-base|mysql-common)/;
const uselessPattern = /-perl$|^libperl|^libpam|^libc6$|^libjs-/;

export function aptSource({ cacheDir, env }: { cacheDir: string; env: Env }): AptSource {
  let opened: Promise<Apt> | undefined;
  const open = () => {
    opened ??= openApt(cacheDir, env);
    return opened;
  };
  return {
    async candidate(packageName) {
      const { options } = await open();
      const policy = await runCommand("apt-cache", [...options, "policy", packageName], { env });
      const version = /Candidate: (?:\d+:)?(\S+)/.exec(policy.stdout)?.[1];
      return version === undefined || version === "(none)" ? undefined : versionIn(version);
    },
    async unpack(packageNames, rootDir) {
      return unpackPackages({ apt: await open(), env, packageNames, rootDir });
    },
    async updateFailure() {
      const { updateFailure } = await open();
      return updateFailure === "" ? "" : `: ${updateFailure}`;
    },
    async close() {
      const apt = await opened?.catch(() => undefined);
      if (apt !== undefined) await rm(apt.dir, { recursive: true, force: true });
    },
  };
}

/** Own lists and cache: the system's may be empty, foreign or not ours to write. */
async function openApt(cacheDir: string, env: Env): Promise<Apt> {
  if (onPath("apt-get", env) === undefined || onPath("dpkg", env) === undefined) {
    throw new SourceFailure("this system has no apt-get");
  }
  const dir = await makeScratch(cacheDir, "apt");
  await mkdir(join(dir, "lists", "partial"), { recursive: true });
  await mkdir(join(dir, "cache", "archives", "partial"), { recursive: true });
  const settings = [
    `Dir::State::Lists=${dir}/lists`,
    `Dir::Cache=${dir}/cache`,
    "Debug::NoLocking=1",
    "Acquire::Languages=none",
    "Acquire::Retries=1",
    "Acquire::http::Timeout=20",
    "Acquire::https::Timeout=20",
    // Root's apt would fetch as a user that cannot read root's home.
    "APT::Sandbox::User=root",
  ];
  const options = settings.flatMap((setting) => ["-o", setting]);
  const update = await runCommand("apt-get", [...options, "-qq", "update"], { env });
  // One broken list among many must not stop us, and apt succeeds without a network: what matters is asked later.
  const updateFailure = /^(?:E|W): (.*)$/m.exec(update.stderr)?.[1] ?? "";
  return { dir, options, updateFailure };
}

async function unpackPackages({
  apt,
  env,
  packageNames,
  rootDir,
}: {
  apt: Apt;
  env: Env;
  packageNames: readonly string[];
  rootDir: string;
}): Promise<number> {
  const debDir = join(rootDir, ".debs");
  await mkdir(debDir, { recursive: true });
  const names = await withLibraries(apt, env, packageNames);
  const download = await runCommand("apt-get", [...apt.options, "-qq", "download", ...names], { env, cwd: debDir });
  const debs = (await readdir(debDir)).filter((name) => name.endsWith(".deb"));
  if (debs.length < names.length) {
    const why = apt.updateFailure || /^E: (.*)$/m.exec(download.stderr)?.[1] || lastLine(download.stderr);
    throw new SourceFailure(`cannot fetch the packages ${packageNames.join(", ")}: ${why}`);
  }
  let fetchedBytes = 0;
  for (const deb of debs) {
    fetchedBytes += (await stat(join(debDir, deb))).size;
    const unpacked = await runCommand("dpkg", ["-x", join(debDir, deb), rootDir], { env });
    if (unpacked.exitCode !== 0) throw new SourceFailure(`cannot unpack ${deb}: ${lastLine(unpacked.stderr)}`);
  }
  await rm(debDir, { recursive: true, force: true });
  return fetchedBytes;
}

/** The packages, and below them the libraries that this system has not installed. */
async function withLibraries(apt: Apt, env: Env, packageNames: readonly string[]): Promise<string[]> {
  const kinds = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((kind) => `--no-${kind}`);
  const listed = await runCommand("apt-cache", [...apt.options, "depends", "--recurse", ...kinds, ...packageNames], {
    env,
  });
  const dependencies = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of listed.stdout.split("\n")) {
    const dependency = /^\s.*Depends: (\S+)/.exec(line)?.[1];
    if (dependency !== undefined) current.push(dependency);
    if (!/^\S/.test(line)) continue;
    current = [];
    dependencies.set(line.trim(), current);
  }
  const installed = await installedPackages(env);
  const wanted = new Set(packageNames);
  for (const name of wanted) {
    for (const dependency of dependencies.get(name) ?? []) {
      // `<name>` is a virtual package; whoever provides it is listed by itself.
      const useful = libraryPattern.test(dependency) && !uselessPattern.test(dependency);
      if (useful && dependencies.has(dependency) && !installed.has(dependency)) wanted.add(dependency);
    }
  }
  return [...wanted];
}

async function installedPackages(env: Env): Promise<Set<string>> {
  const format = "-f=$" + "{db:Status-Status} $" + "{Package}\n";
  const listed = await runCommand("dpkg-query", ["-W", format], { env });
  const lines = listed.stdout.split("\n").filter((line) => line.startsWith("installed "));
  return new Set(lines.map((line) => line.slice("installed ".length)));
}
