import { randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { exitCodes, LaunchFailure } from "../servers/failure.ts";
import { holderOf } from "./claim.ts";
import { type Kind, readKinds } from "./kinds.ts";
import { isAlive } from "./process-mark.ts";
import type { Rolled } from "./roll.ts";
import { stateOf } from "./state.ts";

/** What a launcher writes under a request, one line of JSON each; the last one has `done` or `failed`. */
type Answer = { said: string } | { done: Rolled[] } | { failed: string };

const requestName = /^restart-[0-9a-f-]+\.request$/;
const anyName = /^restart-[0-9a-f-]+\.(request|request\.new|answers)$/;
const pollMs = 50;

/**
 * Asks the launcher of a directory to restart processes, and says what it says. The request is a file, the bell is
 * SIGUSR2, and the answers are a second file: whoever may write the directory may ask, and nothing listens.
 */
export async function requestRestart(
  dir: string,
  kinds: readonly Kind[],
  say: (line: string) => void,
): Promise<Rolled[]> {
  const holder = holderOf(dir);
  const notRunning = () => failure(`nothing runs in ${dir}; npm start starts it`, exitCodes.notRunning);
  if (holder === undefined) throw notRunning();
  const phase = stateOf(holder, dir)?.phase ?? "starting";
  if (phase !== "ready") throw failure(`the instance in ${dir} is ${phase}; try again when it is ready`);
  const request = join(dir, `restart-${randomUUID()}.request`);
  const answers = answersOf(request);
  writeFileSync(answers, "", { mode: 0o600 });
  // Whole or not at all: the bell of another request may have the launcher look just now.
  writeFileSync(`${request}.new`, kinds.join(","), { mode: 0o600 });
  renameSync(`${request}.new`, request);
  try {
    if (!ring(holder.pid)) throw notRunning();
    for (let told = 0; ; await sleep(pollMs)) {
      const wasAlive = isAlive(holder);
      const text = textOf(answers);
      const lines = text?.split("\n").slice(told, -1) ?? [];
      told += lines.length;
      for (const line of lines) {
        const answer = JSON.parse(line) as Answer;
        if ("said" in answer) say(answer.said);
        else if ("done" in answer) return answer.done;
        else throw failure(answer.failed);
      }
      if (!wasAlive) throw failure(`the launcher (pid ${holder.pid}) ended before the restart was done`);
      if (text === undefined) throw failure(`${answers} was taken away; npm run status shows what runs`);
    }
  } finally {
    rmSync(request, { force: true });
    rmSync(answers, { force: true });
  }
}

/** Before a launcher takes the lock: whoever sees it may ring, and a bell that nobody hears would end the process. */
export function deferRequests(): void {
  if (!process.listeners("SIGUSR2").includes(deaf)) process.on("SIGUSR2", deaf);
}

const deaf = () => undefined;

/** Nobody waits for what was asked of an earlier launcher; whoever asks now is told that this one is starting. */
export function removeRequests(dir: string): void {
  for (const name of namesIn(dir, anyName)) {
    try {
      rmSync(join(dir, name), { force: true });
    } catch {
      // Somebody else's: it takes a line of the listing and nothing more.
    }
  }
}

/** Answers requests in a directory until the function it returns is called. */
export function serveRequests(
  dir: string,
  restart: (kinds: readonly Kind[], say: (line: string) => void) => Promise<Rolled[]>,
): () => void {
  const serve = () => {
    for (const name of namesIn(dir, requestName)) {
      const request = join(dir, name);
      const tell = (answer: Answer) => append(answersOf(request), `${JSON.stringify(answer)}\n`);
      Promise.resolve()
        .then(() => restart(readKinds(take(request)), (said) => tell({ said })))
        .then(
          (done) => tell({ done }),
          (reason) => tell({ failed: reason instanceof Error ? reason.message : String(reason) }),
        );
    }
  };
  process.on("SIGUSR2", serve);
  return () => process.off("SIGUSR2", serve);
}

/** Empty where the directory cannot be read: this runs in the handler of a signal, where a throw would end the launcher. */
function namesIn(dir: string, pattern: RegExp): string[] {
  try {
    return readdirSync(dir).filter((name) => pattern.test(name));
  } catch {
    return [];
  }
}

/** What a request says; gone from then on, so that no bell has it done twice. */
function take(request: string): string {
  const kinds = readFileSync(request, "utf8");
  rmSync(request);
  return kinds;
}

/** Only where the file still is: answers to somebody who left are not made again. */
function append(file: string, text: string): void {
  try {
    const descriptor = openSync(file, constants.O_WRONLY | constants.O_APPEND);
    try {
      writeSync(descriptor, text);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // Whoever asked has gone, or the disk is full: neither must stop a restart half way.
  }
}

/** Nothing where the file is gone: a new launcher removes it when its own has ended. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** False where nobody is there any more. */
function ring(pid: number): boolean {
  try {
    return process.kill(pid, "SIGUSR2");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

const answersOf = (request: string): string => request.replace(/request$/, "answers");

const failure = (message: string, exitCode: number = exitCodes.failed) => new LaunchFailure(message, { exitCode });
