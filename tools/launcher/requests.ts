import { randomUUID } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { exitCodes, LaunchFailure } from "../servers/failure.ts";
import { holderOf } from "./claim.ts";
import { type Kind, readKinds } from "./kinds.ts";
import { isAlive } from "./process-mark.ts";
import type { Rolled } from "./roll.ts";
import { readState } from "./state.ts";

/** What a launcher writes under a request, one line of JSON each; the last one has `done` or `failed`. */
type Answer = { said: string } | { done: Rolled[] } | { failed: string };

const requestName = /^restart-[0-9a-f-]+\.request$/;
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
  if (holder === undefined) throw failure(`nothing runs in ${dir}; npm start starts it`, exitCodes.notRunning);
  const phase = readState(dir)?.phase;
  // The launcher listens for the bell from "ready" on; before that the signal would end it.
  if (phase !== "ready") throw failure(`the instance in ${dir} is ${phase}; try again when it is ready`);
  const request = join(dir, `restart-${randomUUID()}.request`);
  const answers = answersOf(request);
  writeFileSync(answers, "", { mode: 0o600 });
  writeFileSync(request, kinds.join(","), { mode: 0o600 });
  try {
    process.kill(holder.pid, "SIGUSR2");
    for (let told = 0; ; await sleep(pollMs)) {
      const wasAlive = isAlive(holder);
      const lines = readFileSync(answers, "utf8").split("\n").slice(told, -1);
      told += lines.length;
      for (const line of lines) {
        const answer = JSON.parse(line) as Answer;
        if ("said" in answer) say(answer.said);
        else if ("done" in answer) return answer.done;
        else throw failure(answer.failed);
      }
      if (!wasAlive) throw failure(`the launcher (pid ${holder.pid}) ended before the restart was done`);
    }
  } finally {
    rmSync(request, { force: true });
    rmSync(answers, { force: true });
  }
}

/** Answers requests in a directory until the function it returns is called. */
export function serveRequests(
  dir: string,
  restart: (kinds: readonly Kind[], say: (line: string) => void) => Promise<Rolled[]>,
): () => void {
  const serve = () => {
    for (const name of readdirSync(dir).filter((each) => requestName.test(each))) {
      const request = join(dir, name);
      const tell = (answer: Answer) => appendFileSync(answersOf(request), `${JSON.stringify(answer)}\n`);
      const kinds = readFileSync(request, "utf8");
      rmSync(request);
      Promise.resolve()
        .then(() => restart(readKinds(kinds), (said) => tell({ said })))
        .then(
          (done) => tell({ done }),
          (reason) => tell({ failed: reason instanceof Error ? reason.message : String(reason) }),
        )
        // Whoever asked has gone and taken the file along, or the disk is full: the work itself is done or told elsewhere.
        .catch(() => undefined);
    }
  };
  process.on("SIGUSR2", serve);
  return () => process.off("SIGUSR2", serve);
}

const answersOf = (request: string): string => request.replace(/request$/, "answers");

const failure = (message: string, exitCode: number = exitCodes.failed) => new LaunchFailure(message, { exitCode });
