import { spawn } from "node:child_process";
import { chmod, cp, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createProgress, duration } from "../progress.ts";
import { cached } from "../servers/cache.ts";
import { type Env, lastLine, onPath, runCommand } from "../servers/command.ts";
import { LaunchFailure } from "../servers/failure.ts";
import { jaegerCacheName, jaegerModule } from "../servers/jaeger.ts";
import { atLeast, versionIn } from "../servers/version.ts";

const goOldest = "1.24.6";
/** What `go mod download` says of the module that was tried: another sum is another program, and is not built. */
const moduleSum = "h1:sWCOOF1dr+NL0PLil7mFo3BqqQL8k4WiM7aguFbc14g=";
/** 17 minutes on two busy cores; beyond this something hangs. */
const buildTimeoutMs = 2 * 3600 * 1000;
const downloadTimeoutMs = 15 * 60 * 1000;
const program = "jaeger";
const wordsMax = 20;

/** Builds Jaeger into the cache, once for all clones. Fails with one line where Go or a module is missing. */
export async function buildJaeger({ cacheDir, env }: { cacheDir: string; env: Env }): Promise<void> {
  const goEnv = { ...env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly -buildvcs=false", GOWORK: "off" };
  const go = await findGo(goEnv);
  const progress = createProgress();
  const startTime = Date.now();
  try {
    await cached({
      cacheDir,
      name: jaegerCacheName,
      build: async (scratchDir) => {
        progress.say(`get: fetching ${jaegerModule.path} ${jaegerModule.version}`);
        const source = join(scratchDir, "source");
        await copyWritable(await downloadModule(go, goEnv), source);
        const total = await countPackages(go, source, goEnv);
        let done = 0;
        const built = () => progress.update({ what: "building Jaeger, packages", done: ++done, total });
        await mkdir(join(scratchDir, "bin"));
        await compile(go, { source, file: join(scratchDir, "bin", program), env: goEnv, built });
        await rm(source, { recursive: true });
      },
    });
  } finally {
    progress.end();
  }
  progress.say(`get: built in ${duration((Date.now() - startTime) / 1000)}`);
}

async function findGo(env: Env): Promise<string> {
  const go = onPath("go", env);
  const remedy = `install Go ${goOldest} or newer (https://go.dev/dl/) and run this again`;
  if (go === undefined) throw new LaunchFailure(`Go is missing, which builds Jaeger: ${remedy}`);
  const asked = await runCommand(go, ["env", "GOVERSION"], { env });
  const version = versionIn(asked.stdout);
  if (version !== undefined && atLeast(version, goOldest)) return go;
  throw new LaunchFailure(`${go} is ${version ?? lastLine(asked.stderr)}, and Jaeger needs more: ${remedy}`);
}

/** The directory of the module's files in Go's own cache, which must not be written. */
async function downloadModule(go: string, env: Env): Promise<string> {
  const wanted = `${jaegerModule.path}@${jaegerModule.version}`;
  const asked = await runCommand(go, ["mod", "download", "-json", wanted], { env, timeoutMs: downloadTimeoutMs });
  const said = moduleOf(asked.stdout);
  if (asked.exitCode !== 0 || said.Dir === undefined) {
    const why = said.Error ?? lastLine(asked.stderr);
    throw new LaunchFailure(`cannot fetch ${wanted}: ${why.slice(0, 300)}; check the network, or GOPROXY`);
  }
  if (said.Sum === moduleSum) return said.Dir;
  throw new LaunchFailure(`${wanted} has the sum ${said.Sum}, not the pinned ${moduleSum}; nothing of it is built`);
}

function moduleOf(text: string): { Dir?: string; Sum?: string; Error?: string } {
  try {
    return JSON.parse(text) as { Dir?: string; Sum?: string; Error?: string };
  } catch {
    return {};
  }
}

/** Its replace directives hold only where it is the main module, so it is built from a copy of its own. */
async function copyWritable(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  for (const entry of await readdir(to, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), 0o755);
  }
  await chmod(to, 0o755);
}

async function countPackages(go: string, cwd: string, env: Env): Promise<number> {
  const asked = await runCommand(go, ["list", "-deps", "./cmd/jaeger"], { cwd, env, timeoutMs: downloadTimeoutMs });
  if (asked.exitCode === 0) return asked.stdout.trim().split("\n").length;
  throw new LaunchFailure(`cannot fetch what Jaeger needs: ${lastLine(asked.stderr).slice(0, 300)}; check GOPROXY`);
}

/** `go build -v` names each package as it is compiled; one that Go has in its cache is not named. */
function compile(
  go: string,
  { source, file, env, built }: { source: string; file: string; env: Env; built: () => void },
): Promise<void> {
  const flags = `-s -w -X ${jaegerModule.path}/internal/version.latestVersion=${jaegerModule.version}`;
  const child = spawn(go, ["build", "-v", "-trimpath", "-ldflags", flags, "-o", file, "./cmd/jaeger"], {
    cwd: source,
    env,
    stdio: ["ignore", "ignore", "pipe"],
    signal: AbortSignal.timeout(buildTimeoutMs),
  });
  const words: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    words.push(line);
    if (words.length > wordsMax) words.shift();
    built();
  });
  return new Promise((resolve, reject) => {
    const failed = (why: string) => reject(new LaunchFailure(`Jaeger cannot be built: ${why.slice(0, 300)}`));
    child.on("error", (error) => failed(error.message));
    child.on("close", (code) => (code === 0 ? resolve() : failed(lastLine(words.join("\n")))));
  });
}
