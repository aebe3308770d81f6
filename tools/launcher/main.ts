import { composeUp, composeWorks } from "../containers/compose.ts";
import { exitCodes, LaunchFailure } from "../servers/failure.ts";
import { MissingProgram } from "../servers/program.ts";
import { type DetachMessage, detach, tellParent } from "./detach.ts";
import { makeLauncher } from "./instance.ts";
import { helpFor, type Options, readOptions } from "./options.ts";
import { portsFrom } from "./ports.ts";
import { readyReport, statusTable } from "./report.ts";
import { requestRestart } from "./requests.ts";
import { resetInstance, sizeOf } from "./reset.ts";
import { demoAccounts } from "./seed-demo.ts";
import { readState } from "./state.ts";
import { statusOf } from "./status.ts";
import { stopInstance } from "./stop.ts";

const isBackground = process.send !== undefined;

/** Progress goes to stderr: stdout is for what was asked. */
function say(line: string): void {
  console.error(`skein: ${line}`);
  if (isBackground) tellParent({ kind: "said", line });
}

try {
  process.exitCode = await main();
} catch (error) {
  const failure = toFailure(error);
  const message: DetachMessage = { kind: "failed", message: failure.message, exitCode: failure.exitCode };
  console.error(`skein: ${failure.message}`);
  if (isBackground) tellParent(message);
  process.exitCode = failure.exitCode;
}
// A connection or a channel that is still open must not keep a finished launcher alive.
process.exit();

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) {
    console.log(helpFor(options.command));
    return exitCodes.ok;
  }
  if (options.command === "start") return start(options);
  if (options.command === "restart") return restart(options);
  if (options.command === "reset") return reset(options);
  return options.command === "stop" ? stop(options) : status(options);
}

async function start(options: Options): Promise<number> {
  if (options.detach && !isBackground) {
    const args = process.argv.slice(1);
    console.log(await detach({ dir: options.dir, args, say }));
    return exitCodes.ok;
  }
  const startTime = Date.now();
  const launcher = makeLauncher({
    ...options,
    ports: portsFrom(options.portBase, options.replicas),
    direct: false,
    env: process.env,
    say,
  });
  const stopped = new Promise<void>((resolve, reject) => {
    const stopAll = () => launcher.stop().then(resolve, reject);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stopAll);
  });
  try {
    await launcher.start();
  } catch (error) {
    if (!(await startInContainers(error, options))) throw error;
    return exitCodes.ok;
  }
  say(`everything ready (${((Date.now() - startTime) / 1000).toFixed(1)} s)`);
  const report = await reportOf(options);
  if (isBackground) tellParent({ kind: "ready", report });
  else console.log(report);
  await stopped;
  say("stopped");
  return exitCodes.ok;
}

/** Where a server cannot be had and Docker can: the whole system in containers, in the background. */
async function startInContainers(error: unknown, { serversOnly }: Options): Promise<boolean> {
  const isMissing = [error, (error as Error).cause].some((each) => each instanceof MissingProgram);
  if (!isMissing || serversOnly || !(await composeWorks(process.env))) return false;
  say(`${(error as Error).message}`);
  say("taking Docker Compose instead; npm run compose -- ps shows it, npm run compose -- down ends it");
  if ((await composeUp(process.env)) !== 0)
    throw new LaunchFailure("docker compose failed as well; its last lines say why");
  const report = `in containers, at http://127.0.0.1:${process.env.EDGE_PORT || 8080}`;
  if (isBackground) tellParent({ kind: "ready", report });
  else console.log(report);
  return true;
}

async function reportOf({ dir, json, serversOnly }: Options): Promise<string> {
  const found = await statusOf(dir);
  if (json) return JSON.stringify(serversOnly ? readState(dir)?.servers : found);
  return readyReport(found, { accounts: await demoAccounts(dir), serversOnly });
}

async function stop({ dir }: Options): Promise<number> {
  const startTime = Date.now();
  const wasRunning = await stopInstance(dir, say);
  say(wasRunning ? `stopped (${((Date.now() - startTime) / 1000).toFixed(1)} s)` : `nothing runs in ${dir}`);
  return wasRunning ? exitCodes.ok : exitCodes.notRunning;
}

async function restart({ dir, restarted, json }: Options): Promise<number> {
  const startTime = Date.now();
  const rolled = await requestRestart(dir, restarted, say);
  say(`${rolled.length} restarted (${((Date.now() - startTime) / 1000).toFixed(1)} s)`);
  if (json) console.log(JSON.stringify(rolled));
  return exitCodes.ok;
}

async function reset({ dir, yes, json }: Options): Promise<number> {
  const done = await resetInstance({ dir, yes, say });
  const bytes = done.removed.reduce((sum, part) => sum + part.bytes, 0);
  say(done.removed.length === 0 ? `there is nothing in ${dir}` : `${sizeOf(bytes)} removed from ${dir}`);
  if (json) console.log(JSON.stringify(done));
  return exitCodes.ok;
}

async function status({ dir, json }: Options): Promise<number> {
  const found = await statusOf(dir);
  if (found.processes.length === 0 && found.phase === "not running") {
    say(`nothing runs in ${dir}; npm start starts it`);
    return exitCodes.notRunning;
  }
  console.log(json ? JSON.stringify(found) : statusTable(found));
  return exitCodes.ok;
}

/** A full disk or a forbidden write can come from anywhere; everything unforeseen is our bug and shows its stack. */
function toFailure(error: unknown): LaunchFailure {
  if (error instanceof LaunchFailure) return error;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (error instanceof Error && "code" in error && error.code === "ENOSPC") {
    return new LaunchFailure("the disk is full; free some space and start again", { cause: error });
  }
  return new LaunchFailure(`unexpected: ${text}`, { cause: error });
}
