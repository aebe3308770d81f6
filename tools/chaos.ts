import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isPassed, reportOf, resultOf } from "./chaos/report.ts";
import { runChaos } from "./chaos/run.ts";
import { findTarget, startTarget } from "./chaos/target.ts";
import { exitCodeOf, usage } from "./cli.ts";
import { createProgress } from "./progress.ts";
import { exitCodes } from "./servers/failure.ts";

const help = `npm run chaos -- [options]     faults of chance under load, then everything held to the truth

Starts a system of its own with two replicas of every process. People read and write at a steady rate (an open loop, half
of it writes), by the other front door where one fails, and every acknowledged write is a line in a journal on the disk.
Each round has one fault of each kind, in an order of chance:
  kill      kill -9 of a replica, MySQL, Redis or NATS
  freeze    SIGSTOP, and SIGCONT after --freeze
  network   the way to MySQL, Redis or NATS has latency, is cut, or swallows everything, for 6 s
  loss      Redis flushed, the NATS store deleted or rolled back
Then: the journal is in MySQL, each vote counted once, each schedule that was due public once; every row is told by facts,
once, in order; every fact had its effect, once; feeds, counts and own states are the oracle's, photos and previews of links
are shown, and within what time.

  --rounds N     rounds (5)
  --rate R       requests a second (48: 40 % of what two cores carry)
  --seed S       chooses faults and requests (by the clock)
  --freeze S     seconds of a freeze (10)
  --people N     who reads and writes (8)
  --dir DIR      an instance that runs, whose data this adds to; without network faults and links
  --keep         leave the directory of the system, with its logs
  --json         the figures as one line of JSON on stdout
  --help         this page

Exit codes: 0 nothing lost, doubled or out of order, and all equal to the truth within a minute; 1 otherwise, or failed;
2 wrong usage; 3 not running.`;

const optionTypes = {
  rounds: { type: "string", default: "5" },
  rate: { type: "string", default: "48" },
  seed: { type: "string" },
  freeze: { type: "string", default: "10" },
  people: { type: "string", default: "8" },
  dir: { type: "string" },
  keep: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Between faults: who just started has cold code, and a fault is measured by itself. */
const settleMs = 3_000;
const warmUpMs = 20_000;

process.exitCode = await exitCodeOf("chaos", main);
process.exit();

async function main(): Promise<number> {
  const options = readOptions();
  if (options.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const { rounds, rate, seed, people, freezeMs } = options;
  const progress = createProgress();
  const say = (line: string) => progress.say(line);
  const target = options.dir === undefined ? await startTarget({ say }) : findTarget(options.dir);
  let passed = false;
  try {
    const journalFile = join(mkdtempSync(join(tmpdir(), "skein-journal-")), "journal.jsonl");
    say(`seed ${seed}, journal ${journalFile}`);
    const sizes = { rounds, rate, seed, people, freezeMs, settleMs, warmUpMs };
    const run = await runChaos({ ...sizes, target, journalFile, progress });
    const result = resultOf(run, { rounds, seed });
    passed = isPassed(result);
    say(reportOf(run, result));
    if (options.json) console.log(JSON.stringify(result));
  } finally {
    await target.stop(options.keep || !passed);
  }
  return passed ? exitCodes.ok : exitCodes.failed;
}

function readOptions() {
  try {
    const { values } = parseArgs({ options: optionTypes });
    return {
      ...values,
      rounds: numberOf("rounds", values.rounds, 1, 1_000),
      rate: numberOf("rate", values.rate, 1, 1_000),
      people: numberOf("people", values.people, 3, 50),
      freezeMs: 1_000 * numberOf("freeze", values.freeze, 1, 300),
      seed: values.seed ?? String(Date.now()),
    };
  } catch (reason) {
    throw usage(reason instanceof Error ? (reason.message.split(". ")[0] ?? "") : String(reason));
  }
}

function numberOf(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= min && value <= max) return value;
  throw new Error(`--${name} ${text} is not a number from ${min} to ${max}`);
}
